//! A process's standard streams: pipes or a terminal on one side, the log and attached clients on
//! the other.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const protocol = @import("../plan/protocol.zig");
const Context = @import("../executor/context.zig").Context;
const report_file = @import("../executor/report.zig");
const keeper_file = @import("keeper.zig");
const log = @import("log.zig");
const leave = @import("leave.zig");
const Keeper = keeper_file.Keeper;
const Process = keeper_file.Process;
const Attachment = keeper_file.Attachment;
const Stream = keeper_file.Stream;
const linux = calls.linux;
const check = report_file.check;

pub const Which = enum(u8) { out, err };

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
        for (&context.streams.child, process.passed) |*child, fd| child.* = if (fd.isOpen()) fd.raw else 0;
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
    for ([_]*Stream{ &process.out, &process.err }, 1..) |stream, number| {
        const ends = try pipe(report);
        context.streams.child[number] = ends[1].raw;
        stream.fd = ends[0];
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
    if (process.out.fd.isOpen()) keeper_file.watch(
        keeper,
        process.out.fd.raw,
        .out,
        index,
        linux.EPOLL.IN,
    );
    if (process.err.fd.isOpen()) keeper_file.watch(
        keeper,
        process.err.fd.raw,
        .err,
        index,
        linux.EPOLL.IN,
    );
}

/// True when a message came and the socket goes on; a terminal's master rides on it.
pub fn receiveTerminal(keeper: *Keeper, process: *Process) bool {
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
    if (errno == .AGAIN or errno == .INTR) return true;
    if (errno != .SUCCESS or rc == 0) return false;
    if (message.controllen < 20) return true;
    process.terminal.release();
    process.terminal = .{ .raw = std.mem.readInt(i32, control[16..20], .little) };
    setNonBlocking(process.terminal.raw);
    keeper_file.watch(
        keeper,
        process.terminal.raw,
        .terminal,
        keeper.indexOf(process),
        linux.EPOLL.IN,
    );
    if (process.flags.streams_passed) {
        if (!attach(keeper, process, &process.passed)) for (&process.passed) |*fd| fd.release();
    }
    return true;
}

/// One read, one delivery: a busy stream takes turns with the others.
pub fn onOutput(keeper: *Keeper, process: *Process, which: Which) void {
    const stream = if (which == .out) &process.out else &process.err;
    const bytes = log.read(stream.fd.raw);
    if (bytes.len == 0) {
        keeper_file.unwatch(keeper, stream.fd.raw);
        stream.fd.release();
        return leave.finish(keeper, process);
    }
    log.append(keeper, process, which, bytes);
    copyToClients(keeper, process, which, bytes, .let_go);
}

pub fn onTerminal(keeper: *Keeper, process: *Process) void {
    const wait = process.flags.streams_passed;
    if (wait and !clientsHaveRoom(keeper, process)) return;
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
    copyToClients(keeper, process, .out, bytes, if (wait) .keep else .let_go);
}

pub fn isDrained(keeper: *Keeper, process: *Process) bool {
    // A terminal's last output is read until its hang-up; a client that does not read it must not
    // hold the process here.
    if (process.terminal.isOpen() and !process.flags.streams_passed) return false;
    if (process.terminal.isOpen() and clientsHaveRoom(keeper, process)) return false;
    return !process.out.fd.isOpen() and !process.err.fd.isOpen();
}

/// Null `fds` are streams the client does not want. False when no place is free.
pub fn attach(keeper: *Keeper, process: *Process, fds: *[3]Fd) bool {
    for (&keeper.attachments, 0..) |*attachment, index| {
        if (attachment.process != protocol.no_process) continue;
        attachment.* = .{ .process = process.id, .input = fds[0], .out = fds[1], .err = fds[2] };
        fds.* = @splat(.none);
        for ([_]Fd{ attachment.input, attachment.out, attachment.err }) |fd| if (fd.isOpen()) setNonBlocking(fd.raw);
        watchInput(keeper, attachment, @intCast(index));
        // Without any event of its own it still tells when its reader has gone.
        if (attachment.out.isOpen()) keeper_file.watch(
            keeper,
            attachment.out.raw,
            .sink_room,
            @intCast(index),
            0,
        );
        return true;
    }
    return false;
}

