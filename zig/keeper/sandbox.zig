//! The plans that start no process: the sandbox and its network, its teardown, an update of one
//! that runs.

const calls = @import("../kernel/calls.zig");
const schema = @import("../plan/schema.zig");
const View = @import("../plan/view.zig").View;
const protocol = @import("../plan/protocol.zig");
const executor = @import("../executor/executor.zig");
const undo = @import("../executor/undo.zig");
const keeper_file = @import("keeper.zig");
const launch_file = @import("launch.zig");
const request = @import("request.zig");
const lean = @import("lean.zig");
const turns = @import("turns.zig");
const Keeper = keeper_file.Keeper;
const Client = keeper_file.Client;
const Launch = keeper_file.Launch;

pub fn start(keeper: *Keeper, client: Client, wish: *const protocol.Launch, view: View) void {
    const too_late = keeper.sandbox_up or keeper.ending != .no;
    if (too_late or keeper.network_failed) return request.refuse(keeper, client, .refused);
    const arrived = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC);
    keeper.detached = wish.flags.detached;
    keeper.grace_ms = wish.grace_ms;
    const launch = launch_file.allocate(keeper, view) orelse
        return request.refuse(keeper, client, .refused);
    defer launch_file.free(launch);

    const done = prepare(keeper, launch);
    if (!done) undo.undo(&launch.context, launch.report.operation);
    keeper.sandbox_up = done;
    keeper.housekeeping_due = done;
    launch_file.sendTrace(keeper, client, launch);
    if (done and wish.flags.quiet) return;
    launch_file.sendReply(keeper, client, if (done) .ok else .failed, launch.report, 0, arrived);
}

/// In a pool, or while the pod's first process builds its root: that waits at its gate until then.
pub fn makeNetwork(keeper: *Keeper, client: Client, wish: *const protocol.Launch, view: View) void {
    if (keeper.ending != .no) return request.refuse(keeper, client, .refused);
    const arrived = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC);
    const launch = launch_file.allocate(keeper, view) orelse
        return request.refuse(keeper, client, .refused);
    defer launch_file.free(launch);

    const done = if (executor.runPrepare(&launch.context)) true else |_| false;
    keeper.network_failed = !done;
    if (done) turns.passNetwork(keeper) else turns.refuseWaiting(keeper, protocol.network_turn);
    launch_file.sendTrace(keeper, client, launch);
    if (done and wish.flags.quiet) return;
    launch_file.sendReply(keeper, client, if (done) .ok else .failed, launch.report, 0, arrived);
}

fn prepare(keeper: *Keeper, launch: *Launch) bool {
    lean.enter(keeper, launch.report) catch return false;
    keeper.pristine = !mountsInKeeper(launch.context.view);
    executor.runPrepare(&launch.context) catch return false;
    executor.runLater(&launch.context) catch return false;
    return true;
}

/// Whether the pod's own file systems come to stand in the keeper's namespace: then no other keeper
/// may start from a copy of it.
fn mountsInKeeper(view: View) bool {
    var steps = view.steps();
    while (steps.next()) |step| switch (step.op) {
        .show_proc => return true,
        inline .make_tmpfs, .make_hugetlbfs => |op| if (op.attached != 0) return true,
        else => {},
    };
    return false;
}

/// Kept for the end of the pod; without a pod, carried out now: that is how `down` cleans up after
/// a keeper that died.
pub fn keepTeardown(
    keeper: *Keeper,
    client: Client,
    wish: *const protocol.Launch,
    bytes: []align(8) const u8,
) void {
    const memory = keeper_file.map(bytes.len, false) orelse return request.refuse(
        keeper,
        client,
        .refused,
    );
    @memcpy(memory[0..bytes.len], bytes);
    const place = if (wish.flags.when_alone) &keeper.last_teardown else &keeper.teardown;
    if (place.len > 0) keeper_file.unmap(place.*);
    place.* = memory;
    if (!keeper.sandbox_up and !wish.flags.when_alone) {
        const launch = openTeardown(keeper, memory) orelse
            return request.refuse(keeper, client, .invalid);
        defer launch_file.free(launch);

        const status = runTeardown(launch);
        launch.context.leaveHost() catch {};
        return request.reply(keeper, client, status, protocol.no_process);
    }
    if (!wish.flags.quiet) request.reply(keeper, client, .ok, protocol.no_process);
}

/// Null without a plan, and without memory.
pub fn openTeardown(keeper: *Keeper, plan: []align(4096) u8) ?*Launch {
    if (plan.len == 0) return null;
    const head: *const schema.Header = @ptrCast(plan.ptr);
    const view = View.init(plan[0..head.bytes]) catch return null;
    return launch_file.allocate(keeper, view);
}

/// Every step, whatever became of the one before: a teardown gets as far as it can, and may be run
/// again. It ends in the host's mount namespace.
pub fn runTeardown(launch: *Launch) protocol.Status {
    return if (executor.runAll(&launch.context)) .ok else .failed;
}

/// Of one process's own, or of what the pod shares: files of its volumes, limits of its groups.
pub fn runUpdate(keeper: *Keeper, client: Client, wish: *const protocol.Launch, view: View) void {
    const arrived = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC);
    const is_shared = wish.target == protocol.no_process;
    if (!keeper.sandbox_up or keeper.ending != .no) return request.refuse(keeper, client, .refused);
    const process = if (is_shared) null else keeper.find(wish.target) orelse
        return request.refuse(keeper, client, .no_such_process);
    const launch = launch_file.allocate(keeper, view) orelse
        return request.refuse(keeper, client, .refused);
    defer launch_file.free(launch);

    if (process) |found| launch_file.fillTarget(launch, found);
    const done = if (executor.runPrepare(&launch.context)) true else |_| false;
    if (!done) undo.undo(&launch.context, launch.report.operation);
    const status: protocol.Status = if (done) .ok else .failed;
    launch_file.sendReply(keeper, client, status, launch.report, wish.process, arrived);
}
