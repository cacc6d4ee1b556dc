//! What the keeper knows of its pod, and the page that it shares with children that have not exec'd
//! yet.
const sys = @import("sys.zig");
const protocol = @import("protocol.zig");

pub const Container = struct {
    index: u32,
    cgroup: i32 = -1,
    pidfd: i32 = -1,
    /// The writable root, if it has been made already.
    root: i32 = -1,
    log: i32 = -1,
    /// The host's /usr with what lies on it, a detached tree of its own.
    usr: i32 = -1,
    stdout: [2]i32 = .{ -1, -1 },
    stderr: [2]i32 = .{ -1, -1 },
};

pub const Pod = struct {
    request: protocol.Request = undefined,
    trace: sys.Trace = .{ .who = "keeper" },
    shared: *Shared = undefined,
    containers: u32 = 0,
    /// Ended helpers that nobody has waited for.
    helpers: u32 = 0,
    directory: i32 = -1,
    cgroup: i32 = -1,
    shm: i32 = -1,
    files: i32 = -1,
    sysfs: i32 = -1,
    mqueue: i32 = -1,
    /// Read-only clones of an empty directory and an empty file: what masks are made of.
    mask_directory: i32 = -1,
    mask_file: i32 = -1,
    lean_namespace: i32 = -1,
    stdout: [protocol.pod_containers_max]i32 = undefined,
};

/// One container being set up. Slots of a batch start at 0.
pub const Slot = extern struct { ticks: sys.Ticks, exec_at: u64 };

pub const Shared = extern struct {
    /// How many of the batch are ready to exec; the last to arrive opens the gate.
    arrived: u32,
    gate: u32,
    /// How many children have a table of descriptors of their own.
    parted: u32,
    /// The helper has made what it was started for.
    prepared: u32,
    slots: [protocol.containers_max]Slot,
};

/// Descriptors from here on belong to containers that run: no child needs them, so none copies
/// them.
pub const descriptors_kept: u32 = 1024;

/// A child is cloned with the keeper's table and takes its own copy of the low part: a fork would
/// copy all of it, which grows with every container of the pod.
pub fn ownDescriptors(trace: *const sys.Trace, shared: *Shared) void {
    _ = trace.call(.clone, .close_range, .{ descriptors_kept, 0xffff_ffff, 2 });
    signal(trace, &shared.parted);
}

pub fn signal(trace: *const sys.Trace, word: *u32) void {
    _ = @atomicRmw(u32, word, .Add, 1, .acq_rel);
    _ = trace.call(.clone, .futex, .{ word, 1, 1 });
}

pub fn await(trace: *const sys.Trace, word: *u32, wanted: u32) void {
    while (true) {
        const value = @atomicLoad(u32, word, .acquire);
        if (value >= wanted) return;
        _ = trace.attempt(.wait, .futex, .{ word, 0, value, 0 });
    }
}

/// Waits until all of the batch are ready. The last one does not ask the keeper: that would cost
/// two switches of the CPU.
pub fn passGate(trace: *const sys.Trace, shared: *Shared, batch: u32) void {
    if (@atomicRmw(u32, &shared.arrived, .Add, 1, .acq_rel) + 1 == batch) {
        @atomicStore(u32, &shared.gate, 1, .release);
        if (batch > 1) _ = trace.call(.wait, .futex, .{ &shared.gate, 1, @as(u32, 0x7fffffff) });
        return;
    }
    while (@atomicLoad(u32, &shared.gate, .acquire) == 0) {
        _ = trace.attempt(.wait, .futex, .{ &shared.gate, 0, 0, 0 });
    }
}
