//! Output to files in the CRI's log format: `time stream F|P text`, one line each
//! (kubernetes/cri-client, pkg/logs). One read in, one write out, no copy kept; nothing is lost
//! unless the plan says that a full disk may drop lines.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const keeper_file = @import("keeper.zig");
const mounts = @import("../executor/mounts.zig");
const record = @import("record.zig");
const stream_file = @import("stream.zig");
const leave = @import("leave.zig");
const Keeper = keeper_file.Keeper;
const Process = keeper_file.Process;
const Which = stream_file.Which;
const linux = calls.linux;

pub const read_bytes_max = 64 << 10;
const write_bytes_max = 128 << 10;
const line_bytes_max = 16 << 10;
const stamp_bytes = 30;
/// Stamp, space, stream, space, tag, space, newline.
const prefix_bytes_max = stamp_bytes + 1 + 6 + 1 + 1 + 1 + 1;

/// Used by one stream at a time; given back to the kernel when the keeper falls idle.
var input: [read_bytes_max]u8 align(4096) = undefined;
var output: [write_bytes_max]u8 align(4096) = undefined;
var dirty = false;

/// Empty at the end of the stream.
pub fn read(fd: i32) []const u8 {
    return readSome(fd, read_bytes_max) orelse "";
}

/// Null when there is nothing now. A terminal whose last writer has gone says EIO: its end.
pub fn readSome(fd: i32, bytes_max: usize) ?[]const u8 {
    dirty = true;
    while (true) {
        const rc = linux.read(fd, &input, @min(bytes_max, input.len));
        switch (linux.errno(rc)) {
            .SUCCESS => return input[0..rc],
            .INTR => continue,
            .AGAIN => return null,
            else => return "",
        }
    }
}

pub fn isDirty() bool {
    return dirty;
}

pub fn relax() void {
    _ = linux.madvise(&input, input.len, linux.MADV.DONTNEED);
    _ = linux.madvise(&output, output.len, linux.MADV.DONTNEED);
    dirty = false;
}

pub fn append(keeper: *Keeper, process: *Process, which: Which, bytes: []const u8) void {
    if (!process.log.file.isOpen()) return;
    var stamp: [stamp_bytes]u8 = undefined;
    formatTime(&stamp, calls.clock_gettime_ns(calls.CLOCK_REALTIME));
    var rest = bytes;
    while (rest.len > 0) {
        var end: usize = 0;
        while (rest.len > 0 and output.len - end >= prefix_bytes_max + line_bytes_max) {
            const newline = std.mem.findScalar(u8, rest[0..@min(rest.len, line_bytes_max)], '\n');
            const text = rest[0 .. newline orelse @min(rest.len, line_bytes_max)];
            end += formatLine(output[end..], &stamp, which, newline != null, text);
            rest = rest[text.len + @intFromBool(newline != null) ..];
        }
        writeOut(keeper, process, which, output[0..end]);
    }
}

fn formatLine(
    space: []u8,
    stamp: *const [stamp_bytes]u8,
    which: Which,
    whole: bool,
    text: []const u8,
) usize {
    @memcpy(space[0..stamp_bytes], stamp);
    const middle = switch (which) {
        .out => if (whole) " stdout F " else " stdout P ",
        .err => if (whole) " stderr F " else " stderr P ",
    };
    @memcpy(space[stamp_bytes..][0..middle.len], middle);
    @memcpy(space[stamp_bytes + middle.len ..][0..text.len], text);
    const length = stamp_bytes + middle.len + text.len;
    space[length] = '\n';
    return length + 1;
}

fn writeOut(keeper: *Keeper, process: *Process, which: Which, bytes: []const u8) void {
    const is_full = process.log_bytes + bytes.len > process.log.bytes_max;
    // What is held may begin with the rest of a line, which belongs into the same file.
    if (process.log_bytes > 0 and is_full and process.held_bytes == 0) rotate(process);
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
        next[0..stamp_bytes],
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
/// descriptor and misses nothing.
fn rotate(process: *Process) void {
    const directory = process.log_directory.raw;
    const base = std.mem.sliceTo(&process.log.name, 0);
    var older = process.log.files_max -| 1;
    while (older > 0) : (older -= 1) {
        var from: [128]u8 = undefined;
        var to: [128]u8 = undefined;
        const source = if (older == 1) numbered(&from, base, 0) else numbered(
            &from,
            base,
            older - 1,
        );
        _ = linux.renameat(directory, source, directory, numbered(&to, base, older));
    }
    const flags = calls.O_CREAT | calls.O_WRONLY | calls.O_APPEND |
        calls.O_CLOEXEC | calls.O_NOFOLLOW | calls.O_TRUNC;
    var name: [128]u8 = undefined;
    const rc = calls.openat(directory, numbered(&name, base, 0), flags, 0o640);
    // The renamed file goes on being written; the next line tries again.
    if (linux.errno(rc) != .SUCCESS) return;
    process.log.file.close();
    process.log.file = .from(rc);
    process.log_bytes = 0;
}

fn numbered(buffer: *[128]u8, base: []const u8, number: u32) [:0]const u8 {
    @memcpy(buffer[0..base.len], base);
    var length = base.len;
    if (number > 0) {
        var digits: [16]u8 = undefined;
        const text = mounts.format(&digits, number, 10);
        buffer[length] = '.';
        @memcpy(buffer[length + 1 ..][0..text.len], text);
        length += 1 + text.len;
    }
    buffer[length] = 0;
    return buffer[0..length :0];
}

/// RFC 3339 in UTC with all nine digits, so that lines sort as text.
pub fn formatTime(buffer: *[stamp_bytes]u8, time_ns: i64) void {
    const seconds: u64 = @intCast(@divFloor(time_ns, std.time.ns_per_s));
    const epoch: std.time.epoch.EpochSeconds = .{ .secs = seconds };
    const year_day = epoch.getEpochDay().calculateYearDay();
    const month_day = year_day.calculateMonthDay();
    const day_seconds = epoch.getDaySeconds();
    const parts = [_]struct { u64, u8, u8 }{
        .{ year_day.year, 4, '-' },
        .{ month_day.month.numeric(), 2, '-' },
        .{ month_day.day_index + 1, 2, 'T' },
        .{ day_seconds.getHoursIntoDay(), 2, ':' },
        .{ day_seconds.getMinutesIntoHour(), 2, ':' },
        .{ day_seconds.getSecondsIntoMinute(), 2, '.' },
        .{ @intCast(@mod(time_ns, std.time.ns_per_s)), 9, 'Z' },
    };
    var at: usize = 0;
    for (parts) |part| {
        var rest = part[0];
        var place = at + part[1];
        while (place > at) {
            place -= 1;
            buffer[place] = '0' + @as(u8, @intCast(rest % 10));
            rest /= 10;
        }
        buffer[at + part[1]] = part[2];
        at += part[1] + 1;
    }
}

test "a time is RFC 3339 with nine digits" {
    var buffer: [stamp_bytes]u8 = undefined;
    formatTime(&buffer, 1_709_210_096_000_000_007);
    try std.testing.expectEqualStrings("2024-02-29T12:34:56.000000007Z", &buffer);
}
