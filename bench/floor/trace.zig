//! System calls that are fatal when they fail, and that can be written down: who made which call,
//! from when to when, and whom it woke. critical-path.ts reads that.
const std = @import("std");
const sys = @import("sys.zig");
const SYS = sys.SYS;

/// What a call was for. Names are printed as they stand.
pub const Step = enum(u8) {
    spawn,
    message,
    namespaces,
    loopback,
    cgroup,
    directories,
    pipes,
    clone,
    overlay,
    enter,
    usr,
    proc,
    dev,
    devpts,
    shm,
    mqueue,
    sysfs,
    cgroupfs,
    files,
    masks,
    readonly,
    limits,
    capabilities,
    seccomp,
    stdio,
    exec,
    /// Asleep until somebody else has done something: never counted as work.
    wait,
    reap,
    remove,
    setup,
};

/// What one process waits for and another one does.
pub const Channel = enum(u16) {
    none,
    request,
    reply,
    ready,
    started,
    parted,
    gate,
    execs,
    exited,
    /// Process n has begun.
    born = 256,
    _,

    pub fn birth(process: u16) Channel {
        return @enumFromInt(@intFromEnum(Channel.born) + process);
    }
};

pub const Edge = enum(u8) { none, waits, wakes };

/// In ticks. The end of a clone and of an exec is 0: they last until the next event of their
/// process, or until the first of the process that they begin.
pub const Event = extern struct {
    start: u64,
    end: u64,
    process: u16,
    call: u16,
    channel: Channel,
    step: Step,
    edge: Edge,
};

/// Shared by launcher, keeper and containers.
pub const Log = extern struct {
    count: u32 align(8),
    events: [events_max]Event,

    pub const events_max = 32768;

    fn add(log: *Log, event: Event) ?*Event {
        const index = @atomicRmw(u32, &log.count, .Add, 1, .monotonic);
        if (index >= events_max) return null;
        log.events[index] = event;
        return &log.events[index];
    }

    pub fn clear(log: *Log) void {
        @atomicStore(u32, &log.count, 0, .release);
    }

    pub fn slice(log: *const Log) []const Event {
        return log.events[0..@min(events_max, @atomicLoad(u32, &log.count, .acquire))];
    }
};

pub const launcher = 0;
pub const keeper = 1;
pub const helper = 2;
pub const command = 8;
/// Container n, or the n-th command.
pub const container = 16;
/// The same container, in its user namespace.
pub const inner = 2048;

pub const Trace = struct {
    who: []const u8,
    log: ?*Log = null,
    process: u16 = launcher,
    channel: Channel = .none,
    edge: Edge = .none,

    pub inline fn waits(trace: *const Trace, channel: Channel) Trace {
        var copy = trace.*;
        copy.channel = channel;
        copy.edge = .waits;
        return copy;
    }

    pub inline fn wakes(trace: *const Trace, channel: Channel) Trace {
        var copy = trace.*;
        copy.channel = channel;
        copy.edge = .wakes;
        return copy;
    }

    /// The first thing that a process writes down.
    pub fn begin(trace: *const Trace) void {
        const log = trace.log orelse return;
        const time = sys.now();
        trace.waits(.birth(trace.process)).add(log, .clone, .clone3, time, time);
    }

    /// Before a call that does not return.
    pub fn last(trace: *const Trace, step: Step, number: SYS) void {
        if (trace.log) |log| trace.add(log, step, number, sys.now(), 0);
    }

    /// Makes the call and returns its result; any error ends the process with one line on stderr.
    pub inline fn call(trace: *const Trace, step: Step, number: SYS, arguments: anytype) usize {
        return trace.must(step, number, &sys.words(arguments));
    }

    pub inline fn fd(trace: *const Trace, step: Step, number: SYS, arguments: anytype) i32 {
        return @intCast(trace.must(step, number, &sys.words(arguments)));
    }

    /// The same for calls whose failure has a meaning: the result is negative then.
    pub inline fn attempt(trace: *const Trace, step: Step, number: SYS, arguments: anytype) isize {
        return trace.timed(step, number, &sys.words(arguments));
    }

    /// A clone whose child shares this memory and begins on a stack of its own.
    pub fn cloneOnto(
        trace: *const Trace,
        process: u16,
        arguments: *const sys.CloneArgs,
        entry: *const fn (usize) callconv(.c) noreturn,
        context: usize,
    ) usize {
        const before = sys.now();
        const pid = sys.cloneOnto(arguments, entry, context);
        if (pid < 0) trace.fail(.clone, .clone3, @intCast(-pid));
        const after = sys.now();
        const log = trace.log orelse return @intCast(pid);
        trace.wakes(.birth(process)).add(log, .clone, .clone3, before, 0);
        // It may return so late that the child has answered already, and then was no work.
        const waited = arguments.flags & sys.CLONE_VFORK != 0;
        if (waited) trace.waits(.reply).add(log, .wait, .clone3, after, after);
        return @intCast(pid);
    }

    noinline fn must(
        trace: *const Trace,
        step: Step,
        number: SYS,
        arguments: *const [6]usize,
    ) usize {
        const result = trace.timed(step, number, arguments);
        if (result < 0) trace.fail(step, number, @intCast(-result));
        return @intCast(result);
    }

    // Out of line, so that the programs stay small: every page of theirs is a fault in every child.
    noinline fn timed(
        trace: *const Trace,
        step: Step,
        number: SYS,
        arguments: *const [6]usize,
    ) isize {
        const log = trace.log orelse return sys.sixWords(number, arguments);
        const before = sys.now();
        // Whom this wakes may look before it returns.
        if (trace.edge == .wakes) {
            const event = trace.put(log, step, number, before, 0);
            const result = sys.sixWords(number, arguments);
            // A fork comes by here in the child, too, where this is not its own.
            const forked = number == .clone3 and result == 0;
            if (event) |made| if (!forked) {
                made.end = sys.now();
            };
            return result;
        }
        const result = sys.sixWords(number, arguments);
        trace.add(log, step, number, before, sys.now());
        return result;
    }

    /// The caller makes the call, and says when it has ended.
    pub fn open(trace: *const Trace, step: Step, number: SYS) ?*Event {
        const log = trace.log orelse return null;
        return trace.put(log, step, number, sys.now(), 0);
    }

    /// What was measured before there was a log.
    pub fn note(
        trace: *const Trace,
        log: *Log,
        step: Step,
        number: SYS,
        start: u64,
        end: u64,
    ) void {
        trace.add(log, step, number, start, end);
    }

    fn add(trace: *const Trace, log: *Log, step: Step, number: SYS, start: u64, end: u64) void {
        _ = trace.put(log, step, number, start, end);
    }

    fn put(
        trace: *const Trace,
        log: *Log,
        step: Step,
        number: SYS,
        start: u64,
        end: u64,
    ) ?*Event {
        return log.add(.{
            .start = start,
            .end = end,
            .process = trace.process,
            .call = @intCast(@intFromEnum(number)),
            .channel = trace.channel,
            .step = step,
            .edge = trace.edge,
        });
    }

    pub fn fail(trace: *const Trace, step: Step, number: SYS, errno: usize) noreturn {
        @branchHint(.cold);
        sys.print(2, &.{
            "floor: ", trace.who, ": ", @tagName(step), ": ", @tagName(number), ": errno ",
        });
        var digits: [20]u8 = undefined;
        sys.print(2, &.{ sys.decimal(&digits, errno), "\n" });
        sys.exit(1);
    }
};

comptime {
    std.debug.assert(@sizeOf(Event) == 24);
}
