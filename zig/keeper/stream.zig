//! A process's standard streams: pipes or a terminal on one side, the log on the other. Clients are
//! in attach.zig.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const Context = @import("../executor/context.zig").Context;
const report_file = @import("../executor/report.zig");
const keeper_file = @import("keeper.zig");
const attach = @import("attach.zig");
const log = @import("log.zig");
const leave = @import("leave.zig");
const pace = @import("pace.zig");
const Keeper = keeper_file.Keeper;
const Process = keeper_file.Process;
const linux = calls.linux;
const check = report_file.check;

pub const Which = @import("lines.zig").Which;

/// The descriptors of the launch request become the process's.
pub fn adopt(process: *Process, fds: *[3]Fd) void {
    process.passed = fds.*;
    fds.* = @splat(.none);
}

/// Both ends of everything, before the child is made.
pub fn open(process: *Process, context: *Context) error{Syscall}!void {
    const report = context.report;
    var pair: [2]i32 = undefined;
    const kind = linux.SOCK.SEQPACKET | linux.SOCK.CLOEXEC;
    _ = try check(report, .socketpair, linux.socketpair(linux.AF.UNIX, kind, 0, &pair));
    process.status = .{ .raw = pair[0] };
    context.streams.status = pair[1];
    if (process.flags.terminal) {
        context.streams.terminal = true;
        return;
    }
    if (process.flags.streams_passed) {
        for (&context.streams.child, process.passed) |*child, fd| {
            child.* = if (fd.isOpen()) fd.raw else 0;
        }
        return;
    }
    if (process.isPause()) return;
    if (process.flags.stdin) {
        const ends = try pipe(report);
        context.streams.child[0] = ends[0].raw;
        process.stdin = ends[1];
        // A container that does not read must not stop us.
        setNonBlocking(process.stdin.raw);
    }
    for ([_]*Fd{ &process.out, &process.err }, 1..) |ours, number| {
        const ends = try pipe(report);
        context.streams.child[number] = ends[1].raw;
        ours.* = ends[0];
    }
}

fn pipe(report: *report_file.Report) error{Syscall}![2]Fd {
    var ends: [2]i32 = undefined;
    _ = try check(report, .pipe2, linux.pipe2(&ends, .{ .CLOEXEC = true }));
    return .{ .{ .raw = ends[0] }, .{ .raw = ends[1] } };
}

/// The child has its copies; the last writer's end must not be ours.
pub fn closeChildEnds(process: *Process, context: *Context) void {
    if (context.streams.status >= 0) calls.close(context.streams.status);
    context.streams.status = -1;
    if (process.flags.terminal) return;
    if (process.flags.streams_passed) {
        for (&process.passed) |*fd| fd.release();
        return;
    }
    for (&context.streams.child) |*child| {
        if (child.* > 2) calls.close(child.*);
        child.* = 0;
    }
}

pub fn watch(keeper: *Keeper, process: *Process) void {
    const index = keeper.indexOf(process);
    if (process.out.isOpen()) keeper_file.watch(
        keeper,
        process.out.raw,
        .out,
        index,
        linux.EPOLL.IN,
    );
    if (process.err.isOpen()) keeper_file.watch(
        keeper,
        process.err.raw,
        .err,
        index,
        linux.EPOLL.IN,
    );
}

pub const Heard = enum { nothing, something, end };