/// /dev/null, which epoll refuses, is what a client sends that only looks on: the end of such an
/// input ends nothing.
fn watchInput(keeper: *Keeper, attachment: *Attachment, index: u32) void {
    if (!attachment.input.isOpen()) return;
    var stat: linux.Statx = undefined;
    const rc = linux.statx(attachment.input.raw, "", calls.AT_EMPTY_PATH, .{ .TYPE = true }, &stat);
    if (linux.errno(rc) == .SUCCESS and stat.mode & calls.S_IFMT == calls.S_IFCHR) return attachment.input.release();
    keeper_file.watch(keeper, attachment.input.raw, .input, index, linux.EPOLL.IN);
}

pub fn onInput(keeper: *Keeper, index: u32) void {
    const attachment = &keeper.attachments[index];
    const process = keeper.find(attachment.process) orelse return detach(keeper, attachment);
    const rc = linux.read(attachment.input.raw, &attachment.held, attachment.held.len);
    switch (linux.errno(rc)) {
        .SUCCESS => {},
        .AGAIN, .INTR => return,
        else => return endInput(keeper, process, attachment),
    }
    if (rc == 0) return endInput(keeper, process, attachment);
    attachment.held_bytes = @intCast(rc);
    passInput(keeper, process, attachment);
}

/// By the process's place: several clients may wait for it, and whoever waits may have gone.
pub fn onStdinRoom(keeper: *Keeper, index: u32) void {
    const process = &keeper.processes[index];
    if (!process.stdin.isOpen()) return;
    var waits = false;
    for (&keeper.attachments) |*attachment| {
        if (attachment.process != process.id or attachment.held_bytes == 0) continue;
        passInput(keeper, process, attachment);
        waits = waits or attachment.held_bytes > 0;
    }
    if (!waits and process.stdin.isOpen()) keeper_file.unwatch(keeper, process.stdin.raw);
}

/// What the process does not take now waits here, and no more is read from the client meanwhile.
fn passInput(keeper: *Keeper, process: *Process, attachment: *Attachment) void {
    const target = if (process.terminal.isOpen()) process.terminal.raw else process.stdin.raw;
    const index: u32 = @intCast(
        (@intFromPtr(attachment) - @intFromPtr(&keeper.attachments)) / @sizeOf(Attachment),
    );
    if (target < 0) return endInput(keeper, process, attachment);
    const rc = linux.write(target, &attachment.held, attachment.held_bytes);
    const taken: u32 = switch (linux.errno(rc)) {
        .SUCCESS => @intCast(rc),
        .AGAIN, .INTR => 0,
        else => return endInput(keeper, process, attachment),
    };
    std.mem.copyForwards(u8, &attachment.held, attachment.held[taken..attachment.held_bytes]);
    attachment.held_bytes -= taken;
    if (attachment.held_bytes > 0) {
        // Nobody would ever hear what became of it.
        if (!attachment.out.isOpen()) return detach(keeper, attachment);
        keeper_file.unwatch(keeper, attachment.input.raw);
        if (process.terminal.isOpen()) {
            // Its readiness is watched for output already; a terminal whose input is full is tried
            // again by the clock.
            keeper.input_retry_ns = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC) + 10 * std.time.ns_per_ms;
        } else {
            keeper_file.watch(
                keeper,
                target,
                .stdin_room,
                keeper.indexOf(process),
                linux.EPOLL.OUT,
            );
        }
        return;
    }
    keeper_file.watch(keeper, attachment.input.raw, .input, index, linux.EPOLL.IN);
}

pub fn retryInputs(keeper: *Keeper) void {
    keeper.input_retry_ns = 0;
    for (&keeper.attachments) |*attachment| {
        if (attachment.process == protocol.no_process or attachment.held_bytes == 0) continue;
        const process = keeper.find(attachment.process) orelse {
            detach(keeper, attachment);
            continue;
        };
        if (process.terminal.isOpen()) passInput(keeper, process, attachment);
    }
}

fn endInput(keeper: *Keeper, process: *Process, attachment: *Attachment) void {
    if (attachment.input.isOpen()) keeper_file.unwatch(keeper, attachment.input.raw);
    attachment.input.release();
    attachment.held_bytes = 0;
    closeOnce(keeper, process);
    if (!attachment.out.isOpen() and !attachment.err.isOpen()) attachment.* = .{};
}

/// The input of a stdinOnce container ends with its first client's.
fn closeOnce(keeper: *Keeper, process: *Process) void {
    if (!process.flags.stdin_once or !process.stdin.isOpen()) return;
    keeper_file.unwatch(keeper, process.stdin.raw);
    process.stdin.release();
}

const Slow = enum { keep, let_go };

