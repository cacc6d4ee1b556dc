//! Lines in the CRI's log format: `time stream F|P text` (kubernetes/cri-client, pkg/logs). Bytes
//! in, bytes out, no system call: all that containers write passes through here, once.

const std = @import("std");

pub const Which = enum(u8) { out, err };

/// The most text in one line of a log; the rest of a longer one is further lines.
pub const text_bytes_max = 16 << 10;
pub const stamp_bytes = "2024-02-29T12:34:56.000000007Z".len;
pub const prefix_bytes = stamp_bytes + " stdout F ".len;
const tag_at = prefix_bytes - "F ".len;

pub const Prefix = [prefix_bytes]u8;

/// What is copied, and searched for a newline, at once. Two registers of any x86-64 or arm64.
const Block = @Vector(32, u8);
const block_bytes = @typeInfo(Block).vector.len;
const newlines: Block = @splat('\n');

/// So far beyond the text's end is read; what is there does not matter.
pub const slack_bytes = block_bytes;
/// The room that a line may need, with the block that ends beyond it.
pub const line_bytes_max = prefix_bytes + text_bytes_max + block_bytes;

pub const Formatted = struct {
    /// Of the text.
    taken: usize,
    /// Of the space.
    filled: usize,
};

/// As many lines as the space surely holds. A text that does not end in a newline ends in a part.
pub fn format(space: []u8, text: []const u8, prefix: *const Prefix) Formatted {
    const begin = prefix.*;
    var taken: usize = 0;
    var filled: usize = 0;
    while (taken < text.len and space.len - filled >= line_bytes_max) {
        const line = space.ptr + filled;
        line[0..prefix_bytes].* = begin;
        const length_max = @min(text.len - taken, text_bytes_max);
        const length = copyLine(line + prefix_bytes, text.ptr + taken, length_max);
        const is_whole = length < length_max;
        if (!is_whole) line[tag_at] = 'P';
        line[prefix_bytes + length] = '\n';
        filled += prefix_bytes + length + 1;
        taken += length + @intFromBool(is_whole);
    }
    return .{ .taken = taken, .filled = filled };
}

/// Search and copy in one pass. The length up to the newline, or all there is without one.
inline fn copyLine(to: [*]u8, from: [*]const u8, length_max: usize) usize {
    var at: usize = 0;
    while (at < length_max) : (at += block_bytes) {
        const block: Block = from[at..][0..block_bytes].*;
        to[at..][0..block_bytes].* = block;
        const found: u32 = @bitCast(block == newlines);
        if (found != 0) return @min(at + @ctz(found), length_max);
    }
    return length_max;
}

/// The second of the last stamp, whose digits need no second calculation.
const Second = struct {
    number: i64 = -1,
    text: [stamp_bytes]u8 = "0000-00-00T00:00:00.000000000Z".*,
};
var last: Second = .{};

/// RFC 3339 in UTC with all nine digits, so that lines sort as text.
pub fn formatPrefix(time_ns: i64, which: Which) Prefix {
    const second = @divFloor(time_ns, std.time.ns_per_s);
    if (second != last.number) last = .{ .number = second, .text = formatSecond(second) };
    putDigits(last.text[20..29], @intCast(time_ns - second * std.time.ns_per_s));
    return last.text ++ switch (which) {
        .out => " stdout F ",
        .err => " stderr F ",
    }.*;
}

fn formatSecond(second: i64) [stamp_bytes]u8 {
    const epoch: std.time.epoch.EpochSeconds = .{ .secs = @intCast(second) };
    const year_day = epoch.getEpochDay().calculateYearDay();
    const month_day = year_day.calculateMonthDay();
    const day_seconds = epoch.getDaySeconds();
    var text: [stamp_bytes]u8 = "0000-00-00T00:00:00.000000000Z".*;
    putDigits(text[0..4], year_day.year);
    putDigits(text[5..7], month_day.month.numeric());
    putDigits(text[8..10], month_day.day_index + 1);
    putDigits(text[11..13], day_seconds.getHoursIntoDay());
    putDigits(text[14..16], day_seconds.getMinutesIntoHour());
    putDigits(text[17..19], day_seconds.getSecondsIntoMinute());
    return text;
}

