//! Operations of the `limit` stage: what the process gives up before it becomes somebody else's
//! program.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const schema = @import("../plan/schema.zig");
const Context = @import("context.zig").Context;
const report_file = @import("report.zig");
const linux = calls.linux;
const check = report_file.check;

const Error = error{Syscall};

pub fn setRlimit(context: *Context, op: schema.SetRlimit) Error!void {
    const limit: [2]u64 = .{ op.soft, op.hard };
    _ = try check(
        context.report,
        .prlimit64,
        linux.syscall4(.prlimit64, 0, op.resource, @intFromPtr(&limit), 0),
    );
}

/// The pair comes from the container's own devpts, so that ttyname works inside; the keeper gets
/// the other end over the status socket.
pub fn openTerminal(context: *Context, op: schema.OpenTerminal) Error!void {
    const report = context.report;
    // The working directory is the container's root here.
    const rc = calls.openat2(calls.AT_FDCWD, "dev/pts/ptmx", .{
        .flags = calls.O_RDWR | calls.O_NOCTTY | calls.O_CLOEXEC,
        .resolve = calls.RESOLVE_NO_SYMLINKS,
    });
    const master: Fd = .from(try check(report, .openat2, rc));
    defer master.close();

    try verifyMaster(context, master.raw);
    const tiocsptlck = 0x40045431;
    const tiocgptpeer = 0x5441;
    const unlocked: c_int = 0;
    _ = try check(report, .ioctl, linux.ioctl(master.raw, tiocsptlck, @intFromPtr(&unlocked)));
    const flags = calls.O_RDWR | calls.O_NOCTTY | calls.O_CLOEXEC;
    const slave: Fd = .from(try check(report, .ioctl, linux.ioctl(master.raw, tiocgptpeer, flags)));
    defer slave.close();

    const size: [4]u16 = .{ @intCast(op.rows & 0xffff), @intCast(op.columns & 0xffff), 0, 0 };
    _ = try check(report, .ioctl, linux.ioctl(slave.raw, linux.T.IOCSWINSZ, @intFromPtr(&size)));
    // The session is the child's own since before `enter`.
    _ = try check(report, .ioctl, linux.ioctl(slave.raw, linux.T.IOCSCTTY, 0));
    for (0..3) |number| {
        _ = try check(report, .dup3, linux.dup2(slave.raw, @intCast(number)));
    }
    try sendDescriptor(context, master.raw, .terminal);
}

/// A character device 5:2 that a devpts serves; nothing else is a terminal's master.
fn verifyMaster(context: *Context, master: i32) Error!void {
    const report = context.report;
    var stat: linux.Statx = undefined;
    _ = try check(
        report,
        .statx,
        linux.statx(master, "", calls.AT_EMPTY_PATH, .{ .TYPE = true }, &stat),
    );
    const is_ptmx = stat.mode & calls.S_IFMT == calls.S_IFCHR and
        stat.rdev_major == 5 and stat.rdev_minor == 2;
    if (!is_ptmx) return report_file.fail(report, .verify, .NOTTY);
}

pub fn sendDescriptor(context: *Context, fd: i32, what: report_file.Passed) Error!void {
    var byte: [1]u8 = .{@intFromEnum(what)};
    var part: std.posix.iovec_const = .{ .base = &byte, .len = 1 };
    const Control = extern struct { len: usize, level: i32, type: i32, fd: i32, _: i32 = 0 };
    const control: Control = .{
        .len = 20,
        .level = linux.SOL.SOCKET,
        .type = linux.SCM.RIGHTS,
        .fd = fd,
    };
    const message: linux.msghdr_const = .{
        .name = null,
        .namelen = 0,
        .iov = @ptrCast(&part),
        .iovlen = 1,
        .control = &control,
        .controllen = @sizeOf(Control),
        .flags = 0,
    };
    _ = try check(context.report, .sendmsg, linux.sendmsg(context.streams.status, &message, 0));
}

pub fn dropBounding(context: *Context, op: schema.DropBounding) Error!void {
    const cap_last_max = 63;
    for (0..cap_last_max + 1) |capability| {
        if (op.keep >> @intCast(capability) & 1 == 1) continue;
        const rc = calls.prctl(@intFromEnum(linux.PR.CAPBSET_DROP), capability, 0, 0, 0);
        if (linux.errno(rc) == .INVAL) return; // Past the last that this kernel has.
        _ = try check(context.report, .prctl, rc);
    }
}

/// Groups before ids, and ids before capabilities go: each needs the ones after it (man 7
/// capabilities).
pub fn setUser(context: *Context, op: schema.SetUser) Error!void {
    const report = context.report;
    _ = try check(report, .prctl, calls.prctl(@intFromEnum(linux.PR.SET_KEEPCAPS), 1, 0, 0, 0));
    const groups = context.view.slice(op.groups);
    const count = groups.len / @sizeOf(u32);
    _ = try check(report, .setgroups, linux.syscall2(.setgroups, count, @intFromPtr(groups.ptr)));
    _ = try check(report, .setresgid, linux.syscall3(.setresgid, op.gid, op.gid, op.gid));
    _ = try check(report, .setresuid, linux.syscall3(.setresuid, op.uid, op.uid, op.uid));
    _ = try check(report, .prctl, calls.prctl(@intFromEnum(linux.PR.SET_KEEPCAPS), 0, 0, 0, 0));
}

/// man 2 capset, version 3: two words of 32 bits a set. Declared here because std's header struct
/// has a wrong pid.
pub fn setCapabilities(context: *Context, op: schema.SetCapabilities) Error!void {
    const report = context.report;
    const Head = extern struct { version: u32, pid: i32 };
    const Sets = extern struct { effective: u32, permitted: u32, inheritable: u32 };
    const head: Head = .{ .version = 0x20080522, .pid = 0 };
    var sets: [2]Sets = undefined;
    for (&sets, 0..) |*words, index| {
        const shift: u6 = @intCast(index * 32);
        const permitted: u32 = @truncate(op.permitted >> shift);
        words.* = .{
            .effective = permitted,
            .permitted = permitted,
            .inheritable = @truncate(op.inheritable >> shift),
        };
    }
    _ = try check(report, .capset, linux.syscall2(.capset, @intFromPtr(&head), @intFromPtr(&sets)));
    const pr_cap_ambient = 47;
    const clear_all = 4;
    const raise = 2;
    _ = try check(report, .prctl, calls.prctl(pr_cap_ambient, clear_all, 0, 0, 0));
    for (0..64) |capability| {
        if (op.ambient >> @intCast(capability) & 1 == 0) continue;
        _ = try check(report, .prctl, calls.prctl(pr_cap_ambient, raise, capability, 0, 0));
    }
}

pub fn setNoNewPrivileges(context: *Context) Error!void {
    _ = try check(
        context.report,
        .prctl,
        calls.prctl(@intFromEnum(linux.PR.SET_NO_NEW_PRIVS), 1, 0, 0, 0),
    );
}

/// `struct sock_fprog`.
pub fn setSeccomp(context: *Context, op: schema.SetSeccomp) Error!void {
    const program = context.view.slice(op.program);
    const Program = extern struct { length: u16, _: [6]u8 = @splat(0), filter: u64 };
    const filter: Program = .{
        .length = @intCast(program.len / 8),
        .filter = @intFromPtr(program.ptr),
    };
    const set_mode_filter = 1;
    const rc = linux.syscall3(.seccomp, set_mode_filter, op.flags, @intFromPtr(&filter));
    _ = try check(context.report, .seccomp, rc);
}
