//! Clients at a process's streams: what they send is its input, what it writes is copied to them.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const protocol = @import("../plan/protocol.zig");
const keeper_file = @import("keeper.zig");
const stream = @import("stream.zig");
const Keeper = keeper_file.Keeper;
const Process = keeper_file.Process;
const Attachment = keeper_file.Attachment;
const linux = calls.linux;

/// Null `fds` are streams the client does not want. False when no place is free.
pub fn begin(keeper: *Keeper, process: *Process, fds: *[3]Fd) bool {
    for (&keeper.attachments, 0..) |*attachment, index| {
        if (attachment.process != protocol.no_process) continue;
        attachment.* = .{ .process = process.id, .input = fds[0], .out = fds[1], .err = fds[2] };
        fds.* = @splat(.none);
        for ([_]Fd{ attachment.input, attachment.out, attachment.err }) |fd| {
            if (fd.isOpen()) stream.setNonBlocking(fd.raw);
        }
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
    const is_device = linux.errno(rc) == .SUCCESS and stat.mode & calls.S_IFMT == calls.S_IFCHR;
    if (is_device) return attachment.input.release();
    keeper_file.watch(keeper, attachment.input.raw, .input, index, linux.EPOLL.IN);
}

pub fn onInput(keeper: *Keeper, index: u32) void {
    const attachment = &keeper.attachments[index];
    const process = keeper.find(attachment.process) orelse return detach(keeper, attachment);
    const held = &keeper.input_held[index];
    const rc = linux.read(attachment.input.raw, held, held.len);
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
    const held = &keeper.input_held[index];
    const rc = linux.write(target, held, attachment.held_bytes);
    const taken: u32 = switch (linux.errno(rc)) {
        .SUCCESS => @intCast(rc),
        .AGAIN, .INTR => 0,
        else => return endInput(keeper, process, attachment),
    };
    std.mem.copyForwards(u8, held, held[taken..attachment.held_bytes]);
    attachment.held_bytes -= taken;
    if (attachment.held_bytes > 0) {
        // Nobody would ever hear what became of it.
        if (!attachment.out.isOpen()) return detach(keeper, attachment);
        keeper_file.unwatch(keeper, attachment.input.raw);
        if (process.terminal.isOpen()) {
            // Its readiness is watched for output already; a terminal whose input is full is tried
            // again by the clock.
            const now = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC);
            keeper.input_retry_ns = now + 10 * std.time.ns_per_ms;
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
pub fn copyToClients(
    keeper: *Keeper,
    process: *Process,
    which: stream.Which,
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
pub fn clientsHaveRoom(keeper: *Keeper, process: *Process) bool {
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
    const err_gone = !attachment.err.isOpen() or hasGone(attachment.err);
    const mute = !attachment.input.isOpen() and err_gone;
    if (mute or attachment.held_bytes > 0) detach(keeper, attachment);
}

/// Nobody holds the other end of a pipe that we write to.
fn hasGone(sink: Fd) bool {
    var poll: [1]linux.pollfd = .{.{ .fd = sink.raw, .events = 0, .revents = 0 }};
    return linux.errno(
        linux.poll(&poll, 1, 0),
    ) == .SUCCESS and poll[0].revents & linux.POLL.ERR != 0;
}

pub fn detachAll(keeper: *Keeper, process: *Process) void {
    for (&keeper.attachments) |*attachment| {
        if (attachment.process == process.id) detach(keeper, attachment);
    }
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
