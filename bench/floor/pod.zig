//! What the keeper knows of its pod, and the page that it shares with children that have not exec'd
//! yet.
const std = @import("std");
const sys = @import("sys.zig");
const trace_file = @import("trace.zig");
const protocol = @import("protocol.zig");

const Trace = trace_file.Trace;

pub const Container = struct {
    index: u32,
    pid: usize = 0,
    cgroup: i32 = -1,
    pidfd: i32 = -1,
    /// The root, if it has been made already.
    root: i32 = -1,
    log: i32 = -1,
    /// The host's /usr with what lies on it, a detached tree of its own.
    usr: i32 = -1,
    stdout: [2]i32 = .{ -1, -1 },
    stderr: [2]i32 = .{ -1, -1 },
};

/// What stays known of a container that runs.
pub const Running = struct {
    pidfd: i32 = -1,
    stdout: i32 = -1,
    /// With a user namespace: of the process between.
    pid: usize = 0,
    gone: bool = false,
};

pub const Pod = struct {
    request: protocol.Request = undefined,
    trace: Trace = .{ .who = "keeper", .process = trace_file.keeper },
    shared: *Shared = undefined,
    containers: u32 = 0,
    commands: u32 = 0,
    /// Ended helpers that nobody has waited for.
    helpers: u32 = 0,
    directory: i32 = -1,
    logs: i32 = -1,
    cgroup: i32 = -1,
    shm: i32 = -1,
    files: i32 = -1,
    sysfs: i32 = -1,
    mqueue: i32 = -1,
    /// A read-only clone of an empty directory: what directories are masked with.
    mask: i32 = -1,
    lean_namespace: i32 = -1,
    user_namespace: i32 = -1,
    /// With a user namespace: the sources, shown with its ids.
    mapped: ?protocol.Sources = null,
    /// A pidfd of the keeper: the namespaces that it is in by then.
    self: i32 = -1,
    running: [protocol.pod_containers_max]Running = undefined,

    pub fn has(pod: *const Pod, level: protocol.Level) bool {
        return @intFromEnum(pod.request.options.level) >= @intFromEnum(level);
    }

    /// The trace of a process that is just beginning.
    pub fn traceOf(pod: *const Pod, who: []const u8, process: usize) Trace {
        const trace: Trace = .{ .who = who, .log = pod.trace.log, .process = @intCast(process) };
        trace.begin();
        return trace;
    }
};

pub const Shared = extern struct {
    /// How many of those who start together are ready for exec; the last to arrive opens the gate.
    arrived: u32,
    gate: u32,
    /// How many children have a table of descriptors of their own.
    parted: u32,
    /// The keeper has made the pod's namespaces.
    ready: u32,
    /// The helper has started the containers.
    started: u32,
};

/// Descriptors from here on belong to containers that run: no child needs them, so none copies
/// them.
pub const descriptors_kept: u32 = 1024;

/// A child is cloned with the keeper's table and takes its own copy of the low part: a fork would
/// copy all of it, which grows with every container of the pod.
pub fn ownDescriptors(trace: *const Trace, shared: *Shared) void {
    _ = trace.call(.clone, .close_range, .{ descriptors_kept, 0xffff_ffff, 2 });
    signal(trace, .parted, &shared.parted);
}

pub fn signal(trace: *const Trace, channel: trace_file.Channel, word: *u32) void {
    // What the other side sees first is the word.
    const event = trace.wakes(channel).open(.clone, .futex);
    _ = @atomicRmw(u32, word, .Add, 1, .acq_rel);
    _ = sys.raw(.futex, .{ word, 1, 1 });
    if (event) |made| made.end = sys.now();
}

pub fn await(
    trace: *const Trace,
    channel: trace_file.Channel,
    word: *u32,
    wanted: u32,
) void {
    while (true) {
        const value = @atomicLoad(u32, word, .acquire);
        if (value >= wanted) return;
        _ = trace.waits(channel).attempt(.wait, .futex, .{ word, 0, value, 0 });
    }
}

/// For what is due within the time that it takes to fall asleep and wake up.
pub fn awaitSoon(trace: *const Trace, channel: trace_file.Channel, word: *u32) void {
    const event = trace.waits(channel).open(.wait, .futex);
    for (0..20_000) |_| {
        if (@atomicLoad(u32, word, .acquire) != 0) break;
        std.atomic.spinLoopHint();
    }
    if (event) |made| made.end = sys.now();
    await(trace, channel, word, 1);
}

/// True for the last one, who opens the gate. It does not ask the keeper: that would cost two
/// switches of the CPU.
pub fn arrive(trace: *const Trace, shared: *Shared, expected: u32) bool {
    if (@atomicRmw(u32, &shared.arrived, .Add, 1, .acq_rel) + 1 < expected) return false;
    @atomicStore(u32, &shared.gate, 1, .release);
    if (expected > 1) _ = trace.wakes(.gate).call(.clone, .futex, .{ &shared.gate, 1, expected });
    return true;
}

/// Waits until all are ready.
pub fn passGate(trace: *const Trace, shared: *Shared, expected: u32) void {
    if (!arrive(trace, shared, expected)) await(trace, .gate, &shared.gate, 1);
}
