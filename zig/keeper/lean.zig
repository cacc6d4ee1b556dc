//! The keeper's own ground: the descriptors of the host it came from, and the empty namespace it
//! lives in.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const Keeper = @import("keeper.zig").Keeper;
const mounts = @import("../executor/mounts.zig");
const report_file = @import("../executor/report.zig");
const Report = report_file.Report;
const linux = calls.linux;
const check = report_file.check;

const Error = error{Syscall};
const program = 4;
const seed = 5;

pub fn openHost(keeper: *Keeper) Error!void {
    var report: Report = .{};
    _ = linux.syscall0(.setsid);
    _ = calls.prctl(@intFromEnum(linux.PR.SET_DUMPABLE), 0, 0, 0, 0);
    _ = calls.prctl(
        @intFromEnum(linux.PR.SET_NAME),
        @intFromPtr(@as([*:0]const u8, "peapod-keeper")),
        0,
        0,
        0,
    );
    joinOwnKeyring();
    // Modes are the plan's: a root that other users could not enter would be no use to them.
    calls.umask(0);
    catchSignals();
    const close_on_exec = 4;
    _ = calls.close_range(3, std.math.maxInt(u32), close_on_exec);
    keeper.host.program = .{ .raw = program };
    if (linux.errno(
        linux.fcntl(seed, linux.F.GETFD, 0),
    ) == .SUCCESS) keeper.seed = .{ .raw = seed };

    const proc = try openPath(&report, "/proc");
    try requireProc(&report, proc.raw);
    keeper.host.proc = proc;
    keeper.host.root = try openPath(&report, "/");
    keeper.host.mount_namespace = try ownMountNamespace(&report, keeper);
    const self = linux.pidfd_open(linux.getpid(), 0);
    keeper.host.self = .from(try check(&report, .pidfd_open, self));
}

/// Inherited by all of the pod: the session keyring of who started it is out of their reach. One a
/// container would use up the quota of root's keys (man 7 keyrings).
fn joinOwnKeyring() void {
    const join_session_keyring = 1;
    const anonymous = 0;
    _ = linux.syscall2(.keyctl, join_session_keyring, anonymous);
}

/// An empty handler rather than SIG_IGN: exec resets handlers, and an ignored SIGPIPE would reach
/// every container.
fn catchSignals() void {
    for ([_]linux.SIG{ .PIPE, .HUP, .TERM, .INT }) |signal| {
        const action: linux.Sigaction = .{
            .handler = .{ .handler = onSignal },
            .mask = @splat(0),
            .flags = linux.SA.RESTART,
        };
        _ = linux.sigaction(signal, &action, null);
    }
}

fn onSignal(_: linux.SIG) callconv(.c) void {}

fn openPath(report: *Report, path: [*:0]const u8) Error!Fd {
    const flags = calls.O_PATH | calls.O_DIRECTORY | calls.O_CLOEXEC;
    return .from(try check(report, .openat, calls.openat(calls.AT_FDCWD, path, flags, 0)));
}

fn requireProc(report: *Report, fd: i32) Error!void {
    const proc_super_magic = 0x9fa0;
    var buffer: [16]u64 = @splat(0);
    _ = try check(report, .verify, linux.syscall2(.fstatfs, calls.raw(fd), @intFromPtr(&buffer)));
    if (buffer[0] != proc_super_magic) return report_file.fail(report, .verify, .NODEV);
}

fn ownMountNamespace(report: *Report, keeper: *Keeper) Error!Fd {
    const flags = calls.O_RDONLY | calls.O_CLOEXEC;
    const rc = calls.openat(keeper.host.proc.raw, "self/ns/mnt", flags, 0);
    return .from(try check(report, .openat, rc));
}

/// A copy of the seed costs the same whatever the host has mounted; only the first pod copies the
/// host's mounts.
pub fn enter(keeper: *Keeper, report: *Report) Error!void {
    if (keeper.host.lean.isOpen()) return;
    if (keeper.seed.isOpen()) {
        _ = try check(report, .setns, calls.setns(keeper.seed.raw, calls.CLONE_NEWNS));
        _ = try check(report, .unshare, calls.unshare(calls.CLONE_NEWNS));
        keeper.seed.release();
    } else {
        _ = try check(report, .unshare, calls.unshare(calls.CLONE_NEWNS));
        try makeSeed(report);
    }
    keeper.host.lean = try ownMountNamespace(report, keeper);
    var stat: linux.Statx = undefined;
    _ = try check(
        report,
        .statx,
        linux.statx(keeper.host.lean.raw, "", calls.AT_EMPTY_PATH, .{ .INO = true }, &stat),
    );
    keeper.mount_namespace = @truncate(stat.ino);
}

/// An empty tmpfs becomes "/". Its superblock is read-only, since every keeper shares it; the one
/// directory is for the procfs that pods with a user namespace need in sight.
fn makeSeed(report: *Report) Error!void {
    const private: calls.MountAttr = .{ .propagation = calls.MS_PRIVATE };
    const made_private = calls.mount_setattr(calls.AT_FDCWD, "/", calls.AT_RECURSIVE, private);
    _ = try check(report, .mount_setattr, made_private);
    const config: mounts.Config = try .open(report, "tmpfs");
    defer config.close();

    try config.string("mode", "555");
    try config.string("nr_inodes", "8");
    const root = try config.create(.{ .nosuid = true, .nodev = true, .noexec = true });
    defer root.close();

    _ = try check(report, .mkdirat, calls.mkdirat(root.raw, "proc", 0o555));
    const flags = calls.MOVE_MOUNT_F_EMPTY_PATH;
    _ = try check(report, .move_mount, calls.move_mount(root.raw, "", calls.AT_FDCWD, "/", flags));
    _ = try check(report, .fchdir, linux.fchdir(root.raw));
    _ = try check(report, .pivot_root, linux.pivot_root(".", "."));
    _ = try check(report, .umount2, linux.umount2(".", calls.MNT_DETACH));
    _ = try check(report, .chdir, linux.chdir("/"));
    const remount = linux.MS.REMOUNT | linux.MS.RDONLY |
        linux.MS.NOSUID | linux.MS.NODEV | linux.MS.NOEXEC;
    _ = try check(report, .mount, linux.mount(null, "/", null, remount, 0));
}
