//! Operations of the `build` stage: the child, alone in fresh namespaces, puts together what
//! `prepare` opened.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const schema = @import("../plan/schema.zig");
const Context = @import("context.zig").Context;
const limit = @import("limit.zig");
const mounts = @import("mounts.zig");
const report_file = @import("report.zig");
const linux = calls.linux;
const check = report_file.check;

const Error = error{Syscall};

/// Stacked on "/" of the lean namespace. The child's own root stays below until `enter`, so nothing
/// resolves through it yet.
pub fn placeRoot(context: *Context, op: schema.PlaceRoot) Error!void {
    const report = context.report;
    const tree = context.slot(op.tree);
    const flags = calls.MOVE_MOUNT_F_EMPTY_PATH;
    _ = try check(report, .move_mount, calls.move_mount(tree, "", calls.AT_FDCWD, "/", flags));
    context.root = .{ .raw = tree };
}

pub fn attach(context: *Context, op: schema.Attach) Error!void {
    const report = context.report;
    const tree = context.slot(op.tree);
    var stat: linux.Statx = undefined;
    // What is known of it must do: asking a server that does not answer would hold the child.
    const flags = calls.AT_EMPTY_PATH | calls.AT_STATX_DONT_SYNC;
    _ = try check(report, .statx, linux.statx(tree, "", flags, .{ .TYPE = true }, &stat));
    const is_directory = stat.mode & calls.S_IFMT == calls.S_IFDIR;
    const target = try context.beneathRoot(
        context.view.text(op.target),
        if (is_directory) .make_directory else .make_file,
    );
    defer target.close();

    try mounts.attach(report, tree, target.raw);
}

pub const message_path = "/dev/termination-log";

/// Where a volume was mounted over /dev there is no file that would be ours: then nobody reads it.
pub fn keepMessage(context: *Context, op: schema.KeepMessage) Error!void {
    const report = context.report;
    const rc = calls.openat2(context.root.raw, message_path[1..], .{
        .flags = calls.O_RDWR | calls.O_CREAT | calls.O_NOFOLLOW | calls.O_CLOEXEC,
        .mode = 0o666,
        .resolve = calls.RESOLVE_IN_ROOT | calls.RESOLVE_NO_SYMLINKS,
    });
    const file: Fd = .from(try check(report, .openat2, rc));
    defer file.close();

    const target = context.view.text(op.target);
    if (!std.mem.eql(u8, target, message_path)) {
        const flags = calls.OPEN_TREE_CLONE | calls.OPEN_TREE_CLOEXEC | calls.AT_EMPTY_PATH;
        const cloned = calls.open_tree(file.raw, "", flags);
        const tree: Fd = .from(try check(report, .open_tree, cloned));
        defer tree.close();

        const place = try context.kernelPlace(target, .make_file);
        defer place.close();

        try mounts.attach(report, tree.raw, place.raw);
    }
    try limit.sendDescriptor(context, file.raw, .message);
}

pub fn mount(context: *Context, op: schema.Mount) Error!void {
    const view = context.view;
    const config: mounts.Config = try .open(context.report, view.text(op.type));
    defer config.close();

    for (view.texts(op.options)) |option| try config.option(view.text(option));
    const made = try config.create(op.attributes);
    defer made.close();

    const target = try context.kernelPlace(view.text(op.target), .make_directory);
    defer target.close();

    try mounts.attach(context.report, made.raw, target.raw);
}

const Node = struct { name: [*:0]const u8, major: u32, minor: u32 };
const nodes = [_]Node{
    .{ .name = "null", .major = 1, .minor = 3 },
    .{ .name = "zero", .major = 1, .minor = 5 },
    .{ .name = "full", .major = 1, .minor = 7 },
    .{ .name = "random", .major = 1, .minor = 8 },
    .{ .name = "urandom", .major = 1, .minor = 9 },
    .{ .name = "tty", .major = 5, .minor = 0 },
};
const Link = struct { name: [*:0]const u8, target: [*:0]const u8 };
const links = [_]Link{
    .{ .name = "fd", .target = "/proc/self/fd" },
    .{ .name = "stdin", .target = "/proc/self/fd/0" },
    .{ .name = "stdout", .target = "/proc/self/fd/1" },
    .{ .name = "stderr", .target = "/proc/self/fd/2" },
    .{ .name = "ptmx", .target = "pts/ptmx" },
    .{ .name = "core", .target = "/proc/kcore" },
};
const directories = [_][*:0]const u8{ "pts", "shm", "mqueue" };

pub fn makeDevices(context: *Context, op: schema.MakeDevices) Error!void {
    const report = context.report;
    const head = context.view.header();
    const config: mounts.Config = try .open(report, "tmpfs");
    defer config.close();

    try config.number("size", op.bytes_max, 10);
    try config.number("mode", 0o755, 8);
    if (head.root_uid != 0) try config.number("uid", head.root_uid, 10);
    if (head.root_gid != 0) try config.number("gid", head.root_gid, 10);
    const dev = try config.create(.{ .nosuid = true, .noexec = true });
    defer dev.close();

    for (nodes) |node| {
        const device = node.major << 8 | node.minor;
        _ = try check(
            report,
            .mknodat,
            linux.mknodat(dev.raw, node.name, calls.S_IFCHR | 0o666, device),
        );
        try own(context, dev.raw, node.name);
    }
    for (links) |link| {
        _ = try check(report, .symlinkat, linux.symlinkat(link.target, dev.raw, link.name));
    }
    for (directories) |name| {
        _ = try check(report, .mkdirat, calls.mkdirat(dev.raw, name, 0o755));
        try own(context, dev.raw, name);
    }
    const target = try context.kernelPlace(context.view.text(op.target), .make_directory);
    defer target.close();

    try mounts.attach(report, dev.raw, target.raw);
}

fn own(context: *Context, directory: i32, name: [*:0]const u8) Error!void {
    const head = context.view.header();
    if (head.root_uid == 0 and head.root_gid == 0) return;
    const rc = calls.fchownat(
        directory,
        name,
        head.root_uid,
        head.root_gid,
        calls.AT_SYMLINK_NOFOLLOW,
    );
    _ = try check(context.report, .fchownat, rc);
}

/// Where a container has its devices the names are our own so far: nothing but `make_devices` was
/// there before.
pub fn makeDevice(context: *Context, op: schema.MakeDevice) Error!void {
    const report = context.report;
    const target = context.view.text(op.target);
    try context.makeParents(target, false);
    const parent: Fd, const name = try context.parentOf(target);
    defer parent.close();

    const kind = if (op.type == .block_device) calls.S_IFBLK else calls.S_IFCHR;
    const device = deviceNumber(op.major, op.minor);
    const rc = linux.mknodat(parent.raw, name, kind | op.mode, device);
    _ = try check(report, .mknodat, rc);
    const owned = calls.fchownat(parent.raw, name, op.uid, op.gid, calls.AT_SYMLINK_NOFOLLOW);
    _ = try check(report, .fchownat, owned);
}

/// include/linux/kdev_t.h, new_encode_dev.
fn deviceNumber(major: u32, minor: u32) u32 {
    return minor & 0xff | (major & 0xfff) << 8 | (minor & ~@as(u32, 0xff)) << 12;
}
