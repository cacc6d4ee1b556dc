//! Control groups by descriptor: writing a file, ending everything inside, removing.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const report_file = @import("report.zig");
const Report = report_file.Report;
const linux = calls.linux;
const check = report_file.check;

pub fn write(
    report: *Report,
    directory: i32,
    file: [*:0]const u8,
    value: []const u8,
) error{Syscall}!void {
    const flags = calls.O_WRONLY | calls.O_CLOEXEC | calls.O_NOFOLLOW;
    const fd: Fd = .from(try check(report, .openat, calls.openat(directory, file, flags, 0)));
    defer fd.close();

    _ = try check(report, .write, linux.write(fd.raw, value.ptr, value.len));
}

/// SIGKILL to every process below, race-free against forks (5.14).
pub fn kill(directory: i32) void {
    var report: Report = .{};
    write(&report, directory, "cgroup.kill", "1") catch {};
}

/// Kills what is inside and removes the group with the groups below it. EBUSY while the last
/// processes go: the caller retries.
pub fn remove(report: *Report, parent: i32, name: [:0]const u8) error{Syscall}!void {
    switch (linux.errno(calls.unlinkat(parent, name, calls.AT_REMOVEDIR))) {
        .SUCCESS, .NOENT => return, // Empty already, as after most exits.
        else => {},
    }
    const flags = calls.O_RDONLY | calls.O_DIRECTORY | calls.O_CLOEXEC | calls.O_NOFOLLOW;
    const rc = calls.openat(parent, name, flags, 0);
    if (linux.errno(rc) == .NOENT) return;
    const directory: Fd = .from(try check(report, .openat, rc));
    defer directory.close();

    kill(directory.raw);
    try removeChildren(report, directory.raw, 0);
    const removed = calls.unlinkat(parent, name, calls.AT_REMOVEDIR);
    if (linux.errno(removed) != .NOENT) _ = try check(report, .unlinkat, removed);
}

/// peapod nests at most root, pod, container, exec; what a container made below its own group is
/// followed a little further.
const depth_max = 16;

fn removeChildren(report: *Report, directory: i32, depth: u32) error{Syscall}!void {
    if (depth == depth_max) return report_file.fail(report, .unlinkat, .LOOP);
    var buffer: [2048]u8 align(8) = undefined;
    while (true) {
        const rc = linux.getdents64(directory, &buffer, buffer.len);
        const bytes = try check(report, .read, rc);
        if (bytes == 0) return;
        var offset: usize = 0;
        while (offset < bytes) {
            const entry: *align(1) const linux.dirent64 = @ptrCast(&buffer[offset]);
            const name: [*:0]const u8 = @ptrCast(
                buffer[offset..].ptr + @offsetOf(linux.dirent64, "name"),
            );
            offset += entry.reclen;
            if (entry.type != linux.DT.DIR or name[0] == '.') continue;
            const flags = calls.O_RDONLY | calls.O_DIRECTORY | calls.O_CLOEXEC | calls.O_NOFOLLOW;
            const opened = calls.openat(directory, name, flags, 0);
            if (linux.errno(opened) == .NOENT) continue; // Somebody else removed it meanwhile.
            const child: Fd = .from(try check(report, .openat, opened));
            defer child.close();

            try removeChildren(report, child.raw, depth + 1);
            const removed = calls.unlinkat(directory, name, calls.AT_REMOVEDIR);
            if (linux.errno(removed) != .NOENT) _ = try check(report, .unlinkat, removed);
        }
    }
}

/// The number behind `key` in a flat keyed file such as memory.events; 0 when either is missing.
pub fn readKey(directory: i32, file: [*:0]const u8, key: []const u8) u64 {
    var buffer: [512]u8 = undefined;
    const text = readFile(directory, file, &buffer);
    var lines = std.mem.tokenizeScalar(u8, text, '\n');
    while (lines.next()) |line| {
        if (line.len <= key.len or line[key.len] != ' ') continue;
        if (!std.mem.startsWith(u8, line, key)) continue;
        return parse(line[key.len + 1 ..]);
    }
    return 0;
}

pub fn readNumber(directory: i32, file: [*:0]const u8) u64 {
    var buffer: [64]u8 = undefined;
    return parse(readFile(directory, file, &buffer));
}

fn readFile(directory: i32, file: [*:0]const u8, buffer: []u8) []const u8 {
    const rc = calls.openat(
        directory,
        file,
        calls.O_RDONLY | calls.O_CLOEXEC | calls.O_NOFOLLOW,
        0,
    );
    if (linux.errno(rc) != .SUCCESS) return "";
    const fd: Fd = .from(rc);
    defer fd.close();

    const bytes = linux.read(fd.raw, buffer.ptr, buffer.len);
    return if (linux.errno(bytes) == .SUCCESS) buffer[0..bytes] else "";
}

fn parse(text: []const u8) u64 {
    var value: u64 = 0;
    for (text) |byte| {
        if (byte < '0' or byte > '9') break;
        value = value *| 10 +| (byte - '0');
    }
    return value;
}
