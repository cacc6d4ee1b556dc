//! The keeper's one loop. Nothing in it waits but epoll; everything else is a reaction.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const keeper_file = @import("keeper.zig");
const attach = @import("attach.zig");
const connection = @import("connection.zig");
const dial = @import("dial.zig");
const end = @import("end.zig");
const housekeeping = @import("housekeeping.zig");
const launch = @import("launch.zig");
const leave = @import("leave.zig");
const log = @import("log.zig");
const pace = @import("pace.zig");
const stream = @import("stream.zig");
const Keeper = keeper_file.Keeper;
const Process = keeper_file.Process;
const linux = calls.linux;

const control = 3;

pub fn run(keeper: *Keeper) noreturn {
    const rc = linux.epoll_create1(linux.EPOLL.CLOEXEC);
    if (linux.errno(rc) != .SUCCESS) linux.exit_group(1);
    keeper.epoll = .from(rc);
    connection.add(keeper, .{ .raw = control }, true);
    // What the client sent before it made us is here already.
    connection.receive(keeper, 0);
    var now = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC);
    while (true) {
        var events: [64]linux.epoll_event = undefined;
        const ready = wait(keeper, &events, now);
        if (linux.errno(ready) == .SUCCESS) {
            for (events[0..ready]) |event| react(keeper, event);
            if (ready == 0) idle(keeper);
        }
        now = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC);
        onTime(keeper, now);
    }
}

fn wait(keeper: *Keeper, events: []linux.epoll_event, now: i64) usize {
    var timeout: linux.kernel_timespec = undefined;
    const left = timeoutNs(keeper, now);
    if (left) |ns| timeout = .{
        .sec = @divFloor(ns, std.time.ns_per_s),
        .nsec = @mod(ns, std.time.ns_per_s),
    };
    return linux.syscall6(
        .epoll_pwait2,
        calls.raw(keeper.epoll.raw),
        @intFromPtr(events.ptr),
        events.len,
        if (left == null) 0 else @intFromPtr(&timeout),
        0,
        0,
    );
}

fn react(keeper: *Keeper, event: linux.epoll_event) void {
    const source: keeper_file.Source = @enumFromInt(@as(u8, @truncate(event.data.u64 >> 32)));
    const index: u32 = @truncate(event.data.u64);
    switch (source) {
        .listener => connection.accept(keeper),
        .connection => if (keeper.connections[index].fd.isOpen()) connection.receive(keeper, index),
        .input => if (keeper.attachments[index].input.isOpen()) attach.onInput(keeper, index),
        .dial => dial.onReady(keeper, index),
        .stdin_room => attach.onStdinRoom(keeper, index),
        .sink_room => if (keeper.attachments[index].out.isOpen()) attach.onSinkRoom(keeper, index),
        .status, .pidfd, .outer, .out, .err, .terminal => reactToProcess(
            keeper,
            source,
            &keeper.processes[index],
        ),
    }
}

/// An event may be about a descriptor that another event of the same batch has closed.
fn reactToProcess(keeper: *Keeper, source: keeper_file.Source, process: *Process) void {
    if (process.state == .free) return;
    switch (source) {
        .status => if (process.status.isOpen()) launch.onStatus(keeper, process),
        .pidfd => if (process.pidfd.isOpen()) leave.onExit(keeper, process),
        .outer => if (process.outer.isOpen()) leave.onOuterExit(keeper, process),
        .out => if (process.out.isOpen()) stream.onOutput(keeper, process, .out),
        .err => if (process.err.isOpen()) stream.onOutput(keeper, process, .err),
        .terminal => if (process.terminal.isOpen()) stream.onTerminal(keeper, process),
        else => {},
    }
}

/// Nothing to react to: what was put off while children build.
fn idle(keeper: *Keeper) void {
    if (keeper.later_due > 0) return runLater(keeper);
    if (keeper.sweep_due) return end.sweep(keeper);
    if (keeper.housekeeping_due) return housekeeping.run(keeper);
    if (keeper.launching == 0) launch.freeSpent(keeper);
}

/// One launch at a time, so that a child that has exec'd in between is heard of.
fn runLater(keeper: *Keeper) void {
    for (keeper.used()) |*process| {
        if (process.state == .free or !process.later_due) continue;
        launch.runLater(keeper, process) catch launch.failLater(process);
        return;
    }
}

/// Null for "until something happens".
fn timeoutNs(keeper: *Keeper, now: i64) ?i64 {
    if (keeper.housekeeping_due or keeper.later_due > 0) return 0;
    if (keeper.sweep_due) return 0;
    if (keeper.spent != null and keeper.launching == 0) return 0;
    var next: i64 = std.math.maxInt(i64);
    if (keeper.held_until_ns > 0) next = @min(next, keeper.held_until_ns);
    if (keeper.ending == .stopping) next = @min(next, keeper.kill_at_ns);
    if (keeper.log_retry_ns > 0) next = @min(next, keeper.log_retry_ns);
    if (keeper.input_retry_ns > 0) next = @min(next, keeper.input_retry_ns);
    if (keeper.rest_ns > 0) next = @min(next, keeper.rest_ns);
    if (dial.wakeNs(keeper)) |deadline| next = @min(next, deadline);
    if (log.wakeNs() > 0) next = @min(next, log.wakeNs());
    if (keeper.wake_ns > 0) next = @min(next, keeper.wake_ns);
    return if (next == std.math.maxInt(i64)) null else @max(0, next - now);
}

fn onTime(keeper: *Keeper, now: i64) void {
    log.onTime(now);
    end.onTime(keeper, now);
    dial.onTime(keeper, now);
    if (keeper.held_until_ns > 0 and now >= keeper.held_until_ns) connection.flush(keeper);
    if (keeper.log_retry_ns > 0 and now >= keeper.log_retry_ns) log.retry(keeper);
    if (keeper.rest_ns > 0 and now >= keeper.rest_ns) pace.onTime(keeper, now);
    if (keeper.input_retry_ns > 0 and now >= keeper.input_retry_ns) attach.retryInputs(keeper);
    if (keeper.wake_ns > 0 and now >= keeper.wake_ns) wakeProcesses(keeper, now);
}

/// A process that no longer waits costs one look in vain, at most.
fn wakeProcesses(keeper: *Keeper, now: i64) void {
    keeper.wake_ns = 0;
    for (keeper.used()) |*process| {
        if (process.state == .free or process.wake_ns == 0) continue;
        if (now < process.wake_ns) {
            keeper.wakeAt(process, process.wake_ns);
            continue;
        }
        process.wake_ns = 0;
        switch (process.state) {
            .leaving => leave.finish(keeper, process),
            .preparing, .building => launch.giveUp(keeper, process),
            .free, .running => {},
        }
    }
}
