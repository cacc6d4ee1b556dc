//! Prints `src/plan/abi.gen.ts`: tags, sizes and offsets, from the types in `plan/`; called with
//! `layout`, `src/native/layout.gen.ts`: the hash of them all.

const std = @import("std");
const schema = @import("plan/schema.zig");
const protocol = @import("plan/protocol.zig");
const layout = @import("plan/layout.zig");

pub fn main(init: std.process.Init) !void {
    var buffer: [4096]u8 = undefined;
    var file = std.Io.File.Writer.init(.stdout(), init.io, &buffer);
    const out = &file.interface;
    try out.writeAll(
        \\// Printed by zig/abi.zig from zig/plan/. Do not edit: scripts/abi.ts writes it anew.
        \\
        \\
    );
    var arguments = init.minimal.args.iterate();
    _ = arguments.next();
    if (arguments.next() == null) try printTables(out) else try printHash(out);
    try out.flush();
}

fn printHash(out: *std.Io.Writer) !void {
    try out.print("export const layoutHash = 0x{x}n;\n", .{layout.hash});
}

fn printTables(out: *std.Io.Writer) !void {
    try printHash(out);
    inline for (.{
        .{ "planMagic", schema.magic },
        .{ "planBytesMax", schema.plan_bytes_max },
        .{ "operationsMax", schema.operations_max },
        .{ "podSlots", schema.pod_slots },
        .{ "slotsMax", schema.slots_max },
        .{ "slotNone", @intFromEnum(schema.Slot.none) },
        .{ "slotTargetProcess", @intFromEnum(schema.Slot.target_process) },
        .{ "slotTargetCgroup", @intFromEnum(schema.Slot.target_cgroup) },
        .{ "protocolVersion", protocol.version },
        .{ "frameBytesMax", protocol.frame_bytes_max },
        .{ "processesMax", protocol.processes_max },
        .{ "noProcess", protocol.no_process },
        .{ "networkTurn", protocol.network_turn },
        .{ "askBytesMax", protocol.ask_bytes_max },
        .{ "recordMagic", protocol.record_magic },
    }) |constant| try out.print("export const {s} = {d};\n", constant);
    try printNames(out, "stages", schema.Stage);
    try printNames(out, "planKinds", schema.Kind);
    try printNames(out, "fileTypes", schema.FileType);
    try printNames(out, "statuses", protocol.Status);
    try printNames(out, "processStates", protocol.ProcessState);
    try printNames(out, "calls", protocol.Call);
    try printNames(out, "roles", protocol.Role);
    try printNames(out, "families", protocol.Family);
    try printNumbers(out, "requestTags", protocol.RequestTag);
    try printNumbers(out, "answerTags", protocol.AnswerTag);
    try printFlags(out, "namespaceFlags", schema.Namespaces);
    try printFlags(out, "attributeFlags", schema.Attributes);
    try printFlags(out, "launchFlags", protocol.LaunchFlags);
    try printStruct(out, "planHeader", schema.Header);
    try printStruct(out, "planRecord", schema.Record);
    inline for (layout.messages) |entry| try printStruct(out, entry[0], entry[1]);
    try out.writeAll("\nexport const ops = {\n");
    inline for (std.meta.fields(schema.Op), 0..) |field, tag| {
        try out.print("  {s}: {{\n    tag: {d},\n    stages: [", .{ field.name, tag });
        inline for (field.type.stages, 0..) |stage, index| {
            try out.print(
                "{s}\"{s}\"",
                .{ if (index > 0) ", " else "", @tagName(@as(schema.Stage, stage)) },
            );
        }
        try out.print("],\n    size: {d},\n    fields: {{", .{@sizeOf(field.type)});
        try printFields(out, field.type, "\n      ");
        try out.writeAll("\n    },\n  },\n");
    }
    try out.writeAll("} as const;\n");
}

fn printStruct(out: *std.Io.Writer, name: []const u8, comptime T: type) !void {
    try out.print("\nexport const {s} = {{\n  size: {d},\n  fields: {{", .{ name, @sizeOf(T) });
    try printFields(out, T, "\n    ");
    try out.writeAll("\n  },\n} as const;\n");
}

fn printFields(out: *std.Io.Writer, comptime T: type, indent: []const u8) !void {
    inline for (std.meta.fields(T)) |field| {
        if (comptime field.name[0] == '_') continue;
        try out.print("{s}{s}: {{ type: \"{s}\", offset: {d} }},", .{
            indent, field.name, layout.typeName(field.type), @offsetOf(T, field.name),
        });
    }
}

fn printNames(out: *std.Io.Writer, name: []const u8, comptime T: type) !void {
    try out.print("\nexport const {s} = [", .{name});
    inline for (std.meta.fields(T), 0..) |field, index| {
        comptime std.debug.assert(field.value == index);
        try out.print("\n  \"{s}\",", .{field.name});
    }
    try out.writeAll("\n] as const;\n");
}

fn printNumbers(out: *std.Io.Writer, name: []const u8, comptime T: type) !void {
    try out.print("\nexport const {s} = {{", .{name});
    inline for (std.meta.fields(T)) |field| try out.print(
        "\n  {s}: {d},",
        .{ field.name, field.value },
    );
    try out.writeAll("\n} as const;\n");
}

fn printFlags(out: *std.Io.Writer, name: []const u8, comptime T: type) !void {
    try out.print("\nexport const {s} = {{", .{name});
    inline for (std.meta.fields(T)) |field| {
        if (field.type == bool) try out.print(
            "\n  {s}: {d},",
            .{ field.name, @as(u32, 1) << @bitOffsetOf(T, field.name) },
        );
    }
    try out.writeAll("\n} as const;\n");
}
