//! Removing a directory that a container filled. Names in it are hostile and its depth is
//! unbounded, so nothing is followed and nothing recurses: every directory found is first moved up
//! beside the top, then emptied in its turn.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const mounts = @import("mounts.zig");
const report_file = @import("report.zig");
const Report = report_file.Report;
const linux = calls.linux;
const check = report_file.check;

const open_directory = calls.O_RDONLY | calls.O_DIRECTORY | calls.O_CLOEXEC | calls.O_NOFOLLOW;

pub fn remove(report: *Report, parent: i32, name: [:0]const u8) error{Syscall}!void {
    const rc = calls.openat(parent, name, open_directory, 0);
    switch (linux.errno(rc)) {
        .NOENT => return,
        .NOTDIR, .LOOP => {
            _ = try check(report, .unlinkat, calls.unlinkat(parent, name, 0));
            return;
        },
        else => {},
    }
    const top: Fd = .from(try check(report, .openat, rc));
    defer top.close();

    var serial: u64 = 0;
    try removeEmptied(report, parent, name, top.raw, top.raw, &serial);
}

/// Each pass empties the directories that stand directly in the top and lifts those inside them,
/// until it can go.
fn removeEmptied(
    report: *Report,
    parent: i32,
    name: [*:0]const u8,
    top: i32,
    directory: i32,
    serial: *u64,
) error{Syscall}!void {
    while (true) {
        const found = try removeLevel(report, top, directory, serial);
        const rc = calls.unlinkat(parent, name, calls.AT_REMOVEDIR);
        if (linux.errno(rc) == .NOTEMPTY and found) continue;
        _ = try check(report, .unlinkat, rc);
        return;
    }
}

/// Unlinks every file of `directory` and moves its directories up. At the top itself directories
/// are emptied and removed instead. True while something was found.
fn removeLevel(report: *Report, top: i32, directory: i32, serial: *u64) error{Syscall}!bool {
    var found = false;
    var buffer: [8192]u8 align(8) = undefined;
    _ = linux.lseek(directory, 0, 0);
    while (true) {
        const bytes = try check(report, .read, linux.getdents64(directory, &buffer, buffer.len));
        if (bytes == 0) return found;
        var offset: usize = 0;
        while (offset < bytes) {
            const entry: *align(1) const linux.dirent64 = @ptrCast(&buffer[offset]);
            const name: [*:0]const u8 = @ptrCast(
                buffer[offset..].ptr + @offsetOf(linux.dirent64, "name"),
            );
            offset += entry.reclen;
            const text = std.mem.span(name);
            if (std.mem.eql(u8, text, ".") or std.mem.eql(u8, text, "..")) continue;
            found = true;
            const rc = calls.unlinkat(directory, name, 0);
            switch (linux.errno(rc)) {
                .SUCCESS, .NOENT => continue,
                .ISDIR, .PERM => {},
                else => _ = try check(report, .unlinkat, rc),
            }
            if (directory == top) try empty(report, top, name, serial) else try lift(
                report,
                top,
                directory,
                name,
                serial,
            );
        }
    }
}

fn empty(report: *Report, top: i32, name: [*:0]const u8, serial: *u64) error{Syscall}!void {
    if (linux.errno(calls.unlinkat(top, name, calls.AT_REMOVEDIR)) == .SUCCESS) return;
    const inner: Fd = .from(try check(report, .openat, calls.openat(top, name, open_directory, 0)));
    defer inner.close();

    try removeEmptied(report, top, name, top, inner.raw, serial);
}

fn lift(
    report: *Report,
    top: i32,
    directory: i32,
    name: [*:0]const u8,
    serial: *u64,
) error{Syscall}!void {
    if (linux.errno(calls.unlinkat(directory, name, calls.AT_REMOVEDIR)) == .SUCCESS) return;
    // RENAME_NOREPLACE: a name that the container chose may stand there already.
    const no_replace: linux.RENAME = .{ .NOREPLACE = true };
    for (0..1 << 20) |_| {
        var digits: [32]u8 = undefined;
        serial.* += 1;
        const rc = linux.renameat2(
            directory,
            name,
            top,
            mounts.format(&digits, serial.*, 10),
            no_replace,
        );
        if (linux.errno(rc) == .EXIST) continue;
        _ = try check(report, .unlinkat, rc);
        return;
    }
    return report_file.fail(report, .unlinkat, .EXIST);
}
