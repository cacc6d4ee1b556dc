//! Output to files in the CRI's log format. One read in, one write out, no copy kept; nothing is
//! lost unless the plan says that a full disk may drop lines.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const keeper_file = @import("keeper.zig");
const mounts = @import("../executor/mounts.zig");
const lines = @import("lines.zig");
const record = @import("record.zig");
const leave = @import("leave.zig");
const Keeper = keeper_file.Keeper;
const Process = keeper_file.Process;
const Which = lines.Which;
const linux = calls.linux;
const assert = std.debug.assert;

/// What a pipe holds that `pace.zig` has widened.
pub const read_bytes_max = 128 << 10;
/// Written when it is full: several times for one read of short lines.
const write_bytes_max = 128 << 10;

/// Used by one stream at a time. An idle keeper has no memory in them: whole pages, so that nothing
/// else is given back with them.
var input: [read_bytes_max + 4096]u8 align(4096) = undefined;
var output: [write_bytes_max]u8 align(4096) = undefined;
comptime {
    assert(lines.slack_bytes <= 4096 and input.len % 4096 == 0 and output.len % 4096 == 0);
}
var are_used = false;
/// Monotonic; when they are given back to the kernel, 0 for never.
var relax_ns: i64 = 0;

/// Empty at the end of the stream.
pub fn read(fd: i32) []const u8 {
    return readSome(fd, read_bytes_max) orelse "";
}

/// Null when there is nothing now. A terminal whose last writer has gone says EIO: its end.
pub fn readSome(fd: i32, bytes_max: usize) ?[]const u8 {
    are_used = true;
    while (true) {
        const rc = linux.read(fd, &input, @min(bytes_max, read_bytes_max));
        switch (linux.errno(rc)) {
            .SUCCESS => return input[0..rc],
            .INTR => continue,
            .AGAIN => return null,
            else => return "",
        }
    }
}

/// Also while output goes on: a few page faults a second cost nothing, and a container that writes
/// a little now and then must not keep what a burst took.
pub fn onTime(now: i64) void {
    if (!are_used) return;
    if (relax_ns == 0) relax_ns = now + std.time.ns_per_s;
    if (now < relax_ns) return;
    _ = linux.madvise(&input, input.len, linux.MADV.DONTNEED);
    _ = linux.madvise(&output, output.len, linux.MADV.DONTNEED);
    are_used = false;
    relax_ns = 0;
}

/// Monotonic; 0 for never.
pub fn wakeNs() i64 {
    return relax_ns;
}

/// What `read` has just brought.
pub fn append(keeper: *Keeper, process: *Process, which: Which, bytes: []const u8) void {
    if (!process.log.file.isOpen()) return;
    const prefix = lines.formatPrefix(calls.clock_gettime_ns(calls.CLOCK_REALTIME), which);
    var rest = bytes;
    while (rest.len > 0) {
        const formatted = lines.format(&output, rest, &prefix);
        writeAll(keeper, process, which, output[0..formatted.filled]);
        rest = rest[formatted.taken..];
    }
}

/// Whole lines, into as many files as they fill.
fn writeAll(keeper: *Keeper, process: *Process, which: Which, bytes: []const u8) void {
    var rest = bytes;
    while (rest.len > 0) {
        var size = sizeThatFits(process, rest);
        if (size == 0 and !rotate(process)) size = rest.len;
        if (size > 0) writeOut(keeper, process, which, rest[0..size]);
        rest = rest[size..];
    }
}

/// Whole lines that the file has room for; 0 when a new one is due.
fn sizeThatFits(process: *const Process, bytes: []const u8) usize {
    // What is held may begin with the rest of a line, which belongs into the same file.
    if (process.held_bytes > 0) return bytes.len;
    const room = process.log.bytes_max -| process.log_bytes;
    if (bytes.len <= room) return bytes.len;
    if (std.mem.findScalarLast(u8, bytes[0..room], '\n')) |end| return end + 1;
    if (process.log_bytes > 0) return 0;
    // A line that no file has room for has one for itself.
    return if (std.mem.findScalar(u8, bytes, '\n')) |end| end + 1 else bytes.len;
}

fn writeOut(keeper: *Keeper, process: *Process, which: Which, bytes: []const u8) void {
    if (process.log_torn) process.log_torn = writeSome(process, "\n") == 0;
    if (process.lines_unreported > 0 and !process.log_torn) reportDropped(process, bytes);
    const blocked = process.held_bytes > 0 or process.log_torn;
    const written = if (blocked) 0 else writeSome(process, bytes);
    if (written == bytes.len) return;
    if (!process.log.drop_when_full) return hold(keeper, process, which, bytes[written..]);
    const dropped: u32 = @intCast(std.mem.countScalar(u8, bytes[written..], '\n'));
    process.lines_dropped += dropped;
    process.lines_unreported += dropped;
    // Half a line would run into the next one.
    if (written > 0 and bytes[written - 1] != '\n') process.log_torn = true;
    record.write(keeper, process);
}

