//! Operations of the `enter` stage: the child in its final namespaces closes the door behind it.

const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const schema = @import("../plan/schema.zig");
const Context = @import("context.zig").Context;
const mounts = @import("mounts.zig");
const report_file = @import("report.zig");
const linux = calls.linux;
const check = report_file.check;

const Error = error{Syscall};
const hidden: schema.Attributes = .{
    .rdonly = true,
    .nosuid = true,
    .nodev = true,
    .noexec = true,
};

pub fn mask(context: *Context, op: schema.Mask) Error!void {
    const report = context.report;
    const target = context.kernelPlace(context.view.text(op.target), .fail) catch |err| {
        if (report.errno == @intFromEnum(linux.E.NOENT)) return; // This kernel has no such file.
        return err;
    };
    defer target.close();

    var stat: linux.Statx = undefined;
    _ = try check(
        report,
        .statx,
        linux.statx(target.raw, "", calls.AT_EMPTY_PATH, .{ .TYPE = true }, &stat),
    );
    if (stat.mode & calls.S_IFMT != calls.S_IFDIR) return maskFile(context, target.raw);

    if (context.mask.isOpen()) {
        const copy = try mounts.clone(report, context.mask.raw, "", false);
        defer copy.close();

        return mounts.attach(report, copy.raw, target.raw);
    }
    const config: mounts.Config = try .open(report, "tmpfs");
    defer config.close();

    try config.flag("ro");
    try config.string("nr_blocks", "1");
    try config.string("nr_inodes", "2");
    try config.string("mode", "555");
    const empty = try config.create(hidden);
    try mounts.attach(report, empty.raw, target.raw);
    context.mask = empty; // Attached now, so even an old kernel clones it.
}

/// The null device that `make_devices` made a moment ago in this very namespace; a read ends at
/// once.
fn maskFile(context: *Context, target: i32) Error!void {
    const report = context.report;
    if (!context.null_device.isOpen()) try openNullDevice(context);
    const copy = try mounts.clone(report, context.null_device.raw, "", false);
    defer copy.close();

    try mounts.attach(report, copy.raw, target);
}

fn openNullDevice(context: *Context) Error!void {
    const report = context.report;
    const device = try context.kernelPlace("/dev/null", .fail);
    errdefer device.close();

    var stat: linux.Statx = undefined;
    const rc = linux.statx(device.raw, "", calls.AT_EMPTY_PATH, .{ .TYPE = true }, &stat);
    _ = try check(report, .statx, rc);
    const is_null = stat.mode & calls.S_IFMT == calls.S_IFCHR and
        stat.rdev_major == 1 and stat.rdev_minor == 3;
    if (!is_null) return report_file.fail(report, .verify, .NODEV);
    context.null_device = device;
}

pub fn makeReadOnly(context: *Context, op: schema.MakeReadOnly) Error!void {
    const report = context.report;
    const name = context.view.text(op.target);
    // Of the root the mount itself; of others everything that is mounted below, too.
    if (name.len == 1) return mounts.restrict(report, context.root.raw, .{ .rdonly = true }, false);
    const target = context.kernelPlace(name, .fail) catch |err| {
        if (report.errno == @intFromEnum(linux.E.NOENT)) return;
        return err;
    };
    defer target.close();

    const copy = try mounts.clone(report, target.raw, "", true);
    defer copy.close();

    try mounts.restrict(
        report,
        copy.raw,
        .{ .rdonly = true, .nosuid = true, .nodev = true, .noexec = true },
        true,
    );
    try mounts.attach(report, copy.raw, target.raw);
}

/// Safe only because what lies below "/" here is the empty read-only root of the lean namespace.
pub fn enterByMove(context: *Context) Error!void {
    const report = context.report;
    _ = try check(report, .fchdir, linux.fchdir(context.root.raw));
    _ = try check(report, .chroot, linux.chroot("."));
}

/// man 2 pivot_root, "pivot_root(".", ".")": the old root lands on top of the new one and is
/// unmounted from there.
pub fn enterByPivot(context: *Context) Error!void {
    const report = context.report;
    _ = try check(report, .fchdir, linux.fchdir(context.root.raw));
    _ = try check(report, .pivot_root, linux.pivot_root(".", "."));
    _ = try check(report, .umount2, linux.umount2(".", calls.MNT_DETACH));
    _ = try check(report, .chdir, linux.chdir("/"));
}