/// A client of a logged container that can't keep up is let go: the log has everything, and the
/// container must not wait.
fn copyToClients(
    keeper: *Keeper,
    process: *Process,
    which: Which,
    bytes: []const u8,
    slow: Slow,
) void {
    for (&keeper.attachments) |*attachment| {
        if (attachment.process != process.id) continue;
        const sink = if (which == .out) attachment.out else attachment.err;
        if (!sink.isOpen()) continue;
        const rc = linux.write(sink.raw, bytes.ptr, bytes.len);
        const whole = linux.errno(rc) == .SUCCESS and rc == bytes.len;
        const gone = linux.errno(rc) == .PIPE;
        if (gone or (!whole and slow == .let_go)) detach(keeper, attachment);
    }
}

/// A pipe that polls writable takes PIPE_BUF bytes (man 7 pipe); the first that does not is watched
/// instead of the terminal.
fn clientsHaveRoom(keeper: *Keeper, process: *Process) bool {
    for (&keeper.attachments, 0..) |*attachment, index| {
        if (attachment.process != process.id or !attachment.out.isOpen()) continue;
        var poll: [1]linux.pollfd = .{
            .{ .fd = attachment.out.raw, .events = linux.POLL.OUT, .revents = 0 },
        };
        if (linux.errno(linux.poll(&poll, 1, 0)) != .SUCCESS) continue;
        if (poll[0].revents & linux.POLL.ERR != 0) {
            detach(keeper, attachment);
            continue;
        }
        if (poll[0].revents & linux.POLL.OUT != 0) continue;
        if (process.terminal.isOpen()) keeper_file.unwatch(keeper, process.terminal.raw);
        keeper_file.watch(keeper, attachment.out.raw, .sink_room, @intCast(index), linux.EPOLL.OUT);
        return false;
    }
    return true;
}

pub fn onSinkRoom(keeper: *Keeper, index: u32) void {
    const attachment = &keeper.attachments[index];
    const process = keeper.find(attachment.process) orelse return detach(keeper, attachment);
    if (process.terminal.isOpen() and process.flags.streams_passed) {
        keeper_file.watch(
            keeper,
            process.terminal.raw,
            .terminal,
            keeper.indexOf(process),
            linux.EPOLL.IN,
        );
    }
    if (!hasGone(attachment.out)) return keeper_file.watch(
        keeper,
        attachment.out.raw,
        .sink_room,
        index,
        0,
    );
    keeper_file.unwatch(keeper, attachment.out.raw);
    attachment.out.release();
    // What it sent before it went is still passed on, unless nobody takes it.
    const mute = !attachment.input.isOpen() and (!attachment.err.isOpen() or hasGone(attachment.err));
    if (mute or attachment.held_bytes > 0) detach(keeper, attachment);
}

/// Nobody holds the other end of a pipe that we write to.
fn hasGone(sink: Fd) bool {
    var poll: [1]linux.pollfd = .{.{ .fd = sink.raw, .events = 0, .revents = 0 }};
    return linux.errno(
        linux.poll(&poll, 1, 0),
    ) == .SUCCESS and poll[0].revents & linux.POLL.ERR != 0;
}

fn detach(keeper: *Keeper, attachment: *Attachment) void {
    if (attachment.input.isOpen()) if (keeper.find(attachment.process)) |process| closeOnce(
        keeper,
        process,
    );
    for ([_]*Fd{ &attachment.input, &attachment.out, &attachment.err }) |fd| {
        if (fd.isOpen()) keeper_file.unwatch(keeper, fd.raw);
        fd.release();
    }
    attachment.* = .{};
}

pub fn closeAll(keeper: *Keeper, process: *Process) void {
    for (&keeper.attachments) |*attachment| if (attachment.process == process.id) detach(
        keeper,
        attachment,
    );
    for ([_]*Fd{ &process.out.fd, &process.err.fd, &process.terminal, &process.stdin, &process.log.file }) |fd| {
        if (fd.isOpen()) keeper_file.unwatch(keeper, fd.raw);
        fd.release();
    }
    process.log_directory.release();
    for (&process.passed) |*fd| fd.release();
    for ([_]*Stream{ &process.out, &process.err }) |stream| {
        if (stream.held.len > 0) keeper_file.unmap(stream.held);
        stream.* = .{};
    }
}

fn setNonBlocking(fd: i32) void {
    const flags = linux.fcntl(fd, linux.F.GETFL, 0);
    if (linux.errno(flags) == .SUCCESS) _ = linux.fcntl(
        fd,
        linux.F.SETFL,
        flags | calls.O_NONBLOCK,
    );
}
