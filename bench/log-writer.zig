//! What the benchmark of logs runs: as a container's program a writer of lines, or that writer with
//! the least that could take its lines, a loop that moves a pipe's bytes to files.
//!   log-writer write LINE_BYTES LINES WRITE_BYTES
//!   log-writer copy|splice|longer LINE_BYTES LINES WRITE_BYTES DIRECTORY
//! `longer` copies, and writes as many bytes as if every line had got a prefix.

const std = @import("std");
const linux = std.os.linux;

/// As peapod keeps logs unless told otherwise, so that the disk has the same to do.
const file_bytes_max = 10 << 20;
const files_max = 5;

pub fn main(init: std.process.Init.Minimal) u8 {
    var words = init.args.iterate();
    _ = words.skip();
    const command = words.next() orelse return 2;
    var numbers: [3]u64 = undefined;
    for (&numbers) |*number| {
        number.* = std.fmt.parseInt(u64, words.next() orelse return 2, 10) catch return 2;
    }
    const directory = words.next();
    const how = std.meta.stringToEnum(How, command) orelse .copy;
    if (directory) |path| if (startWriter()) return pump(path, how, numbers[0]);
    return writeLines(numbers[0], numbers[1], numbers[2]);
}

/// False in the writer: its standard output is the pipe that is its parent's standard input.
fn startWriter() bool {
    var ends: [2]i32 = undefined;
    _ = linux.pipe2(&ends, .{ .CLOEXEC = true });
    const is_writer = linux.fork() == 0;
    const when_parent_ends = @intFromEnum(linux.PR.SET_PDEATHSIG);
    if (is_writer) _ = linux.prctl(when_parent_ends, @intFromEnum(linux.SIG.KILL), 0, 0, 0);
    _ = if (is_writer) linux.dup2(ends[1], 1) else linux.dup2(ends[0], 0);
    for (ends) |end| _ = linux.close(end);
    return !is_writer;
}

var lines: [2 << 20]u8 align(4096) = undefined;

/// Whole lines in every write, one at least. The report is a last line on standard output; then the
/// writer stays, so that whoever measures can look at the processes as they are.
fn writeLines(line_bytes: u64, count: u64, write_bytes: u64) u8 {
    const per_write = @max(1, write_bytes / line_bytes);
    if (line_bytes < 1 or per_write * line_bytes > lines.len) return 2;
    for (0..per_write) |index| fillLine(lines[index * line_bytes ..][0..line_bytes]);

    // What starts a container is over by then, and the measurement has looked at its clocks.
    sleepMs(250);
    var stall_ns: u64 = 0;
    var left = count;
    const start = now();
    var before = start;
    while (left > 0) {
        const batch = @min(left, per_write);
        if (!writeAll(lines[0 .. batch * line_bytes])) return 1;
        left -= batch;
        const after = now();
        stall_ns = @max(stall_ns, after - before);
        before = after;
    }
    var text: [128]u8 = undefined;
    const report = std.fmt.bufPrint(
        &text,
        "\n{{\"elapsedNs\":{d},\"stallNs\":{d}}}\n",
        .{ before - start, stall_ns },
    ) catch return 1;
    if (!writeAll(report)) return 1;
    while (true) sleepMs(1000);
}

/// Printable, and not the same everywhere.
fn fillLine(line: []u8) void {
    for (line, 0..) |*byte, index| byte.* = ' ' + 1 + @as(u8, @intCast(index % 90));
    line[line.len - 1] = '\n';
}

const How = enum { copy, splice, longer };

fn pump(directory: [:0]const u8, how: How, line_bytes: u64) u8 {
    const rc = linux.open(directory, .{ .DIRECTORY = true, .CLOEXEC = true }, 0);
    if (linux.errno(rc) != .SUCCESS) return 1;
    const folder: i32 = @intCast(rc);
    var number: u8 = 0;
    while (true) : (number = (number + 1) % files_max) {
        const name = [_:0]u8{'0' + number};
        // ext4 writes out a file at once that was emptied and filled again (man 5 ext4,
        // auto_da_alloc).
        _ = linux.unlinkat(folder, &name, 0);
        // Not for appending: splice refuses that.
        const opened = linux.openat(folder, &name, .{
            .ACCMODE = .WRONLY,
            .CREAT = true,
            .EXCL = true,
            .CLOEXEC = true,
        }, 0o640);
        if (linux.errno(opened) != .SUCCESS) return 1;
        const file: i32 = @intCast(opened);
        defer _ = linux.close(file);
        var filled: usize = 0;
        while (filled < file_bytes_max) {
            const moved = switch (how) {
                .copy => copy(file, null),
                .splice => splice(file),
                .longer => copy(file, line_bytes),
            };
            if (moved == 0) return 0;
            filled += moved;
        }
    }
}

const turn_bytes_max = 64 << 10;

const prefix_bytes = "2024-02-29T12:34:56.000000007Z stdout F ".len;

/// The answer is what was written; nothing at the end.
fn copy(file: i32, line_bytes: ?u64) usize {
    const text_at = lines.len / 2;
    const rc = linux.read(0, lines[text_at..].ptr, turn_bytes_max);
    if (linux.errno(rc) != .SUCCESS or rc == 0) return 0;
    const prefixes = if (line_bytes) |bytes| rc / bytes * prefix_bytes else 0;
    const begin = text_at -| prefixes;
    var rest = lines[begin .. text_at + rc];
    while (rest.len > 0) {
        const written = linux.write(file, rest.ptr, rest.len);
        if (linux.errno(written) != .SUCCESS) return 0;
        rest = rest[written..];
    }
    return text_at + rc - begin;
}

fn splice(file: i32) usize {
    const rc = linux.syscall6(.splice, 0, 0, @intCast(file), 0, turn_bytes_max, 0);
    return if (linux.errno(rc) == .SUCCESS) rc else 0;
}

fn writeAll(bytes: []const u8) bool {
    var done: usize = 0;
    while (done < bytes.len) {
        const rc = linux.write(1, bytes[done..].ptr, bytes.len - done);
        if (linux.errno(rc) != .SUCCESS) return false;
        done += rc;
    }
    return true;
}

fn now() u64 {
    var time: linux.timespec = undefined;
    _ = linux.clock_gettime(.MONOTONIC, &time);
    return @as(u64, @intCast(time.sec)) * std.time.ns_per_s + @as(u64, @intCast(time.nsec));
}

fn sleepMs(ms: u32) void {
    const time: linux.timespec = .{ .sec = ms / 1000, .nsec = ms % 1000 * std.time.ns_per_ms };
    _ = linux.nanosleep(&time, null);
}
