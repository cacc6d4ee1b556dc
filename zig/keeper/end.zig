//! The end of a pod: stop signals, the grace, SIGKILL to the whole group, and nothing left on the
//! host.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const protocol = @import("../plan/protocol.zig");
const schema = @import("../plan/schema.zig");
const cgroup = @import("../executor/cgroup.zig");
const executor = @import("../executor/executor.zig");
const keeper_file = @import("keeper.zig");
const connection = @import("connection.zig");
const sandbox = @import("sandbox.zig");
const leave = @import("leave.zig");
const relay = @import("relay.zig");
const Keeper = keeper_file.Keeper;
const linux = calls.linux;

/// The pod of an owner that died ends with it; a keeper that never got a pod has nothing to stay
/// for.
pub fn ownerLeft(keeper: *Keeper) void {
    if (!keeper.sandbox_up) linux.exit_group(0);
    if (!keeper.detached) begin(keeper, keeper.grace_ms) else relay.ownerLeft(keeper);
}

/// What a helper that was killed gets to go; one that waits for a dead server never will.
const helper_patience_ns = 200 * std.time.ns_per_ms;

/// Called again it can only shorten the grace.
pub fn begin(keeper: *Keeper, grace_ms: u32) void {
    const now = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC);
    const kill_at = now + @as(i64, grace_ms) * std.time.ns_per_ms;
    keeper.kill_at_ns = if (keeper.ending == .no) kill_at else @min(kill_at, keeper.kill_at_ns);
    if (grace_ms == 0) kill(keeper) else if (keeper.ending == .no) stop(keeper);
    progress(keeper);
}

fn stop(keeper: *Keeper) void {
    keeper.ending = .stopping;
    for (keeper.used()) |*process| switch (process.state) {
        .running => if (!process.isPause() and !process.isExec()) {
            _ = calls.pidfd_send_signal(process.pidfd.raw, process.stop_signal);
        },
        .preparing, .building => _ = calls.pidfd_send_signal(process.pidfd.raw, 9),
        .free, .leaving => {},
    };
}

pub fn onTime(keeper: *Keeper, now_ns: i64) void {
    if (keeper.ending == .stopping and now_ns >= keeper.kill_at_ns) kill(keeper);
}

/// By the pod's group: what a container forked away, and what joined it, goes too.
fn kill(keeper: *Keeper) void {
    keeper.ending = .killing;
    keeper.holding = true;
    cgroup.kill(podGroup(keeper));
    if (keeper.sweep == null) {
        keeper.sweep = sandbox.openTeardown(keeper, keeper.teardown);
        keeper.sweep_due = keeper.sweep != null;
    }
    // A child is born in its group, but a helper lives in the keeper's.
    for (keeper.used()) |*process| {
        if (process.state != .preparing or process.abandoned) continue;
        _ = calls.pidfd_send_signal(process.pidfd.raw, 9);
        const now = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC);
        keeper.wakeAt(process, now + helper_patience_ns);
    }
    // While the container still holds what its file lies on, giving that up costs nothing.
    for (keeper.used()) |*process| if (process.state != .free) process.message.release();
    // Whoever waited for a disk or a client does so no longer.
    for (keeper.used()) |*process| leave.finish(keeper, process);
}

/// While the kernel ends what was killed: on two processors that costs no time, and the mounts that
/// still show these directories go with the processes. A few entries at a time, between the exits.
pub fn sweep(keeper: *Keeper) void {
    const entries_max = 16;
    const launch = keeper.sweep orelse return;
    keeper.sweep_due = executor.runSomeWhileLeaving(&launch.context, entries_max);
}

fn podGroup(keeper: *Keeper) i32 {
    return keeper.slots[@intFromEnum(schema.Slot.pod_cgroup)].raw;
}

/// Called whenever a process has gone.
pub fn progress(keeper: *Keeper) void {
    if (keeper.ending == .no) return;
    var left: u32 = 0;
    var containers: u32 = 0;
    for (keeper.used()) |*process| {
        if (process.state == .free or process.abandoned) continue;
        left += 1;
        if (!process.isPause() and !process.isExec()) containers += 1;
    }
    if (left == 0) finish(keeper);
    if (containers == 0 and keeper.ending == .stopping) kill(keeper);
}

fn finish(keeper: *Keeper) noreturn {
    // The teardown opens what it needs by name; mounts and groups held here would only keep them
    // busy.
    for (&keeper.slots) |*slot| slot.release();
    const begun = keeper.sweep orelse sandbox.openTeardown(keeper, keeper.teardown);
    const status: protocol.Status = if (begun) |launch|
        sandbox.runTeardown(launch)
    else if (keeper.teardown.len > 0) .failed else .ok;
    const body: protocol.Reply = .{
        .status = status,
        .process = protocol.no_process,
        .pid = @intCast(linux.getpid()),
        .operation = 0,
        .call = 0,
        .errno = 0,
        .elapsed_ns = 0,
    };
    connection.announce(keeper, .ended, &body);
    connection.flush(keeper);
    // A helper that never came back holds our descriptors open: the end has to be said aloud.
    for (keeper.connections) |client| {
        if (client.fd.isOpen()) _ = linux.shutdown(client.fd.raw, linux.SHUT.WR);
    }
    // A client removes the keeper's own group when it has gone. Leaving the group first takes the
    // kernel a grace period of some ten milliseconds, so it is done only where nobody waits.
    for (keeper.connections) |client| if (client.fd.isOpen()) linux.exit_group(0);
    if (sandbox.openTeardown(keeper, keeper.last_teardown)) |last| _ = sandbox.runTeardown(last);
    linux.exit_group(0);
}
