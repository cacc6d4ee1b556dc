//! A plan as text, from its bytes. TypeScript prints the same text from its objects; a test holds
//! the two equal.

const std = @import("std");
const schema = @import("schema.zig");
const view_file = @import("view.zig");
const View = view_file.View;

pub const Error = std.Io.Writer.Error;

pub fn print(view: View, writer: *std.Io.Writer) Error!void {
    const head = view.header();
    try writer.print("{s} plan, {d} operations", .{ @tagName(head.kind), head.operations });
    try writer.print(
        ", root {d}:{d}, deadline {d} ms",
        .{ head.root_uid, head.root_gid, head.deadline_ms },
    );
    if (head.flags.may_hang) try writer.writeAll(", may hang");
    try writer.writeByte('\n');
    var steps = view.steps();
    while (steps.next()) |step| {
        try writer.print("{d: >3} {s: <7} ", .{ step.index + 1, @tagName(step.stage) });
        switch (step.op) {
            inline else => |payload, tag| {
                try writer.writeAll(@tagName(tag));
                try printFields(view, payload, writer);
            },
        }
        try writer.writeByte('\n');
    }
}

fn printFields(view: View, payload: anytype, writer: *std.Io.Writer) Error!void {
    inline for (std.meta.fields(@TypeOf(payload))) |field| {
        if (comptime field.name[0] == '_') continue;
        const value = @field(payload, field.name);
        try writer.print(" {s}=", .{field.name});
        switch (field.type) {
            schema.Slot => if (value == .none) try writer.writeAll("none") else try writer.print(
                "#{d}",
                .{@intFromEnum(value)},
            ),
            schema.Text => try printText(view.text(value), writer),
            schema.Bytes => try writer.print("<{d} bytes>", .{value.bytes}),
            schema.TextList => {
                try writer.writeByte('[');
                for (view.texts(value), 0..) |entry, index| {
                    if (index > 0) try writer.writeByte(' ');
                    try printText(view.text(entry), writer);
                }
                try writer.writeByte(']');
            },
            schema.Attributes, schema.Namespaces => try printFlags(value, writer),
            schema.FileType => try writer.writeAll(@tagName(value)),
            else => if (comptime std.mem.eql(u8, field.name, "mode") or std.mem.eql(
                u8,
                field.name,
                "create_mode",
            ) or
                std.mem.eql(u8, field.name, "umask"))
                try writer.print("0{o}", .{value})
            else
                try writer.print("{d}", .{value}),
        }
    }
}

fn printFlags(flags: anytype, writer: *std.Io.Writer) Error!void {
    var first = true;
    inline for (std.meta.fields(@TypeOf(flags))) |field| {
        if (field.type == bool and @field(flags, field.name)) {
            if (!first) try writer.writeByte(',');
            try writer.writeAll(field.name);
            first = false;
        }
    }
    if (first) try writer.writeAll("none");
}

/// Quoted; what could end the quotes or the line is escaped, other bytes stand as they are.
fn printText(text: []const u8, writer: *std.Io.Writer) Error!void {
    try writer.writeByte('"');
    for (text) |byte| switch (byte) {
        '"' => try writer.writeAll("\\\""),
        '\\' => try writer.writeAll("\\\\"),
        '\n' => try writer.writeAll("\\n"),
        0...9, 11...31, 127 => try writer.print("\\x{x:0>2}", .{byte}),
        else => try writer.writeByte(byte),
    };
    try writer.writeByte('"');
}