/// A line of our own says what is missing, with the time of the line that follows it.
fn reportDropped(process: *Process, next: []const u8) void {
    var line: [128]u8 = undefined;
    var digits: [16]u8 = undefined;
    const parts = [_][]const u8{
        next[0..lines.stamp_bytes],
        " stderr F [peapod: lines lost to a full disk: ",
        mounts.format(&digits, process.lines_unreported, 10),
        "]\n",
    };
    var end: usize = 0;
    for (parts) |part| {
        @memcpy(line[end..][0..part.len], part);
        end += part.len;
    }
    const written = writeSome(process, line[0..end]);
    if (written == end) process.lines_unreported = 0 else process.log_torn = written > 0;
}

fn writeSome(process: *Process, bytes: []const u8) usize {
    var done: usize = 0;
    while (done < bytes.len) {
        const rc = linux.write(process.log.file.raw, bytes.ptr + done, bytes.len - done);
        switch (linux.errno(rc)) {
            .SUCCESS => done += rc,
            .INTR => continue,
            else => break, // ENOSPC, EDQUOT, EIO: the disk's affair; we try again later.
        }
    }
    process.log_bytes += done;
    return done;
}

/// The stream is not read until this has been written, so its writer waits when the pipe is full.
/// One place for both streams: the rest of one's line must not get the other's into its middle.
fn hold(keeper: *Keeper, process: *Process, which: Which, bytes: []const u8) void {
    const size = process.held_bytes + bytes.len;
    if (size > process.held.len) {
        const memory = keeper_file.map(size, false) orelse return;
        @memcpy(memory[0..process.held_bytes], process.held[0..process.held_bytes]);
        if (process.held.len > 0) keeper_file.unmap(process.held);
        process.held = memory;
    }
    @memcpy(process.held[process.held_bytes..size], bytes);
    process.held_bytes = @intCast(size);
    const source = sourceOf(process, which);
    if (source >= 0) keeper_file.unwatch(keeper, source);
    keeper.log_retry_ns = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC) + std.time.ns_per_s / 4;
}

fn sourceOf(process: *Process, which: Which) i32 {
    if (process.terminal.isOpen()) return process.terminal.raw;
    return if (which == .out) process.out.raw else process.err.raw;
}

/// After a full disk: what is held goes first, then its streams are read again.
pub fn retry(keeper: *Keeper) void {
    keeper.log_retry_ns = 0;
    for (keeper.used()) |*process| {
        if (process.state == .free or process.held_bytes == 0) continue;
        const written = writeSome(process, process.held[0..process.held_bytes]);
        const rest = process.held[written..process.held_bytes];
        std.mem.copyForwards(u8, process.held, rest);
        process.held_bytes = @intCast(rest.len);
        if (rest.len > 0) {
            const now = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC);
            keeper.log_retry_ns = now + std.time.ns_per_s / 4;
            leave.finish(keeper, process);
            continue;
        }
        keeper_file.unmap(process.held);
        process.held = &.{};
        for ([_]Which{ .out, .err }) |which| {
            const pipe: keeper_file.Source = if (which == .out) .out else .err;
            const source = if (process.terminal.isOpen()) .terminal else pipe;
            const fd = sourceOf(process, which);
            const index = keeper.indexOf(process);
            if (fd >= 0) keeper_file.watch(keeper, fd, source, index, linux.EPOLL.IN);
        }
    }
}

/// `n.log` becomes `n.log.1`, that one `n.log.2`, and the oldest goes. A reader keeps its
/// descriptor and misses nothing. False when there is no new file: then nothing has been renamed,
/// and the present file goes on being written.
fn rotate(process: *Process) bool {
    const directory = process.log_directory.raw;
    const base = std.mem.sliceTo(&process.log.name, 0);
    var buffers: [2][128]u8 = undefined;
    const next = named(&buffers[0], base, "next");
    const flags = calls.O_CREAT | calls.O_WRONLY | calls.O_APPEND |
        calls.O_CLOEXEC | calls.O_NOFOLLOW | calls.O_TRUNC;
    const rc = calls.openat(directory, next, flags, 0o640);
    if (linux.errno(rc) != .SUCCESS) return false;

    var older = process.log.files_max -| 1;
    // Not left to rename: ext4 writes out at once what takes another file's place (man 5 ext4,
    // auto_da_alloc), and every writer would wait for the disk.
    _ = linux.unlinkat(directory, numbered(&buffers[1], base, older), 0);
    while (older > 0) : (older -= 1) {
        const from = numbered(&buffers[0], base, older - 1);
        _ = linux.renameat(directory, from, directory, numbered(&buffers[1], base, older));
    }
    _ = linux.renameat(
        directory,
        named(&buffers[0], base, "next"),
        directory,
        numbered(&buffers[1], base, 0),
    );
    process.log.file.close();
    process.log.file = .from(rc);
    process.log_bytes = 0;
    return true;
}

/// The file being written has no number.
fn numbered(buffer: *[128]u8, base: []const u8, number: u32) [:0]const u8 {
    var digits: [16]u8 = undefined;
    return named(buffer, base, if (number == 0) "" else mounts.format(&digits, number, 10));
}

fn named(buffer: *[128]u8, base: []const u8, ending: []const u8) [:0]const u8 {
    @memcpy(buffer[0..base.len], base);
    var length = base.len;
    if (ending.len > 0) {
        buffer[length] = '.';
        @memcpy(buffer[length + 1 ..][0..ending.len], ending);
        length += 1 + ending.len;
    }
    buffer[length] = 0;
    return buffer[0..length :0];
}
