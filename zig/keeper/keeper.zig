//! Everything a keeper knows, in fixed tables. Functions that act on it live beside this file, one
//! concern each.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const schema = @import("../plan/schema.zig");
const protocol = @import("../plan/protocol.zig");
const context_file = @import("../executor/context.zig");
const report_file = @import("../executor/report.zig");
const dial = @import("dial.zig");
const Report = report_file.Report;
const Failure = report_file.Failure;
const linux = calls.linux;

pub const attachments_max = 32;
pub const held_bytes_max = 4096;

pub const Connection = struct {
    fd: Fd = .none,
    /// Tells a connection from a later one in the same place.
    generation: u32 = 0,
    owner: bool = false,
    subscribed: bool = false,
    /// Of the buffer below; a frame that is not whole yet stays in it.
    filled: u32 = 0,
    capacity: u32 = 0,
    buffer: [*]align(4096) u8 = undefined,
    fds: [protocol.frame_fds_max]Fd = @splat(.none),
    fds_count: u32 = 0,
    /// Answers that are held back, in `Keeper.held`.
    held_bytes: u32 = 0,
};

pub const Client = struct {
    connection: u32 = std.math.maxInt(u32),
    generation: u32 = 0,
    request: u32 = 0,
};

pub const State = enum(u8) {
    free,
    /// A helper works on the plan's prepare stage.
    preparing,
    /// The child builds, or waits at its gate.
    building,
    running,
    /// Reaped; its last output or its control group is still being seen to.
    leaving,
};

/// What a launch needs until its process has exec'd, in memory of its own that then goes.
pub const Launch = struct {
    context: context_file.Context,
    bytes: usize,
    report: *Report,
    /// In the keeper's list of those that are over.
    next: ?*Launch = null,
};

pub const Process = struct {
    state: State = .free,
    id: u32 = 0,
    attempt: u32 = 0,
    after: u32 = protocol.no_process,
    flags: protocol.LaunchFlags = .{},
    stop_signal: u32 = 15,
    client: Client = .{},
    launch: ?*Launch = null,
    /// Its `later` stage has still to run.
    later_due: bool = false,
    pidfd: Fd = .none,
    pid: u32 = 0,
    /// The first of two clones, gone as soon as the second was made.
    outer: Fd = .none,
    status: Fd = .none,
    failed: protocol.Status = .ok,
    /// The keeper's own, in what it does while the child builds.
    failure: ?Failure = null,
    stdin: Fd = .none,
    terminal: Fd = .none,
    out: Fd = .none,
    err: Fd = .none,
    /// Output that a full disk has not taken yet, of both; nothing is read meanwhile, so the
    /// writer waits.
    held: []align(4096) u8 = &.{},
    held_bytes: u32 = 0,
    /// Monotonic; of the last delivery, and what has come since.
    output_ns: i64 = 0,
    output_bytes: u32 = 0,
    /// Monotonic; when its output is listened to again. 0 for now.
    rest_ns: i64 = 0,
    /// Pipes that have been made wider: 1 is `out`, 2 is `err`.
    wide: u2 = 0,
    log: context_file.LogTarget = .{},
    /// Its last words: a file of the container's own.
    message: Fd = .none,
    /// Outlives the plan's slot, for rotation.
    log_directory: Fd = .none,
    /// Came with the launch: the process's own streams, or with a terminal the client's ends.
    passed: [3]Fd = @splat(.none),
    log_bytes: u64 = 0,
    /// The log ends in half a line.
    log_torn: bool = false,
    lines_dropped: u32 = 0,
    /// Of those, the ones that the log does not tell of yet.
    lines_unreported: u32 = 0,
    cgroup: Fd = .none,
    cgroup_parent: i32 = -1,
    cgroup_name: [80:0]u8 = @splat(0),
    record_index: u32 = protocol.no_process,
    arrived_ns: i64 = 0,
    /// Monotonic; of the launch, then of the next attempt to remove the control group. 0 for none.
    wake_ns: i64 = 0,
    started_ns: i64 = 0,
    ended_ns: i64 = 0,
    exit: calls.Exit = .{},
    helper_stack: []align(4096) u8 = &.{},
    /// Past its deadline and not gone yet: it holds up nothing.
    abandoned: bool = false,
    oom_kills: u32 = 0,
    memory_peak_bytes: u64 = 0,

    pub fn isPause(process: *const Process) bool {
        return process.flags.unrecorded and !process.flags.streams_passed;
    }

    pub fn isExec(process: *const Process) bool {
        return process.flags.unrecorded and process.flags.streams_passed;
    }
};

