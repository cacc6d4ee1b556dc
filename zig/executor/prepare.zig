//! Operations of the `prepare` stage: lasting effects on the host, each with its undo in undo.zig.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const schema = @import("../plan/schema.zig");
const Context = @import("context.zig").Context;
const cgroup = @import("cgroup.zig");
const mounts = @import("mounts.zig");
const tree = @import("tree.zig");
const report_file = @import("report.zig");
const linux = calls.linux;
const check = report_file.check;

const Error = error{Syscall};
const open_path = calls.O_PATH | calls.O_DIRECTORY | calls.O_CLOEXEC;

pub fn openDirectory(context: *Context, op: schema.OpenDirectory) Error!void {
    try context.enterHost();
    const path = context.view.text(op.path);
    const rc = calls.openat(calls.AT_FDCWD, path, open_path, 0);
    context.fill(op.slot, .from(try check(context.report, .openat, rc)));
}

pub fn makeDirectory(context: *Context, op: schema.MakeDirectory) Error!void {
    const report = context.report;
    const parent = context.slot(op.parent);
    const name = context.view.text(op.name);
    _ = try check(report, .mkdirat, calls.mkdirat(parent, name, op.mode));
    errdefer _ = calls.unlinkat(parent, name, calls.AT_REMOVEDIR);

    const flags = calls.O_DIRECTORY | calls.O_CLOEXEC | calls.O_NOFOLLOW;
    const directory: Fd = .from(try check(report, .openat, calls.openat(parent, name, flags, 0)));
    errdefer directory.close();

    if (op.uid != 0 or op.gid != 0) {
        _ = try check(
            report,
            .fchownat,
            calls.fchownat(directory.raw, "", op.uid, op.gid, calls.AT_EMPTY_PATH),
        );
    }
    // The set-id and sticky bits, which mkdir does not take.
    if (op.mode & 0o7000 != 0) _ = try check(report, .fchmod, calls.fchmod(directory.raw, op.mode));
    context.fill(op.slot, directory);
}

pub fn makeCgroup(context: *Context, op: schema.MakeCgroup) Error!void {
    const report = context.report;
    const parent = context.slot(op.parent);
    const name = context.view.text(op.name);
    _ = try check(report, .mkdirat, calls.mkdirat(parent, name, 0o755));
    errdefer _ = calls.unlinkat(parent, name, calls.AT_REMOVEDIR);

    context.fill(
        op.slot,
        .from(try check(report, .openat, calls.openat(parent, name, open_path, 0))),
    );
}

pub fn writeCgroup(context: *Context, op: schema.WriteCgroup) Error!void {
    const value = context.view.text(op.value);
    try cgroup.write(context.report, context.slot(op.cgroup), context.view.text(op.file), value);
}

pub fn makeTmpfs(context: *Context, op: schema.MakeTmpfs) Error!void {
    const report = context.report;
    const config: mounts.Config = try .open(report, "tmpfs");
    defer config.close();

    try config.number("size", op.bytes_max, 10);
    if (op.inodes_max > 0) try config.number("nr_inodes", op.inodes_max, 10);
    try config.number("mode", op.mode, 8);
    if (op.uid != 0) try config.number("uid", op.uid, 10);
    if (op.gid != 0) try config.number("gid", op.gid, 10);
    if (op.no_swap != 0) try config.flag("noswap");
    try keepMount(context, try config.create(op.attributes), op.attached != 0, op.slot);
}

/// In its slot, and where older kernels want it to be attached, out of every container's reach.
pub fn keepMount(context: *Context, mount: Fd, attached: bool, slot: schema.Slot) Error!void {
    errdefer mount.close();

    if (attached) {
        const flags = calls.MOVE_MOUNT_F_EMPTY_PATH;
        try context.leaveHost();
        _ = try check(
            context.report,
            .move_mount,
            calls.move_mount(mount.raw, "", calls.AT_FDCWD, "/", flags),
        );
    }
    context.fill(slot, mount);
}

pub fn cloneTree(context: *Context, op: schema.CloneTree) Error!void {
    const report = context.report;
    // An attached source lives in the keeper's own namespace.
    if (op.source != .none) try context.leaveHost();
    const copy = try mounts.clone(
        report,
        context.slot(op.source),
        context.view.text(op.name),
        false,
    );
    errdefer copy.close();

    if (@as(u32, @bitCast(op.attributes)) != 0) try mounts.restrict(
        report,
        copy.raw,
        op.attributes,
        false,
    );
    context.fill(op.slot, copy);
}

pub fn openLog(context: *Context, op: schema.OpenLog) Error!void {
    const name = context.view.text(op.name);
    if (name.len >= context.log.name.len) return report_file.fail(
        context.report,
        .openat,
        .NAMETOOLONG,
    );
    const flags = calls.O_CREAT | calls.O_WRONLY | calls.O_APPEND |
        calls.O_CLOEXEC | calls.O_NOFOLLOW;
    const directory = context.slot(op.directory);
    const rc = calls.openat(directory, name, flags, 0o640);
    context.log = .{
        .file = .from(try check(context.report, .openat, rc)),
        .directory = directory,
        .bytes_max = op.bytes_max,
        .files_max = op.files_max,
        .drop_when_full = op.drop_when_full != 0,
    };
    @memcpy(context.log.name[0..name.len], name);
}

pub fn removeCgroup(context: *Context, op: schema.RemoveCgroup) Error!void {
    try cgroup.remove(context.report, context.slot(op.parent), context.view.text(op.name));
}

pub fn removeTree(context: *Context, op: schema.RemoveTree) Error!void {
    return removeSomeOfTree(context, op, tree.unlimited);
}

/// At most so many entries; EAGAIN when there are more.
pub fn removeSomeOfTree(context: *Context, op: schema.RemoveTree, entries_max: u32) Error!void {
    const parent = context.slot(op.parent);
    try tree.removeSome(context.report, parent, context.view.text(op.name), entries_max);
}