fn putDigits(to: []u8, number: u32) void {
    var rest = number;
    var place = to.len;
    while (place > 0) {
        place -= 1;
        to[place] = '0' + @as(u8, @intCast(rest % 10));
        rest /= 10;
    }
}

test "a time is RFC 3339 with nine digits, within one second and the next" {
    const times = [_]struct { i64, []const u8 }{
        .{ 1_709_210_096_000_000_007, "2024-02-29T12:34:56.000000007Z stdout F " },
        .{ 1_709_210_096_999_999_999, "2024-02-29T12:34:56.999999999Z stdout F " },
        .{ 1_709_210_097_000_000_000, "2024-02-29T12:34:57.000000000Z stdout F " },
        // Clocks are set back.
        .{ 1_709_210_095_123_456_789, "2024-02-29T12:34:55.123456789Z stdout F " },
    };
    for (times) |time| {
        try std.testing.expectEqualStrings(time[1], &formatPrefix(time[0], .out));
    }
    const err = formatPrefix(0, .err);
    try std.testing.expectEqualStrings("1970-01-01T00:00:00.000000000Z stderr F ", &err);
}

test "lines of every length around a block and around the longest, whole and cut off" {
    const prefix = formatPrefix(0, .out);
    var text: [2 * text_bytes_max + slack_bytes]u8 = undefined;
    var space: [3 * line_bytes_max]u8 = undefined;
    var expected: [3 * line_bytes_max]u8 = undefined;
    const spans = [_][2]usize{
        .{ 0, 3 * block_bytes },
        .{ text_bytes_max - block_bytes - 1, text_bytes_max + block_bytes + 1 },
    };
    for (spans) |span| for (span[0]..span[1]) |length| for ([_]bool{ false, true }) |is_whole| {
        // Behind the text are newlines that are none of its own.
        @memset(&text, '\n');
        @memset(text[0..length], 'x');
        const text_bytes = length + @intFromBool(is_whole);
        const result = format(&space, text[0..text_bytes], &prefix);
        try std.testing.expectEqual(text_bytes, result.taken);
        const filled = formatSimply(&expected, text[0..text_bytes], &prefix);
        try std.testing.expectEqualStrings(expected[0..filled], space[0..result.filled]);
    };
}

test "no more than the space holds, and the rest when asked again" {
    const prefix = formatPrefix(0, .err);
    var text: [4096 + slack_bytes]u8 = undefined;
    for (&text, 0..) |*byte, index| byte.* = if (index * index % 7 == 1) '\n' else 'a';
    var space: [line_bytes_max + 4096]u8 = undefined;
    var together: [64 << 10]u8 = undefined;
    var taken: usize = 0;
    var filled: usize = 0;
    while (taken < 4096) {
        const result = format(&space, text[taken..4096], &prefix);
        try std.testing.expect(result.taken > 0 and result.filled <= space.len);
        @memcpy(together[filled..][0..result.filled], space[0..result.filled]);
        taken += result.taken;
        filled += result.filled;
    }
    var expected: [64 << 10]u8 = undefined;
    const whole = formatSimply(&expected, text[0..4096], &prefix);
    try std.testing.expectEqualStrings(expected[0..whole], together[0..filled]);
}

/// The same by the letter of the format, a byte at a time.
fn formatSimply(space: []u8, text: []const u8, prefix: *const Prefix) usize {
    var filled: usize = 0;
    var line_at: usize = 0;
    var is_open = false;
    for (text) |byte| {
        if (!is_open) {
            line_at = filled;
            @memcpy(space[filled..][0..prefix_bytes], prefix);
            filled += prefix_bytes;
            is_open = true;
        }
        space[filled] = byte;
        filled += 1;
        const is_cut = filled - line_at == prefix_bytes + text_bytes_max;
        if (byte != '\n' and !is_cut) continue;
        if (byte != '\n') {
            space[line_at + tag_at] = 'P';
            space[filled] = '\n';
            filled += 1;
        }
        is_open = false;
    }
    if (!is_open) return filled;
    space[line_at + tag_at] = 'P';
    space[filled] = '\n';
    return filled + 1;
}
