//! The JSON line, built in one buffer and written when no clock runs.
const sys = @import("sys.zig");

var buffer: [1 << 18]u8 = undefined;
var length: usize = 0;

pub fn text(part: []const u8) void {
    if (length + part.len > buffer.len) flush();
    @memcpy(buffer[length..][0..part.len], part);
    length += part.len;
}

pub fn number(value: u64) void {
    var digits: [20]u8 = undefined;
    text(sys.decimal(&digits, value));
}

pub fn flush() void {
    var at: usize = 0;
    while (at < length) {
        const size = sys.raw(.write, .{ 1, buffer[at..].ptr, length - at });
        if (size <= 0) sys.exit(1);
        at += @intCast(size);
    }
    length = 0;
}

/// Nanoseconds as microseconds with one decimal.
fn microseconds(nanoseconds: u64) void {
    number(nanoseconds / 1000);
    text(".");
    number(nanoseconds % 1000 / 100);
}

pub fn samples(name: []const u8, values: []const u64) void {
    text(",\"");
    text(name);
    text("\":[");
    for (values, 0..) |value, index| {
        if (index > 0) text(",");
        microseconds(value);
    }
    text("]");
}

/// Means over the requests: `wall` beside the sum of timed calls on the critical path (launcher,
/// keeper, slowest container).
pub fn steps(name: []const u8, totals: anytype, ticks_per_us: u64) void {
    text(",\"");
    text(name);
    text("_steps_us\":{\"wall\":");
    microseconds(totals.wall_ns / totals.requests);
    var sum: u64 = totals.exec_ns / totals.requests;
    sum += entry("launcher", totals.launcher, totals.requests, ticks_per_us);
    text(",\"container.exec\":");
    microseconds(totals.exec_ns / totals.requests);
    inline for (.{ "keeper", "helper", "longest" }, .{
        "keeper.", "helper.", "container.",
    }) |field, prefix| {
        for (@field(totals, field), 0..) |value, index| {
            if (value == 0) continue;
            const step: sys.Step = @enumFromInt(index);
            var title: sys.Text = .of(&.{ prefix, @tagName(step) });
            const took = entry(title.slice(), value, totals.requests, ticks_per_us);
            if (step != .wait and field[0] != 'h') sum += took;
        }
    }
    text(",\"critical\":");
    microseconds(sum);
    text("}");
}

fn entry(name: []const u8, ticks: u64, requests: u64, ticks_per_us: u64) u64 {
    const took = ticks * 1000 / ticks_per_us / requests;
    text(",\"");
    text(name);
    text("\":");
    microseconds(took);
    return took;
}