/// A message of the child: a descriptor rides on it.
pub fn hear(keeper: *Keeper, process: *Process) Heard {
    var byte: [8]u8 = undefined;
    var part: std.posix.iovec = .{ .base = &byte, .len = byte.len };
    var control: [32]u8 align(8) = undefined;
    var message: linux.msghdr = .{
        .name = null,
        .namelen = 0,
        .iov = @ptrCast(&part),
        .iovlen = 1,
        .control = &control,
        .controllen = control.len,
        .flags = 0,
    };
    const rc = linux.recvmsg(
        process.status.raw,
        &message,
        linux.MSG.DONTWAIT | linux.MSG.CMSG_CLOEXEC,
    );
    const errno = linux.errno(rc);
    if (errno == .AGAIN or errno == .INTR) return .nothing;
    if (errno != .SUCCESS or rc == 0) return .end;
    if (message.controllen < 20) return .something;
    const fd: Fd = .{ .raw = std.mem.readInt(i32, control[16..20], .little) };
    switch (@as(report_file.Passed, @enumFromInt(byte[0]))) {
        .terminal => takeTerminal(keeper, process, fd),
        .message => {
            process.message.release();
            process.message = fd;
        },
        _ => fd.close(),
    }
    return .something;
}

fn takeTerminal(keeper: *Keeper, process: *Process, fd: Fd) void {
    process.terminal.release();
    process.terminal = fd;
    setNonBlocking(fd.raw);
    keeper_file.watch(keeper, fd.raw, .terminal, keeper.indexOf(process), linux.EPOLL.IN);
    if (!process.flags.streams_passed) return;
    const taken = attach.begin(keeper, process, &process.passed);
    if (!taken) for (&process.passed) |*end| end.release();
}

/// One read, one delivery: a busy stream takes turns with the others.
pub fn onOutput(keeper: *Keeper, process: *Process, which: Which) void {
    const source = if (which == .out) &process.out else &process.err;
    const bytes = log.read(source.raw);
    if (bytes.len == 0) {
        keeper_file.unwatch(keeper, source.raw);
        source.release();
        return leave.finish(keeper, process);
    }
    log.append(keeper, process, which, bytes);
    attach.copyToClients(keeper, process, which, bytes, .let_go);
    pace.onDelivery(keeper, process, source.raw, bytes.len);
}

pub fn onTerminal(keeper: *Keeper, process: *Process) void {
    const wait = process.flags.streams_passed;
    if (wait and !attach.clientsHaveRoom(keeper, process)) return;
    const bytes = log.readSome(
        process.terminal.raw,
        if (wait) 4096 else log.read_bytes_max,
    ) orelse return;
    if (bytes.len == 0) {
        keeper_file.unwatch(keeper, process.terminal.raw);
        process.terminal.release();
        return leave.finish(keeper, process);
    }
    log.append(keeper, process, .out, bytes);
    attach.copyToClients(keeper, process, .out, bytes, if (wait) .keep else .let_go);
}

/// Whether the log and the clients have all that the process has written. At the pod's end nobody
/// waits for a disk that is full or a client that does not read.
pub fn isDrained(keeper: *Keeper, process: *Process) bool {
    const hurried = keeper.ending == .killing;
    if (process.terminal.isOpen()) {
        const stuck = process.held_bytes > 0 or
            process.flags.streams_passed and !attach.clientsHaveRoom(keeper, process);
        return hurried and stuck;
    }
    const is_read = !process.out.isOpen() and !process.err.isOpen();
    return is_read or hurried and process.held_bytes > 0;
}

pub fn closeAll(keeper: *Keeper, process: *Process) void {
    attach.detachAll(keeper, process);
    for ([_]*Fd{
        &process.out,
        &process.err,
        &process.terminal,
        &process.stdin,
        &process.log.file,
    }) |fd| {
        if (fd.isOpen()) keeper_file.unwatch(keeper, fd.raw);
        fd.release();
    }
    process.log_directory.release();
    process.message.release();
    for (&process.passed) |*fd| fd.release();
    if (process.held.len > 0) keeper_file.unmap(process.held);
    process.held = &.{};
    process.held_bytes = 0;
}

pub fn setNonBlocking(fd: i32) void {
    const flags = linux.fcntl(fd, linux.F.GETFL, 0);
    if (linux.errno(flags) == .SUCCESS) _ = linux.fcntl(
        fd,
        linux.F.SETFL,
        flags | calls.O_NONBLOCK,
    );
}
