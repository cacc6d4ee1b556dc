//! The namespaces a pod shares: the keeper enters them itself, so that its children inherit them
//! and lsns shows them.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const schema = @import("../plan/schema.zig");
const context_file = @import("context.zig");
const Context = context_file.Context;
const Host = context_file.Host;
const mounts = @import("mounts.zig");
const report_file = @import("report.zig");
const Report = report_file.Report;
const linux = calls.linux;
const check = report_file.check;

const Error = error{Syscall};

pub fn cloneFlags(namespaces: schema.Namespaces) u64 {
    var flags: u64 = 0;
    if (namespaces.net) flags |= calls.CLONE_NEWNET;
    if (namespaces.ipc) flags |= calls.CLONE_NEWIPC;
    if (namespaces.uts) flags |= calls.CLONE_NEWUTS;
    if (namespaces.mnt) flags |= calls.CLONE_NEWNS;
    if (namespaces.pid) flags |= calls.CLONE_NEWPID;
    if (namespaces.cgroup) flags |= calls.CLONE_NEWCGROUP;
    if (namespaces.user) flags |= calls.CLONE_NEWUSER;
    return flags;
}

/// Of a pod that is to be reached from the host.
pub fn keepHostNetwork(host: *Host) void {
    const flags = calls.O_RDONLY | calls.O_CLOEXEC;
    const rc = calls.openat(host.proc.raw, "self/ns/net", flags, 0);
    if (linux.errno(rc) == .SUCCESS) host.network = .from(rc);
}

/// Before there is a plan. What fails here is met again, and told, when the plan asks for it.
pub fn makeAhead(host: *Host, flags: u64) void {
    if (flags == 0 or linux.errno(calls.unshare(flags)) != .SUCCESS) return;
    host.namespaces_made = flags;
    var report: Report = .{};
    if (flags & calls.CLONE_NEWNET == 0) return;
    bringLoopbackUp(&report) catch return;
    host.loopback_made_up = true;
}

pub fn enterNamespaces(context: *Context, op: schema.EnterNamespaces) Error!void {
    const wanted = cloneFlags(op.namespaces);
    // Made ahead, while the client planned; what it did not make fails here and is told.
    if (wanted == context.host.namespaces_made) return;
    _ = try check(context.report, .unshare, calls.unshare(wanted));
    context.host.namespaces_made = wanted;
}

/// A helper owns the new user namespace for as long as it takes to write its maps and open it; the
/// namespaces that it was born with belong to it, so root inside may mount their file systems.
pub fn makeUserNamespace(context: *Context, op: schema.MakeUserNamespace) Error!void {
    const report = context.report;
    var pidfd: i32 = -1;
    const args: calls.CloneArgs = .{
        .flags = calls.CLONE_NEWUSER | calls.CLONE_PIDFD | cloneFlags(op.namespaces),
        .pidfd = @intFromPtr(&pidfd),
        .exit_signal = @intFromEnum(linux.SIG.CHLD),
    };
    const pid = try check(report, .clone3, calls.clone3(&args));
    if (pid == 0) while (true) {
        _ = calls.prctl(@intFromEnum(linux.PR.SET_PDEATHSIG), 9, 0, 0, 0);
        _ = linux.syscall5(.ppoll, 0, 0, 0, 0, 0);
    };
    const helper: Fd = .{ .raw = pidfd };
    defer {
        _ = calls.pidfd_send_signal(helper.raw, 9);
        var info: [32]i32 align(8) = @splat(0);
        _ = linux.syscall5(
            .waitid,
            calls.P_PIDFD,
            calls.raw(helper.raw),
            @intFromPtr(&info),
            calls.W_EXITED,
            0,
        );
        helper.close();
    }

    try writeMap(context, pid, "/uid_map", op);
    try writeMap(context, pid, "/gid_map", op);
    _ = try check(report, .setns, calls.setns(helper.raw, cloneFlags(op.namespaces)));
    var path: [64]u8 = undefined;
    const name = procName(&path, pid, "/ns/user");
    const flags = calls.O_RDONLY | calls.O_CLOEXEC;
    const rc = calls.openat(context.host.proc.raw, name, flags, 0);
    context.fill(op.slot, .from(try check(report, .openat, rc)));
}

fn writeMap(
    context: *Context,
    pid: usize,
    file: []const u8,
    op: schema.MakeUserNamespace,
) Error!void {
    const report = context.report;
    var path: [64]u8 = undefined;
    const rc = calls.openat(
        context.host.proc.raw,
        procName(&path, pid, file),
        calls.O_WRONLY | calls.O_CLOEXEC,
        0,
    );
    const map: Fd = .from(try check(report, .openat, rc));
    defer map.close();

    var line: [64]u8 = undefined;
    var end: usize = 0;
    for ([_]u64{ 0, op.first_id, op.count }) |number| {
        var digits: [24]u8 = undefined;
        const text = mounts.format(&digits, number, 10);
        @memcpy(line[end..][0..text.len], text);
        line[end + text.len] = ' ';
        end += text.len + 1;
    }
    _ = try check(report, .write, linux.write(map.raw, &line, end));
}

/// `PID/name`, relative to the host's procfs.
pub fn procName(buffer: *[64]u8, pid: usize, name: []const u8) [:0]const u8 {
    var digits: [24]u8 = undefined;
    const number = mounts.format(&digits, pid, 10);
    @memcpy(buffer[0..number.len], number);
    @memcpy(buffer[number.len..][0..name.len], name);
    buffer[number.len + name.len] = 0;
    return buffer[0 .. number.len + name.len :0];
}

/// man 7 netdevice. ::1 comes with it.
pub fn loopbackUp(context: *Context) Error!void {
    if (context.host.loopback_made_up) return;
    try bringLoopbackUp(context.report);
}

fn bringLoopbackUp(report: *Report) Error!void {
    const flags = linux.SOCK.DGRAM | linux.SOCK.CLOEXEC;
    const socket: Fd = .from(try check(report, .socket, linux.socket(linux.AF.INET, flags, 0)));
    defer socket.close();

    const siocsifflags = 0x8914;
    const Request = extern struct { name: [16]u8, flags: u16, _: [22]u8 = @splat(0) };
    const iff_up = 1;
    var request: Request = .{ .name = @splat(0), .flags = iff_up };
    @memcpy(request.name[0..2], "lo");
    _ = try check(report, .ioctl, linux.ioctl(socket.raw, siocsifflags, @intFromPtr(&request)));
}

pub fn setHostname(context: *Context, op: schema.SetHostname) Error!void {
    _ = try check(context.report, .sethostname, calls.sethostname(context.view.text(op.name)));
}

/// Mounted on the one directory that the lean root has, never on "/" itself: a mount stacked on a
/// procfs would count as hiding it (fs/namespace.c, mnt_already_visible).
pub fn showProc(context: *Context) Error!void {
    try context.leaveHost();
    const config: mounts.Config = try .open(context.report, "proc");
    defer config.close();

    const proc = try config.create(.{ .nosuid = true, .nodev = true, .noexec = true });
    defer proc.close();

    const flags = calls.MOVE_MOUNT_F_EMPTY_PATH;
    _ = try check(
        context.report,
        .move_mount,
        calls.move_mount(proc.raw, "", calls.AT_FDCWD, "/proc", flags),
    );
}
