//! The order in which a pod's first processes go on to their exec: each has a turn, and waits for
//! that of another.

const calls = @import("../kernel/calls.zig");
const protocol = @import("../plan/protocol.zig");
const keeper_file = @import("keeper.zig");
const Keeper = keeper_file.Keeper;

/// None for the processes that nobody waits for: execs, and whatever has a number past the table.
pub fn of(keeper: *Keeper, process: u32) ?*u32 {
    if (process >= protocol.processes_max) return null;
    if (keeper.host.turns == null) {
        const bytes = protocol.processes_max * @sizeOf(u32);
        const memory = keeper_file.map(bytes, true) orelse return null;
        keeper.host.turns = @ptrCast(memory.ptr);
    }
    return &keeper.host.turns.?[process];
}

/// Gone without ever having been past its gate.
pub fn hasFailed(keeper: *Keeper, process: u32) bool {
    if (process == protocol.network_turn) return keeper.network_failed;
    const turn = of(keeper, process) orelse return false;
    return keeper.find(process) == null and @atomicLoad(u32, turn, .acquire) == 0;
}

/// The pod's network is there.
pub fn passNetwork(keeper: *Keeper) void {
    const turn = of(keeper, protocol.network_turn) orelse return;
    @atomicStore(u32, turn, 1, .release);
    calls.futex_wake(turn);
}

/// Those whose turn comes after that process: their gate would stay shut until their deadline.
pub fn refuseWaiting(keeper: *Keeper, after: u32) void {
    if (after == protocol.no_process) return;
    for (keeper.used()) |*next| {
        const waits = next.state == .preparing or next.state == .building;
        if (!waits or next.after != after) continue;
        next.failed = .refused;
        _ = calls.pidfd_send_signal(next.pidfd.raw, 9);
    }
}
