//! One JSON line for each command, built in one buffer and written when no clock runs. Its keys are
//! the metrics of bench/metric.ts, its numbers microseconds where they are times.
const std = @import("std");
const sys = @import("sys.zig");
const trace_file = @import("trace.zig");

var buffer: [1 << 16]u8 = undefined;
var length: usize = 0;

const Series = struct { name: []const u8, count: u32, thousandths: [values_max]u64 };
pub const values_max = 65536;
var table: [16]Series = undefined;
var used: usize = 0;
var spans: u32 = 0;

/// A time in nanoseconds, or a thousandth of another unit.
pub fn add(name: []const u8, thousandths: u64) void {
    const series = for (table[0..used]) |*series| {
        if (std.mem.eql(u8, series.name, name)) break series;
    } else blk: {
        table[used].name = name;
        table[used].count = 0;
        used += 1;
        break :blk &table[used - 1];
    };
    if (series.count == values_max) return;
    series.thousandths[series.count] = thousandths;
    series.count += 1;
}

pub fn begin() void {
    used = 0;
    spans = 0;
    text("{\"spans\":[");
}

/// The calls between two readings of the counter.
pub fn span(
    name: []const u8,
    log: *const trace_file.Log,
    from: u64,
    to: u64,
    ticks_per_ms: u64,
) void {
    if (spans > 0) text(",");
    spans += 1;
    text("{\"span\":\"");
    text(name);
    text("\",\"wallNs\":");
    number((to - from) * 1_000_000 / ticks_per_ms);
    text(",\"calls\":[");
    for (log.slice(), 0..) |event, index| {
        if (index > 0) text(",");
        text("[");
        number(event.process);
        text(",\"");
        text(@tagName(event.step));
        text("\",\"");
        const call: sys.SYS = @enumFromInt(event.call);
        text(std.enums.tagName(sys.SYS, call) orelse "?");
        text("\",\"");
        text(@tagName(event.edge));
        text("\",");
        number(@intFromEnum(event.channel));
        for ([_]u64{ event.start, event.end }) |time| {
            text(",");
            // Signed: a keeper's wait begins before the request.
            if (time != 0 and time < from) text("-");
            const distance = if (time < from) from - time else time - from;
            if (time == 0) text("null") else number(distance * 1_000_000 / ticks_per_ms);
        }
        text("]");
    }
    text("]}");
}

pub fn end() void {
    text("]");
    for (table[0..used]) |*series| {
        text(",\"");
        text(series.name);
        text("\":[");
        for (series.thousandths[0..series.count], 0..) |value, index| {
            if (index > 0) text(",");
            number(value / 1000);
            text(".");
            number(value % 1000 / 100);
        }
        text("]");
    }
    text("}\n");
    flush();
}

fn text(part: []const u8) void {
    if (length + part.len > buffer.len) flush();
    @memcpy(buffer[length..][0..part.len], part);
    length += part.len;
}

fn number(value: u64) void {
    var digits: [20]u8 = undefined;
    text(sys.decimal(&digits, value));
}

fn flush() void {
    var at: usize = 0;
    while (at < length) {
        const size = sys.raw(.write, .{ 1, buffer[at..].ptr, length - at });
        if (size <= 0) sys.exit(1);
        at += @intCast(size);
    }
    length = 0;
}
