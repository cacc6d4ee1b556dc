//! Giving what is in a directory to a group. Containers of other pods may rename there meanwhile,
//! so everything is held by a descriptor before it is changed.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const schema = @import("../plan/schema.zig");
const Context = @import("context.zig").Context;
const mounts = @import("mounts.zig");
const report_file = @import("report.zig");
const Report = report_file.Report;
const linux = calls.linux;
const check = report_file.check;

const Error = error{Syscall};

/// Deeper than a path can be written with names of any length; each level holds a descriptor.
const depth_max = 128;
const open_directory = calls.O_RDONLY | calls.O_DIRECTORY | calls.O_CLOEXEC | calls.O_NOFOLLOW;

const set_group_id = 0o2000;
/// The kubelet's masks (pkg/volume, volume_linux.go).
const read_write = 0o660;
const read_only = 0o440;
const enter = 0o110;

/// The directory itself comes last: one whose content is not done yet is never taken for done.
pub fn giveGroup(context: *Context, op: schema.GiveGroup) Error!void {
    const report = context.report;
    try context.enterHost();
    const path = context.view.text(op.path);
    const rc = calls.openat(calls.AT_FDCWD, path, open_directory, 0);
    const top: Fd = .from(try check(report, .openat, rc));
    defer top.close();

    var walk: Walk = .{
        .report = report,
        .proc = context.host.proc.raw,
        .gid = op.gid,
        .mask = if (op.read_only != 0) read_only else read_write,
    };
    if (op.unless_given != 0 and try walk.isGiven(top.raw)) return;
    try walk.giveEntries(top.raw);
    try walk.give(top.raw);
}

const Level = struct { directory: Fd, offset: u64 };

const Walk = struct {
    report: *Report,
    proc: i32,
    gid: u32,
    mask: u32,

    fn isGiven(walk: *Walk, fd: i32) Error!bool {
        const stat = try walk.look(fd);
        const wanted = walk.mask | enter | set_group_id;
        return stat.gid == walk.gid and stat.mode & wanted == wanted;
    }

    /// One buffer for all levels: on the way back up a directory is read on from its entry.
    fn giveEntries(walk: *Walk, top: i32) Error!void {
        var levels: [depth_max]Level = undefined;
        var depth: u32 = 0;
        defer for (levels[0..depth]) |level| level.directory.close();

        var buffer: [4096]u8 align(8) = undefined;
        while (true) {
            const directory = if (depth == 0) top else levels[depth - 1].directory.raw;
            const bytes = try check(
                walk.report,
                .read,
                linux.getdents64(directory, &buffer, buffer.len),
            );
            if (bytes == 0) {
                if (depth == 0) return;
                depth -= 1;
                levels[depth].directory.close();
                const parent = if (depth == 0) top else levels[depth - 1].directory.raw;
                _ = linux.lseek(parent, @intCast(levels[depth].offset), 0);
                continue;
            }
            const inner = try walk.giveBuffer(directory, buffer[0..bytes]) orelse continue;
            if (depth == depth_max) {
                inner.directory.close();
                return report_file.fail(walk.report, .openat2, .NAMETOOLONG);
            }
            levels[depth] = inner;
            depth += 1;
        }
    }

    /// Until a directory comes, which is to be entered; null at the end of the buffer.
    fn giveBuffer(walk: *Walk, directory: i32, buffer: []align(8) u8) Error!?Level {
        var offset: usize = 0;
        while (offset < buffer.len) {
            const entry: *align(1) const linux.dirent64 = @ptrCast(&buffer[offset]);
            const name: [*:0]const u8 = @ptrCast(
                buffer[offset..].ptr + @offsetOf(linux.dirent64, "name"),
            );
            offset += entry.reclen;
            const text = std.mem.span(name);
            if (std.mem.eql(u8, text, ".") or std.mem.eql(u8, text, "..")) continue;
            const inner = try walk.giveEntry(directory, name) orelse continue;
            return .{ .directory = inner, .offset = entry.off };
        }
        return null;
    }

    /// A directory's own turn comes before its content: only the top tells whether all is done.
    fn giveEntry(walk: *Walk, directory: i32, name: [*:0]const u8) Error!?Fd {
        const how: calls.OpenHow = .{
            .flags = calls.O_PATH | calls.O_NOFOLLOW | calls.O_CLOEXEC,
            .resolve = calls.RESOLVE_BENEATH | calls.RESOLVE_NO_XDEV,
        };
        const rc = calls.openat2(directory, name, how);
        switch (linux.errno(rc)) {
            // Gone meanwhile, or another file system: neither is this volume's.
            .NOENT, .XDEV => return null,
            else => {},
        }
        const found: Fd = .from(try check(walk.report, .openat2, rc));
        defer found.close();

        const stat = try walk.look(found.raw);
        try walk.give(found.raw);
        if (stat.mode & calls.S_IFMT != calls.S_IFDIR) return null;
        const readable = calls.openat(found.raw, ".", open_directory, 0);
        return .from(try check(walk.report, .openat, readable));
    }

    /// What is right already is not touched: its time of change stays, and copies stay shared.
    fn give(walk: *Walk, fd: i32) Error!void {
        const stat = try walk.look(fd);
        if (stat.gid != walk.gid) {
            const same = std.math.maxInt(u32);
            const rc = calls.fchownat(fd, "", same, walk.gid, calls.AT_EMPTY_PATH);
            _ = try check(walk.report, .fchownat, rc);
        }
        const kind = stat.mode & calls.S_IFMT;
        if (kind == calls.S_IFLNK) return;
        const more: u32 = if (kind == calls.S_IFDIR) enter | set_group_id else 0;
        const mode = stat.mode & 0o7777 | walk.mask | more;
        if (mode == stat.mode & 0o7777) return;
        // fchmod takes no descriptor that was opened for its name alone (man 2 open, O_PATH).
        var path: [32]u8 = undefined;
        const rc = calls.fchmodat(walk.proc, nameOf(&path, fd), mode);
        _ = try check(walk.report, .fchmodat, rc);
    }

    fn look(walk: *Walk, fd: i32) Error!linux.Statx {
        var stat: linux.Statx = undefined;
        const wanted: linux.STATX = .{ .TYPE = true, .MODE = true, .GID = true };
        const rc = linux.statx(fd, "", calls.AT_EMPTY_PATH, wanted, &stat);
        _ = try check(walk.report, .statx, rc);
        return stat;
    }
};

fn nameOf(buffer: *[32]u8, fd: i32) [:0]const u8 {
    var digits: [16]u8 = undefined;
    const number = mounts.format(&digits, @intCast(fd), 10);
    const prefix = "self/fd/";
    @memcpy(buffer[0..prefix.len], prefix);
    @memcpy(buffer[prefix.len..][0..number.len], number);
    buffer[prefix.len + number.len] = 0;
    return buffer[0 .. prefix.len + number.len :0];
}
