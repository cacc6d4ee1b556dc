//! What a container runs: its first instructions read the clock and write it, eight bytes, to
//! standard output. `stamp` waits then until it is killed; `stamp exit` ends. `stamp line` waits,
//! too, and writes digits and a newline, for whoever keeps what it writes as lines.
const sys = @import("sys.zig");

pub const panic = @import("std").debug.no_panic;
pub const _start = sys.start(entry);

comptime {
    @export(&_start, .{ .name = "_start" });
}

fn entry(stack: [*]const usize) callconv(.c) noreturn {
    const time = sys.nanoseconds();
    if (stack[0] > 1 and word(stack, 1)[0] == 'l') {
        var digits: [20]u8 = undefined;
        var line: [21]u8 = undefined;
        const text = sys.decimal(&digits, time);
        for (text, line[0..text.len]) |from, *to| to.* = from;
        line[text.len] = '\n';
        _ = sys.raw(.write, .{ 1, &line, text.len + 1 });
    } else {
        _ = sys.raw(.write, .{ 1, &time, 8 });
        if (stack[0] > 1) sys.exit(0);
    }
    // PID 1 of a namespace gets no signal that it has no handler for; only SIGKILL from outside
    // ends this.
    while (true) _ = sys.raw(.ppoll, .{ 0, 0, 0, 0, 8 });
}

fn word(stack: [*]const usize, index: usize) [*:0]const u8 {
    return @ptrFromInt(stack[1 + index]);
}
