//! The root of a container: read-only layers below, its own writable layer above.

const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const schema = @import("../plan/schema.zig");
const Stage = schema.Stage;
const Context = @import("context.zig").Context;
const mounts = @import("mounts.zig");
const report_file = @import("report.zig");
const linux = calls.linux;
const check = report_file.check;

pub fn makeOverlay(context: *Context, op: schema.MakeOverlay, stage: Stage) error{Syscall}!void {
    // Names in /proc are only there in the host's namespace; descriptors work anywhere.
    if (stage == .prepare) try context.enterHost();
    const config: mounts.Config = try .open(context.report, "overlay");
    defer config.close();

    if (stage == .prepare) try layersByName(
        context,
        config,
        op,
    ) else try layersByDescriptor(context, config, op);
    // The writable layer dies with the pod, so nothing in it is worth a sync; no feature that a
    // hostile layer could use.
    if (op.upper != .none) try config.flag("volatile");
    try config.string("redirect_dir", "nofollow");
    try config.string("metacopy", "off");
    const mount = try config.create(op.attributes);
    errdefer mount.close();

    if (op.upper != .none) try refuseReadOnly(context, mount.raw);
    context.fill(op.slot, mount);
}

/// Stacked on "/", where they hide nothing: names are resolved from the root below. The namespace,
/// and they with it, goes when the keeper leaves it; the overlay has taken its own copies by then.
pub fn showTrees(context: *Context, op: schema.ShowTrees) error{Syscall}!void {
    const report = context.report;
    try context.enterHost();
    _ = try check(report, .unshare, calls.unshare(calls.CLONE_NEWNS));
    const private: calls.MountAttr = .{ .propagation = calls.MS_PRIVATE };
    const made_private = calls.mount_setattr(calls.AT_FDCWD, "/", calls.AT_RECURSIVE, private);
    _ = try check(report, .mount_setattr, made_private);
    for (0..op.count) |index| {
        const slot: schema.Slot = @enumFromInt(@intFromEnum(op.first) + @as(u32, @intCast(index)));
        const flags = calls.MOVE_MOUNT_F_EMPTY_PATH;
        const rc = calls.move_mount(context.slot(slot), "", calls.AT_FDCWD, "/", flags);
        _ = try check(report, .move_mount, rc);
    }
}

fn layersByDescriptor(
    context: *Context,
    config: mounts.Config,
    op: schema.MakeOverlay,
) error{Syscall}!void {
    const names = context.view.texts(op.names);
    for (names) |name| {
        const layer = try openBeneath(context, op.lower, context.view.text(name));
        defer layer.close();

        try config.descriptor("lowerdir+", layer.raw);
    }
    if (names.len == 0) for (0..op.lower_count) |index| try config.descriptor(
        "lowerdir+",
        context.slot(lowerSlot(op, index)),
    );
    if (op.upper == .none) return;
    try config.descriptor("upperdir", context.slot(op.upper));
    try config.descriptor("workdir", context.slot(op.work));
}

fn openBeneath(context: *Context, tree: schema.Slot, name: [:0]const u8) error{Syscall}!Fd {
    const rc = calls.openat2(context.slot(tree), name, .{
        .flags = calls.O_PATH | calls.O_DIRECTORY | calls.O_NOFOLLOW | calls.O_CLOEXEC,
        .resolve = calls.RESOLVE_BENEATH | calls.RESOLVE_NO_SYMLINKS,
    });
    return .from(try check(context.report, .openat2, rc));
}

/// Before 6.15: `lowerdir=` takes one string of at most 255 bytes, so layers are named from where
/// their descriptors are, by three or four bytes each. Entering or leaving the host sets the
/// working directory anew.
fn layersByName(
    context: *Context,
    config: mounts.Config,
    op: schema.MakeOverlay,
) error{Syscall}!void {
    _ = try check(context.report, .chdir, linux.chdir("/proc/self/fd"));
    var list: [256]u8 = undefined;
    var end: usize = 0;
    for (0..op.lower_count) |index| {
        var digits: [16]u8 = undefined;
        const name = mounts.format(&digits, @intCast(context.slot(lowerSlot(op, index))), 10);
        if (end + name.len + 2 > list.len) return report_file.fail(
            context.report,
            .fsconfig,
            .NAMETOOLONG,
        );
        if (index > 0) {
            list[end] = ':';
            end += 1;
        }
        @memcpy(list[end..][0..name.len], name);
        end += name.len;
    }
    list[end] = 0;
    try config.string("lowerdir", list[0..end :0]);
    if (op.upper == .none) return;
    var digits: [16]u8 = undefined;
    try config.string("upperdir", mounts.format(&digits, @intCast(context.slot(op.upper)), 10));
    try config.string("workdir", mounts.format(&digits, @intCast(context.slot(op.work)), 10));
}

fn lowerSlot(op: schema.MakeOverlay, index: usize) schema.Slot {
    return @enumFromInt(@intFromEnum(op.lower) + @as(u32, @intCast(index)));
}

/// Over an upper layer that it can't use, overlayfs mounts read-only without an error.
fn refuseReadOnly(context: *Context, mount: i32) error{Syscall}!void {
    const st_rdonly = 1;
    var buffer: [16]u64 = @splat(0);
    _ = try check(
        context.report,
        .verify,
        linux.syscall2(.fstatfs, calls.raw(mount), @intFromPtr(&buffer)),
    );
    // include/uapi/asm-generic/statfs.h, struct statfs64: the eleventh word.
    const f_flags = buffer[10];
    if (f_flags & st_rdonly != 0) return report_file.fail(context.report, .verify, .ROFS);
}