pub const Recorded = struct { process: u32, attempt: u32 };

pub const Attachment = struct {
    process: u32 = protocol.no_process,
    input: Fd = .none,
    out: Fd = .none,
    err: Fd = .none,
    /// Input that the process has not taken yet, in `Keeper.input_held`.
    held_bytes: u32 = 0,
};

pub const Ending = enum(u8) { no, stopping, killing, done };

pub const Keeper = struct {
    epoll: Fd,
    host: context_file.Host,
    seed: Fd,
    slots: [schema.pod_slots]Fd,
    listener: Fd,
    record: Fd,
    connections: [protocol.connections_max]Connection,
    processes: [protocol.processes_max]Process,
    /// One past the highest place in use.
    processes_used: u32,
    /// Of each place, `no_process` for an empty one: to look for a number in the table itself would
    /// touch all of it.
    ids: [protocol.processes_max]u32,
    /// Monotonic; no process wants to be woken before. 0 for never.
    wake_ns: i64,
    attachments: [attachments_max]Attachment,
    input_held: [attachments_max][512]u8,
    dials: [dial.in_flight_max]dial.Dial,
    /// One past the highest place that was ever in use; a place is written when it is taken.
    dials_used: u32,
    dialing: u32,
    records: u32,
    /// The record's entries in short, as many as `records` says.
    recorded: [protocol.processes_max]Recorded,
    /// Descriptors that owners hand on, by their place.
    kept: [protocol.kept_max]Fd,
    sandbox_up: bool,
    /// A pod without its network is none.
    network_failed: bool,
    detached: bool,
    /// Nothing of the pod is mounted in the keeper's own namespace.
    pristine: bool,
    /// Socket and record are made while the first children build.
    housekeeping_due: bool,
    /// Launches whose `later` stage has still to run.
    later_due: u32,
    /// Launches that are over and hold descriptors yet: the last close of a layer waits for RCU,
    /// and while others build it would make them wait.
    spent: ?*Launch,
    /// Processes on the way to their exec: those that have a launch.
    launching: u32,
    ending: Ending,
    grace_ms: u32,
    kill_at_ns: i64,
    /// When logs that a full disk has stopped are tried again; 0 for never.
    log_retry_ns: i64,
    /// The same for input that a terminal did not take.
    input_retry_ns: i64,
    /// The same for output that is left in its pipe for a moment.
    rest_ns: i64,
    /// The teardown under way, from the moment that all processes have been killed.
    sweep: ?*Launch,
    sweep_due: bool,
    /// Answers are collected, for some milliseconds at most.
    holding: bool,
    held_until_ns: i64,
    held: [protocol.connections_max][held_bytes_max]u8,
    teardown: []align(4096) u8,
    last_teardown: []align(4096) u8,
    started_ns: i64,
    mount_namespace: u32,

    pub fn init(keeper: *Keeper) void {
        keeper.epoll = .none;
        keeper.host = .{};
        keeper.seed = .none;
        keeper.slots = @splat(.none);
        keeper.listener = .none;
        keeper.record = .none;
        keeper.processes_used = 0;
        keeper.wake_ns = 0;
        keeper.dials_used = 0;
        keeper.dialing = 0;
        keeper.records = 0;
        keeper.kept = @splat(.none);
        keeper.sandbox_up = false;
        keeper.network_failed = false;
        keeper.detached = false;
        keeper.pristine = true;
        keeper.housekeeping_due = false;
        keeper.later_due = 0;
        keeper.spent = null;
        keeper.launching = 0;
        keeper.ending = .no;
        keeper.grace_ms = 0;
        keeper.kill_at_ns = 0;
        keeper.log_retry_ns = 0;
        keeper.input_retry_ns = 0;
        keeper.rest_ns = 0;
        keeper.sweep = null;
        keeper.sweep_due = false;
        keeper.holding = false;
        keeper.held_until_ns = 0;
        keeper.teardown = &.{};
        keeper.last_teardown = &.{};
        keeper.started_ns = calls.clock_gettime_ns(calls.CLOCK_REALTIME);
        keeper.mount_namespace = 0;
        for (&keeper.connections) |*connection| connection.* = .{};
        for (&keeper.attachments) |*attachment| attachment.process = protocol.no_process;
        // Places of the process table are written when they are taken: it is large, and an
        // untouched page costs nothing.
    }

    pub fn used(keeper: *Keeper) []Process {
        return keeper.processes[0..keeper.processes_used];
    }

    /// From here on a copy of the descriptors costs a child more than to share and to sort them.
    pub fn isCrowded(keeper: *const Keeper) bool {
        const many = 32;
        return keeper.processes_used > many;
    }

    pub fn find(keeper: *Keeper, id: u32) ?*Process {
        if (id == protocol.no_process) return null;
        const ids = keeper.ids[0..keeper.processes_used];
        const index = std.mem.findScalar(u32, ids, id) orelse return null;
        return &keeper.processes[index];
    }

    /// Whether that attempt of a process, or a later one, has got as far as running.
    pub fn hasRun(keeper: *const Keeper, process: u32, attempt: u32) bool {
        for (keeper.recorded[0..keeper.records]) |entry| {
            if (entry.process == process and entry.attempt >= attempt) return true;
        }
        return false;
    }

    pub fn owner(keeper: *const Keeper) ?u32 {
        for (&keeper.connections, 0..) |*connection, index| {
            if (connection.fd.isOpen() and connection.owner) return @intCast(index);
        }
        return null;
    }

    /// An empty place for a process of that number, cleared.
    pub fn take(keeper: *Keeper, id: u32) ?*Process {
        const ids = keeper.ids[0..keeper.processes_used];
        const index = std.mem.findScalar(u32, ids, protocol.no_process) orelse ids.len;
        if (index == keeper.processes.len) return null;
        if (index == ids.len) keeper.processes_used += 1;
        keeper.ids[index] = id;
        const process = &keeper.processes[index];
        process.* = .{ .id = id };
        return process;
    }

    pub fn giveBack(keeper: *Keeper, process: *Process) void {
        process.state = .free;
        keeper.ids[keeper.indexOf(process)] = protocol.no_process;
    }

    pub fn wakeAt(keeper: *Keeper, process: *Process, at_ns: i64) void {
        process.wake_ns = at_ns;
        if (keeper.wake_ns == 0 or at_ns < keeper.wake_ns) keeper.wake_ns = at_ns;
    }

    pub fn indexOf(keeper: *Keeper, process: *const Process) u32 {
        return @intCast((@intFromPtr(process) - @intFromPtr(&keeper.processes)) / @sizeOf(Process));
    }
};

