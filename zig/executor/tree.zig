//! Removing a directory that a container filled. Names in it are hostile and its depth is
//! unbounded, so nothing is followed, and what lies deeper than a few levels is moved up beside the
//! top and emptied in its turn.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const mounts = @import("mounts.zig");
const report_file = @import("report.zig");
const Report = report_file.Report;
const linux = calls.linux;
const check = report_file.check;

const Error = error{Syscall};
const open_directory = calls.O_RDONLY | calls.O_DIRECTORY | calls.O_CLOEXEC | calls.O_NOFOLLOW;
/// Each level has a directory open and its entries on the stack.
const depth_max = 8;
const entry_bytes_max = @sizeOf(linux.dirent64) + 256;

pub const unlimited = std.math.maxInt(u32);

pub fn remove(report: *Report, parent: i32, name: [:0]const u8) Error!void {
    return removeSome(report, parent, name, unlimited);
}

/// At most so many entries; EAGAIN when there are more.
pub fn removeSome(
    report: *Report,
    parent: i32,
    name: [:0]const u8,
    entries_max: u32,
) Error!void {
    const rc = calls.unlinkat(parent, name, calls.AT_REMOVEDIR);
    switch (linux.errno(rc)) {
        .SUCCESS, .NOENT => return,
        .NOTDIR => {
            _ = try check(report, .unlinkat, calls.unlinkat(parent, name, 0));
            return;
        },
        else => {},
    }
    const opened = calls.openat(parent, name, open_directory, 0);
    if (linux.errno(opened) == .NOENT) return; // Somebody else removed it meanwhile.
    const top: Fd = .from(try check(report, .openat, opened));
    defer top.close();

    var removal: Removal = .{ .report = report, .top = top.raw, .entries_left = entries_max };
    try removal.emptyAndRemove(parent, name, top.raw, 0);
}

const Removal = struct {
    report: *Report,
    top: i32,
    entries_left: u32,
    serial: u64 = 0,

    /// Again while something is found: what lay too deep stands in the top then.
    fn emptyAndRemove(
        removal: *Removal,
        parent: i32,
        name: [*:0]const u8,
        directory: i32,
        depth: u32,
    ) Error!void {
        while (true) {
            const found = try removal.empty(directory, depth);
            const rc = calls.unlinkat(parent, name, calls.AT_REMOVEDIR);
            if (linux.errno(rc) == .NOENT) return;
            if (linux.errno(rc) == .NOTEMPTY and found) {
                _ = linux.lseek(directory, 0, 0);
                continue;
            }
            _ = try check(removal.report, .unlinkat, rc);
            return;
        }
    }

    /// True when something was there.
    fn empty(removal: *Removal, directory: i32, depth: u32) Error!bool {
        var found = false;
        var buffer: [4096]u8 align(8) = undefined;
        while (true) {
            const rc = linux.getdents64(directory, &buffer, buffer.len);
            const bytes = try check(removal.report, .read, rc);
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
                if (removal.entries_left == 0) {
                    return report_file.fail(removal.report, .unlinkat, .AGAIN);
                }
                if (removal.entries_left != unlimited) removal.entries_left -= 1;
                try removal.removeEntry(directory, name, entry.type, depth);
            }
            // There was room for another entry, so that was most likely all; rmdir knows.
            if (bytes + entry_bytes_max <= buffer.len) return found;
        }
    }

    fn removeEntry(
        removal: *Removal,
        directory: i32,
        name: [*:0]const u8,
        kind: u8,
        depth: u32,
    ) Error!void {
        if (kind != linux.DT.DIR) {
            const rc = calls.unlinkat(directory, name, 0);
            switch (linux.errno(rc)) {
                .SUCCESS, .NOENT => return,
                .ISDIR, .PERM => {}, // A file system that tells no types.
                else => _ = try check(removal.report, .unlinkat, rc),
            }
        }
        const rc = calls.unlinkat(directory, name, calls.AT_REMOVEDIR);
        switch (linux.errno(rc)) {
            .SUCCESS, .NOENT => return,
            else => {},
        }
        if (depth == depth_max) return removal.lift(directory, name);
        const opened = calls.openat(directory, name, open_directory, 0);
        if (linux.errno(opened) == .NOENT) return;
        const inner: Fd = .from(try check(removal.report, .openat, opened));
        defer inner.close();

        try removal.emptyAndRemove(directory, name, inner.raw, depth + 1);
    }

    fn lift(removal: *Removal, directory: i32, name: [*:0]const u8) Error!void {
        // RENAME_NOREPLACE: a name that the container chose may stand there already.
        const no_replace: linux.RENAME = .{ .NOREPLACE = true };
        for (0..1 << 20) |_| {
            var digits: [32]u8 = undefined;
            removal.serial += 1;
            const rc = linux.renameat2(
                directory,
                name,
                removal.top,
                mounts.format(&digits, removal.serial, 10),
                no_replace,
            );
            if (linux.errno(rc) == .EXIST) continue;
            _ = try check(removal.report, .unlinkat, rc);
            return;
        }
        return report_file.fail(removal.report, .unlinkat, .EXIST);
    }
};
