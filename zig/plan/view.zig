//! A plan's bytes, checked once from end to end. After `View.init` returns, nothing in a child can
//! fail to decode.

const std = @import("std");
const schema = @import("schema.zig");
const types = @import("types.zig");

pub const Error = error{InvalidPlan};

pub const Step = struct {
    index: u32,
    stage: schema.Stage,
    op: schema.Op,
};

pub const View = struct {
    bytes: []align(8) const u8,

    pub fn init(bytes: []align(8) const u8) Error!View {
        if (bytes.len < @sizeOf(schema.Header)) return error.InvalidPlan;
        if (bytes.len > schema.plan_bytes_max) return error.InvalidPlan;
        const view: View = .{ .bytes = bytes };
        const head = view.header();
        if (head.magic != schema.magic or head.bytes != bytes.len) return error.InvalidPlan;
        if (head.operations > schema.operations_max) return error.InvalidPlan;
        _ = std.enums.fromInt(
            schema.Kind,
            bytes[@offsetOf(schema.Header, "kind")],
        ) orelse return error.InvalidPlan;
        try view.checkRecords(head.operations);
        return view;
    }

    pub fn header(view: View) *const schema.Header {
        return @ptrCast(view.bytes.ptr);
    }

    pub fn text(view: View, at: schema.Text) [:0]const u8 {
        return view.bytes[at.offset..][0..at.bytes :0];
    }

    pub fn slice(view: View, at: schema.Bytes) []align(8) const u8 {
        return @alignCast(view.bytes[at.offset..][0..at.bytes]);
    }

    pub fn texts(view: View, at: schema.TextList) []const schema.Text {
        const entries: [*]const schema.Text = @ptrCast(@alignCast(view.bytes.ptr + at.offset));
        return entries[0..at.count];
    }

    pub fn steps(view: View) Iterator {
        return .{ .view = view };
    }

    fn checkRecords(view: View, count: u32) Error!void {
        var offset: usize = @sizeOf(schema.Header);
        var stage: schema.Stage = .prepare;
        for (0..count) |_| {
            if (offset + @sizeOf(schema.Record) > view.bytes.len) return error.InvalidPlan;
            const stage_byte = view.bytes[offset + @offsetOf(schema.Record, "stage")];
            const next = std.enums.fromInt(
                schema.Stage,
                stage_byte,
            ) orelse return error.InvalidPlan;
            if (@intFromEnum(next) < @intFromEnum(stage)) return error.InvalidPlan;
            stage = next;
            const record: *const schema.Record = @ptrCast(@alignCast(view.bytes.ptr + offset));
            offset += @sizeOf(schema.Record);
            if (offset + record.bytes > view.bytes.len) return error.InvalidPlan;
            const tag = std.enums.fromInt(schema.Tag, record.tag) orelse return error.InvalidPlan;
            switch (tag) {
                inline else => |known| {
                    const Payload = @FieldType(schema.Op, @tagName(known));
                    if (record.bytes != @sizeOf(Payload)) return error.InvalidPlan;
                    if (!types.allowsStage(Payload, stage)) return error.InvalidPlan;
                    try view.checkPayload(Payload, view.bytes[offset..][0..@sizeOf(Payload)]);
                },
            }
            offset += record.bytes;
        }
    }

    fn checkPayload(view: View, comptime Payload: type, bytes: []const u8) Error!void {
        inline for (std.meta.fields(Payload)) |field| {
            const at = bytes[@offsetOf(Payload, field.name)..][0..@sizeOf(field.type)];
            switch (field.type) {
                schema.Slot => {
                    const slot = std.mem.readInt(u32, at, .little);
                    const is_none = slot == @intFromEnum(schema.Slot.none);
                    if (slot >= schema.slots_max and !is_none) return error.InvalidPlan;
                },
                schema.Text => try view.checkText(std.mem.bytesToValue(schema.Text, at)),
                schema.Bytes => {
                    const range = std.mem.bytesToValue(schema.Bytes, at);
                    if (range.offset % 8 != 0) return error.InvalidPlan;
                    if (@as(
                        u64,
                        range.offset,
                    ) + range.bytes > view.bytes.len) return error.InvalidPlan;
                },
                schema.TextList => {
                    const list = std.mem.bytesToValue(schema.TextList, at);
                    if (list.offset % 8 != 0) return error.InvalidPlan;
                    if (list.offset + @as(
                        u64,
                        list.count,
                    ) * @sizeOf(schema.Text) > view.bytes.len) return error.InvalidPlan;
                    for (view.texts(list)) |entry| try view.checkText(entry);
                },
                schema.FileType => {
                    _ = std.enums.fromInt(schema.FileType, std.mem.readInt(u32, at, .little)) orelse
                        return error.InvalidPlan;
                },
                else => {},
            }
        }
    }

    fn checkText(view: View, at: schema.Text) Error!void {
        const end = @as(u64, at.offset) + at.bytes;
        if (end >= view.bytes.len or view.bytes[end] != 0) return error.InvalidPlan;
        if (std.mem.findScalar(u8, view.bytes[at.offset..end], 0) != null) return error.InvalidPlan;
    }
};

pub const Iterator = struct {
    view: View,
    offset: usize = @sizeOf(schema.Header),
    index: u32 = 0,

    pub fn next(iterator: *Iterator) ?Step {
        const view = iterator.view;
        if (iterator.index == view.header().operations) return null;
        const record: *const schema.Record = @ptrCast(@alignCast(view.bytes.ptr + iterator.offset));
        const payload = view.bytes[iterator.offset + @sizeOf(schema.Record) ..][0..record.bytes];
        const tag: schema.Tag = @enumFromInt(record.tag);
        const op: schema.Op = switch (tag) {
            inline else => |known| @unionInit(
                schema.Op,
                @tagName(known),
                std.mem.bytesToValue(@FieldType(schema.Op, @tagName(known)), payload),
            ),
        };
        const step: Step = .{ .index = iterator.index, .stage = record.stage, .op = op };
        iterator.offset += @sizeOf(schema.Record) + record.bytes;
        iterator.index += 1;
        return step;
    }
};