/// What an epoll event is about: a kind, and a place in that kind's table.
pub const Source = enum(u8) {
    listener,
    connection,
    status,
    pidfd,
    outer,
    out,
    err,
    terminal,
    input,
    stdin_room,
    sink_room,
    dial,
};

pub fn watch(keeper: *Keeper, fd: i32, source: Source, index: u32, events: u32) void {
    var event = eventOf(source, index, events);
    const rc = linux.epoll_ctl(keeper.epoll.raw, linux.EPOLL.CTL_ADD, fd, &event);
    if (linux.errno(rc) == .EXIST) rewatch(keeper, fd, source, index, events);
}

/// Of what is watched; what is not stays so.
pub fn rewatch(keeper: *Keeper, fd: i32, source: Source, index: u32, events: u32) void {
    var event = eventOf(source, index, events);
    _ = linux.epoll_ctl(keeper.epoll.raw, linux.EPOLL.CTL_MOD, fd, &event);
}

fn eventOf(source: Source, index: u32, events: u32) linux.epoll_event {
    return .{
        .events = events,
        .data = .{ .u64 = @as(u64, @intFromEnum(source)) << 32 | index },
    };
}

pub fn unwatch(keeper: *Keeper, fd: i32) void {
    _ = linux.epoll_ctl(keeper.epoll.raw, linux.EPOLL.CTL_DEL, fd, null);
}

/// Zeroed pages, or null when the machine has none.
pub fn map(bytes: usize, shared: bool) ?[]align(4096) u8 {
    const size = std.mem.alignForward(usize, bytes, 4096);
    const flags: linux.MAP = .{ .TYPE = if (shared) .SHARED else .PRIVATE, .ANONYMOUS = true };
    const rc = linux.mmap(null, size, .{ .READ = true, .WRITE = true }, flags, -1, 0);
    if (linux.errno(rc) != .SUCCESS) return null;
    return @as([*]align(4096) u8, @ptrFromInt(rc))[0..size];
}

pub fn unmap(memory: []align(4096) const u8) void {
    _ = linux.munmap(memory.ptr, memory.len);
}
