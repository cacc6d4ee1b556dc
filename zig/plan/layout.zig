//! The layout of plans and messages as one number: library, keeper and TypeScript work together
//! only where it agrees.

const std = @import("std");
const schema = @import("schema.zig");
const protocol = @import("protocol.zig");

pub const messages = .{
    .{ "frameHead", protocol.Head },
    .{ "hello", protocol.Hello },
    .{ "welcome", protocol.Welcome },
    .{ "launch", protocol.Launch },
    .{ "signal", protocol.Signal },
    .{ "end", protocol.End },
    .{ "resize", protocol.Resize },
    .{ "attach", protocol.Attach },
    .{ "killTree", protocol.KillTree },
    .{ "dial", protocol.Dial },
    .{ "askedHead", protocol.Asked },
    .{ "keep", protocol.Keep },
    .{ "reply", protocol.Reply },
    .{ "exited", protocol.Exited },
    .{ "recordHead", protocol.RecordHead },
    .{ "recordEntry", protocol.RecordEntry },
};

pub const hash: u64 = blk: {
    @setEvalBranchQuota(200_000);
    var hasher = Fnv{};
    hasher.describe("planHeader", schema.Header);
    hasher.describe("planRecord", schema.Record);
    for (messages) |entry| hasher.describe(entry[0], entry[1]);
    for (std.meta.fields(schema.Op)) |field| hasher.describe(field.name, field.type);
    for (.{ protocol.Call, schema.Kind, schema.Stage, schema.FileType, protocol.Status }) |T| {
        for (std.meta.fields(T)) |field| hasher.add(field.name);
    }
    for (.{ schema.Namespaces, schema.Attributes, protocol.LaunchFlags }) |T| {
        for (std.meta.fields(T)) |field| hasher.add(field.name);
    }
    break :blk hasher.state;
};

/// The name of a field's type in TypeScript's table.
pub fn typeName(comptime T: type) []const u8 {
    return switch (T) {
        u8, u16, u32, u64, i32, i64 => @typeName(T),
        schema.Slot => "slot",
        schema.Text => "text",
        schema.Bytes => "bytes",
        schema.TextList => "texts",
        schema.Attributes => "attributes",
        schema.Namespaces => "namespaces",
        schema.FileType => "fileType",
        else => switch (@bitSizeOf(T)) {
            8 => "u8",
            32 => "u32",
            else => @compileError("no TypeScript type for " ++ @typeName(T)),
        },
    };
}

/// FNV-1a, 64 bits: enough to tell layouts apart, and simple enough for compile time.
const Fnv = struct {
    state: u64 = 0xcbf29ce484222325,

    fn add(fnv: *Fnv, text: []const u8) void {
        for (text) |byte| fnv.state = (fnv.state ^ byte) *% 0x100000001b3;
        fnv.state = (fnv.state ^ 0xff) *% 0x100000001b3;
    }

    fn describe(fnv: *Fnv, name: []const u8, comptime T: type) void {
        fnv.add(name);
        for (std.meta.fields(T)) |field| {
            fnv.add(field.name);
            fnv.add(
                std.fmt.comptimePrint(
                    "{s} {d}",
                    .{
                        if (field.name[0] == '_') "" else typeName(field.type),
                        @offsetOf(T, field.name),
                    },
                ),
            );
        }
        fnv.add(std.fmt.comptimePrint("{d}", .{@sizeOf(T)}));
    }
};
