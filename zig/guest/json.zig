//! The answers: one line of JSON for each command, through one fixed buffer.

const std = @import("std");
const sys = @import("sys.zig");

var buffer: [8192]u8 = undefined;
var used: usize = 0;
var asked: sys.Words = &.{};
var is_answering = false;
var needs_comma = false;

/// The command whose answer may follow. Most behaviours give none.
pub fn ask(words: sys.Words) void {
    asked = words;
    is_answering = false;
}

/// Starts the line; exactly one value must follow.
pub fn answer() void {
    beginLine();
    key("answer");
    is_answering = true;
}

pub fn finish() void {
    if (is_answering) endLine();
}

pub fn fail(errno: @TypeOf(sys.last_error)) void {
    if (is_answering) return endLine();
    beginLine();
    key("error");
    errorName(errno);
    endLine();
}

fn beginLine() void {
    objectStart();
    key("ask");
    separate();
    raw("\"");
    for (asked, 0..) |word, index| {
        if (index > 0) raw(" ");
        escape(std.mem.span(word));
    }
    raw("\"");
    needs_comma = true;
}

fn endLine() void {
    is_answering = false;
    objectEnd();
    needs_comma = false;
    raw("\n");
    flush();
}

pub fn objectStart() void {
    start("{");
}

pub fn objectEnd() void {
    end("}");
}

pub fn arrayStart() void {
    start("[");
}

pub fn arrayEnd() void {
    end("]");
}

pub fn key(name: []const u8) void {
    string(name);
    raw(":");
    needs_comma = false;
}

pub fn string(text: []const u8) void {
    separate();
    raw("\"");
    escape(text);
    raw("\"");
    needs_comma = true;
}

/// A number, a statement, or a text, by its type.
pub fn field(name: []const u8, content: anytype) void {
    key(name);
    switch (@typeInfo(@TypeOf(content))) {
        .int, .comptime_int => number(content),
        .bool => boolean(content),
        else => string(content),
    }
}

/// Numbers beyond 2^53 would lose their last digits in JavaScript: callers choose units that fit.
pub fn number(content: anytype) void {
    var digits: [24]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&digits);
    writer.printInt(@as(i64, @intCast(content)), 10, .lower, .{}) catch unreachable;
    literal(writer.buffered());
}

pub fn octal(content: u32) void {
    var digits: [12]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&digits);
    writer.printInt(content, 8, .lower, .{ .width = 4, .fill = '0' }) catch unreachable;
    string(writer.buffered());
}

pub fn errorName(errno: @TypeOf(sys.last_error)) void {
    separate();
    raw("\"E");
    raw(sys.errorName(errno));
    raw("\"");
    needs_comma = true;
}

pub fn boolean(content: bool) void {
    literal(if (content) "true" else "false");
}

/// `null` stands for what the kernel does not have or does not show.
pub fn nothing() void {
    literal("null");
}

fn literal(text: []const u8) void {
    separate();
    raw(text);
    needs_comma = true;
}

fn start(bracket: []const u8) void {
    separate();
    raw(bracket);
    needs_comma = false;
}

fn end(bracket: []const u8) void {
    raw(bracket);
    needs_comma = true;
}

fn separate() void {
    if (needs_comma) raw(",");
}

/// Bytes that are not UTF-8 become the code point of the same number: every file has a JSON form.
fn escape(text: []const u8) void {
    var at: usize = 0;
    while (at < text.len) {
        const byte = text[at];
        if (byte == '"' or byte == '\\') {
            raw(&.{ '\\', byte });
            at += 1;
        } else if (byte < 0x20 or byte == 0x7f or (byte >= 0x80 and runeLength(text[at..]) == 0)) {
            raw(&.{ '\\', 'u', '0', '0', hex(byte >> 4), hex(byte & 15) });
            at += 1;
        } else {
            const length = if (byte < 0x80) 1 else runeLength(text[at..]);
            raw(text[at .. at + length]);
            at += length;
        }
    }
}

fn runeLength(text: []const u8) usize {
    const length = std.unicode.utf8ByteSequenceLength(text[0]) catch return 0;
    if (length > text.len or !std.unicode.utf8ValidateSlice(text[0..length])) return 0;
    return length;
}

fn hex(nibble: u8) u8 {
    return "0123456789abcdef"[nibble];
}

fn raw(text: []const u8) void {
    for (text) |byte| {
        if (used == buffer.len) flush();
        buffer[used] = byte;
        used += 1;
    }
}

fn flush() void {
    sys.writeAll(1, buffer[0..used]);
    used = 0;
}
