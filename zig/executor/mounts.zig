//! Making mounts that nothing is attached to yet, and what file systems say when they refuse.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const schema = @import("../plan/schema.zig");
const View = @import("../plan/view.zig").View;
const report_file = @import("report.zig");
const Report = report_file.Report;
const linux = calls.linux;
const check = report_file.check;

/// One file system being configured.
pub const Config = struct {
    report: *Report,
    fs: Fd,

    pub fn open(report: *Report, name: [*:0]const u8) error{Syscall}!Config {
        return .{ .report = report, .fs = .from(try check(report, .fsopen, calls.fsopen(name))) };
    }

    pub fn close(config: Config) void {
        config.fs.close();
    }

    pub fn flag(config: Config, key: [*:0]const u8) error{Syscall}!void {
        try config.said(calls.fsconfig(config.fs.raw, calls.FSCONFIG_SET_FLAG, key, null, 0));
    }

    pub fn string(config: Config, key: [*:0]const u8, value: [*:0]const u8) error{Syscall}!void {
        try config.said(calls.fsconfig(config.fs.raw, calls.FSCONFIG_SET_STRING, key, value, 0));
    }

    pub fn number(
        config: Config,
        key: [*:0]const u8,
        value: u64,
        comptime base: u8,
    ) error{Syscall}!void {
        var digits: [32]u8 = undefined;
        try config.string(key, format(&digits, value, base));
    }

    pub fn descriptor(config: Config, key: [*:0]const u8, fd: i32) error{Syscall}!void {
        try config.said(calls.fsconfig(config.fs.raw, calls.FSCONFIG_SET_FD, key, null, fd));
    }

    /// `key=value` or `key`.
    pub fn option(config: Config, text: [:0]const u8) error{Syscall}!void {
        const cut = std.mem.findScalar(u8, text, '=') orelse return config.flag(text);
        var key: [64]u8 = undefined;
        if (cut >= key.len) return report_file.fail(config.report, .fsconfig, .NAMETOOLONG);
        @memcpy(key[0..cut], text[0..cut]);
        key[cut] = 0;
        try config.string(key[0..cut :0], text[cut + 1 ..]);
    }

    pub fn create(config: Config, attributes: schema.Attributes) error{Syscall}!Fd {
        try config.said(calls.fsconfig(config.fs.raw, calls.FSCONFIG_CMD_CREATE, null, null, 0));
        const rc = calls.fsmount(config.fs.raw, @as(u32, @bitCast(attributes)));
        if (linux.errno(rc) != .SUCCESS) config.readLog();
        return .from(try check(config.report, .fsmount, rc));
    }

    fn said(config: Config, rc: usize) error{Syscall}!void {
        if (linux.errno(rc) != .SUCCESS) config.readLog();
        _ = try check(config.report, .fsconfig, rc);
    }

    /// One message a read, as "e overlay: …" (Documentation/filesystems/mount_api.rst). The first
    /// is the cause.
    fn readLog(config: Config) void {
        const space = config.report.message.len - 1;
        const rc = linux.read(config.fs.raw, &config.report.message, space);
        if (linux.errno(rc) == .SUCCESS) config.report.message[rc] = 0;
    }
};

pub fn clone(report: *Report, dir: i32, name: [:0]const u8, recursive: bool) error{Syscall}!Fd {
    const deep: u32 = if (recursive) calls.AT_RECURSIVE else 0;
    const empty: u32 = if (name.len == 0) calls.AT_EMPTY_PATH else calls.AT_SYMLINK_NOFOLLOW;
    const flags = calls.OPEN_TREE_CLONE | calls.OPEN_TREE_CLOEXEC | empty | deep;
    return .from(try check(report, .open_tree, calls.open_tree(dir, name, flags)));
}

/// Set attributes and cut the mount off from its peers: a clone of a shared mount would show what
/// the container mounts.
pub fn restrict(
    report: *Report,
    tree: i32,
    attributes: schema.Attributes,
    recursive: bool,
) error{Syscall}!void {
    try set(report, tree, .{
        .attr_set = @as(u32, @bitCast(attributes)),
        .propagation = calls.MS_PRIVATE,
    }, recursive);
}

pub fn set(report: *Report, tree: i32, attr: calls.MountAttr, recursive: bool) error{Syscall}!void {
    const deep: u32 = if (recursive) calls.AT_RECURSIVE else 0;
    const rc = calls.mount_setattr(tree, "", calls.AT_EMPTY_PATH | deep, attr);
    _ = try check(report, .mount_setattr, rc);
}

pub fn attach(report: *Report, tree: i32, target: i32) error{Syscall}!void {
    const flags = calls.MOVE_MOUNT_F_EMPTY_PATH | calls.MOVE_MOUNT_T_EMPTY_PATH;
    _ = try check(report, .move_mount, calls.move_mount(tree, "", target, "", flags));
}

pub fn format(buffer: []u8, value: u64, comptime base: u8) [:0]const u8 {
    var end = buffer.len - 1;
    buffer[end] = 0;
    var rest = value;
    while (true) {
        end -= 1;
        buffer[end] = '0' + @as(u8, @intCast(rest % base));
        rest /= base;
        if (rest == 0) break;
    }
    return buffer[end .. buffer.len - 1 :0];
}
