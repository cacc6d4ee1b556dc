//! The floor: the kernel work of a pod and nothing else, timed. See `usage`.
const std = @import("std");
const sys = @import("sys.zig");
const setup = @import("setup.zig");
const protocol = @import("protocol.zig");

pub const panic = std.debug.no_panic;
pub const _start = sys.start(entry);

comptime {
    @export(&_start, .{ .name = "_start" });
}

const usage =
    \\floor [--containers N] [--join M] [--rounds R] [--naive] [--steps] [--directory DIR] [--serve]
    \\
    \\Starts a pod of N containers (default 2), joins M more (default 0), takes all down; R times
    \\(default 20). Prints one JSON line: microseconds from request to all exec'd (up_us), to the
    \\last container's first instruction (first_us), of every join (joins_us), of the end
    \\(down_us). --steps adds where the time goes. --serve runs one round for each line on standard
    \\input and prints one line each. State is made in a new directory of DIR (default /var/tmp).
    \\
;

const rounds_max = 4096;
const joins_max = 1024;

const Arguments = struct {
    containers: u32 = 2,
    join: u32 = 0,
    rounds: u32 = 20,
    naive: bool = false,
    steps: bool = false,
    serve: bool = false,
    directory: []const u8 = "/var/tmp",
};

/// Sums over the rounds of one output line.
const Steps = struct {
    up: Totals = .{},
    join: Totals = .{},

    const Totals = struct {
        requests: u64 = 0,
        launcher: u64 = 0,
        keeper: sys.Ticks = @splat(0),
        helper: sys.Ticks = @splat(0),
        longest: sys.Ticks = @splat(0),
        /// From execve to the first instruction, of the container that took longest to set up.
        exec_ns: u64 = 0,
        wall_ns: u64 = 0,
    };
};

const Samples = struct {
    rounds: u32 = 0,
    up: [rounds_max]u64 = undefined,
    first: [rounds_max]u64 = undefined,
    down: [rounds_max]u64 = undefined,
    joins: [rounds_max]u64 = undefined,
    joined: u32 = 0,
    steps: Steps = .{},
};

var run: setup.Run = undefined;
var arguments: Arguments = .{};
var samples: Samples = .{};
var vfork_stack: [4096]u8 align(16) = undefined;
var ticks_per_us: u64 = 1;
const trace: sys.Trace = .{ .who = "launcher" };

fn entry(stack: [*]const usize) callconv(.c) noreturn {
    const count = stack[0];
    const argv: [*]const [*:0]const u8 = @ptrCast(stack + 1);
    if (!parse(argv[1..count])) {
        sys.print(2, &.{usage});
        sys.exit(2);
    }
    // Descriptor 3 stays free for the keeper's end of the socket.
    const placeholder = trace.fd(.setup, .openat, .{
        sys.AT_FDCWD, "/dev/null", sys.O_RDONLY | sys.O_CLOEXEC,
    });
    _ = trace.attempt(.setup, .dup3, .{ placeholder, protocol.socket, sys.O_CLOEXEC });
    sys.exit(supervise());
}

/// The measuring process is a child, so that whatever happens to it, somebody is left to clean up.
fn supervise() usize {
    describeRun();
    // SIGINT and SIGTERM end the child; this process waits for that.
    const blocked = [1]u64{1 << 1 | 1 << 14};
    const fork: sys.CloneArgs = .{};
    const pid = trace.call(.setup, .clone3, .{ &fork, @sizeOf(sys.CloneArgs) });
    if (pid == 0) {
        _ = sys.raw(.prctl, .{ 1, 9 });
        setup.prepare(&run, @embedFile("keeper"), @embedFile("stamp"));
        measure();
        sys.exit(0);
    }
    _ = sys.raw(.rt_sigprocmask, .{ 0, &blocked, 0, 8 });
    // Orphaned keepers and containers become children of this process and are reaped by it.
    _ = sys.raw(.prctl, .{ 36, 1 });
    var status: u32 = 1;
    waitFor(pid, &status);
    setup.cleanUp(&run);
    return if (status == 0) 0 else 1;
}

/// A terminating signal that comes to this process alone is passed on as SIGKILL.
fn waitFor(pid: usize, status: *u32) void {
    const signals = [1]u64{1 << 1 | 1 << 14 | 1 << 16};
    _ = sys.raw(.rt_sigprocmask, .{ 0, &signals, 0, 8 });
    while (true) {
        const done = sys.raw(.wait4, .{ pid, status, 1, 0 });
        if (done != 0) return;
        const signal = sys.raw(.rt_sigtimedwait, .{ &signals, 0, 0, 8 });
        if (signal == 2 or signal == 15) _ = sys.raw(.kill, .{ pid, 9 });
    }
}

fn describeRun() void {
    const pid = trace.call(.setup, .getpid, .{});
    var mountinfo: [65536]u8 = undefined;
    const cgroups = setup.cgroupRoot(&mountinfo) orelse {
        sys.print(2, &.{"floor: no cgroup2 mount\n"});
        sys.exit(1);
    };
    run = .{
        .directory = .of(&.{ arguments.directory, "/peapod-floor-" }),
        .cgroup = .of(&.{ cgroups, "/peapod-floor-" }),
        .options = undefined,
    };
    run.options = @bitCast(@as(u32, 0));
    run.options.naive = arguments.naive;
    run.options.timed = arguments.steps;
    run.directory.addNumber(pid);
    run.cgroup.addNumber(pid);
    _ = trace.call(.setup, .mkdirat, .{ sys.AT_FDCWD, run.directory.ptr(), 0o700 });
}

fn parse(words: []const [*:0]const u8) bool {
    var at: usize = 0;
    while (at < words.len) : (at += 1) {
        const word = std.mem.span(words[at]);
        const eql = std.mem.eql;
        if (eql(u8, word, "--naive")) {
            arguments.naive = true;
        } else if (eql(u8, word, "--steps")) {
            arguments.steps = true;
        } else if (eql(u8, word, "--serve")) {
            arguments.serve = true;
        } else {
            at += 1;
            if (at == words.len) return false;
            const value = std.mem.span(words[at]);
            if (eql(u8, word, "--directory")) {
                arguments.directory = value;
                if (value.len == 0 or value.len > 180 or value[0] != '/') return false;
                continue;
            }
            const number = std.fmt.parseInt(u32, value, 10) catch return false;
            if (eql(u8, word, "--containers")) {
                arguments.containers = number;
            } else if (eql(u8, word, "--join")) {
                arguments.join = number;
            } else if (eql(u8, word, "--rounds")) {
                arguments.rounds = number;
            } else return false;
        }
    }
    const containers = arguments.containers;
    if (arguments.serve) arguments.rounds = 1;
    if (containers == 0 or containers > protocol.containers_max) return false;
    return arguments.join <= joins_max and
        containers + arguments.join <= protocol.pod_containers_max and
        arguments.rounds > 0 and arguments.rounds * @max(1, arguments.join) <= rounds_max;
}

fn measure() void {
    calibrate();
    if (!arguments.serve) {
        for (0..arguments.rounds) |_| round();
        return report();
    }
    var line: [256]u8 = undefined;
    while (trace.call(.wait, .read, .{ 0, &line, line.len }) > 0) {
        round();
        report();
        samples.rounds = 0;
        samples.joined = 0;
        samples.steps = .{};
    }
}

fn calibrate() void {
    const ticks = sys.now();
    const time = sys.nanoseconds();
    while (sys.nanoseconds() - time < 2_000_000) {}
    ticks_per_us = @max(1, (sys.now() - ticks) * 1000 / (sys.nanoseconds() - time));
}

var pod_number: u32 = 0;

/// One pod from start to end, and its directory away again, which is not timed.
fn round() void {
    const at = samples.rounds;
    pod_number += 1;
    run.request.pod = pod_number;
    run.request.containers = arguments.containers;
    const began = sys.nanoseconds();
    const keeper = spawnKeeper();
    var reply: protocol.Reply = undefined;
    receive(keeper.socket, std.mem.asBytes(&reply));
    samples.up[at] = sys.nanoseconds() - began;
    samples.first[at] = settle(keeper.socket, reply, &samples.steps.up, .{
        .containers = arguments.containers,
        .began = began,
        .wall = samples.up[at],
        .launcher = keeper.ticks,
    });
    run.request.containers = 1;
    for (0..arguments.join) |_| {
        const asked = sys.nanoseconds();
        const joined = ask(keeper.socket, .join);
        const took = sys.nanoseconds() - asked;
        samples.joins[samples.joined] = took;
        samples.joined += 1;
        const span: Span = .{ .containers = 1, .began = asked, .wall = took, .launcher = 0 };
        _ = settle(keeper.socket, joined, &samples.steps.join, span);
    }
    const ending = sys.nanoseconds();
    _ = ask(keeper.socket, .down);
    _ = trace.call(.reap, .close, .{keeper.socket});
    _ = trace.call(.reap, .wait4, .{ keeper.pid, 0, 0, 0 });
    _ = trace.call(.cgroup, .unlinkat, .{ run.keepers_cgroup, podName().ptr(), sys.AT_REMOVEDIR });
    samples.down[at] = sys.nanoseconds() - ending;
    _ = trace.call(.reap, .close, .{keeper.pidfd});
    setup.removeTree(run.state, podName().ptr());
    samples.rounds += 1;
}

fn podName() sys.Text {
    var name: sys.Text = .of(&.{"pod"});
    name.addNumber(run.request.pod);
    return name;
}

const Keeper = struct { socket: i32, pid: usize, pidfd: i32, ticks: u64 };

/// Shares this process's memory until it has exec'd, so what it costs does not depend on how large
/// the caller is.
fn spawnKeeper() Keeper {
    var ticks: sys.Ticks = @splat(0);
    const timed: sys.Trace = .{ .who = "launcher", .ticks = if (arguments.steps) &ticks else null };
    const name = podName();
    _ = timed.call(.cgroup, .mkdirat, .{ run.keepers_cgroup, name.ptr(), 0o755 });
    const flags = sys.O_PATH | sys.O_DIRECTORY | sys.O_CLOEXEC;
    const group = timed.fd(.cgroup, .openat, .{ run.keepers_cgroup, name.ptr(), flags });
    var sockets: [2]i32 = undefined;
    _ = timed.call(.message, .socketpair, .{ 1, 5 | sys.O_CLOEXEC, 0, &sockets });
    // The request is there before the keeper is, which then need not sleep for it.
    run.request.kind = .up;
    const request_size = @sizeOf(protocol.Request);
    _ = timed.call(.message, .write, .{ sockets[0], &run.request, request_size });
    var pidfd: i32 = undefined;
    const clone: sys.CloneArgs = .{
        .flags = sys.CLONE_VM | sys.CLONE_VFORK | sys.CLONE_PIDFD | sys.CLONE_INTO_CGROUP,
        .pidfd = @intFromPtr(&pidfd),
        .stack = @intFromPtr(&vfork_stack),
        .stack_size = vfork_stack.len,
        .cgroup = @intCast(group),
    };
    const before = sys.now();
    const pid = sys.cloneOnto(&clone, becomeKeeper, @intCast(sockets[1]));
    ticks[@intFromEnum(sys.Step.spawn)] += sys.now() - before;
    if (pid < 0) trace.fail(.spawn, .clone3, @intCast(-pid));
    _ = timed.call(.message, .close, .{sockets[1]});
    _ = timed.call(.cgroup, .close, .{group});
    var total: u64 = 0;
    for (ticks) |value| total += value;
    return .{ .socket = sockets[0], .pid = @intCast(pid), .pidfd = pidfd, .ticks = total };
}

fn becomeKeeper(socket: usize) callconv(.c) noreturn {
    _ = sys.raw(.dup3, .{ socket, protocol.socket, 0 });
    const argv = [_:null]?[*:0]const u8{"keeper"};
    const environment = [_:null]?[*:0]const u8{};
    const result = sys.raw(.execveat, .{ run.keeper, "", &argv, &environment, sys.AT_EMPTY_PATH });
    trace.fail(.spawn, .execveat, @intCast(-result));
}

fn ask(socket: i32, kind: protocol.Kind) protocol.Reply {
    run.request.kind = kind;
    _ = trace.call(.message, .write, .{ socket, &run.request, @sizeOf(protocol.Request) });
    var reply: protocol.Reply = undefined;
    receive(socket, std.mem.asBytes(&reply));
    return reply;
}

/// A container that fails leaves its siblings at the gate; ten seconds of silence are taken for
/// that.
fn receive(socket: i32, bytes: []u8) void {
    var ready = extern struct { fd: i32, events: i16 = 1, revents: i16 = 0 }{ .fd = socket };
    const limit = [2]u64{ 10, 0 };
    if (trace.call(.wait, .ppoll, .{
        &ready, 1, &limit, 0, 8,
    }) == 0) trace.fail(.wait, .ppoll, 110);
    const size = trace.call(.wait, .read, .{ socket, bytes.ptr, bytes.len });
    if (size != bytes.len) trace.fail(.message, .read, 104);
}

const Span = struct { containers: u32, began: u64, wall: u64, launcher: u64 };

/// Fetches the first instructions' times after a request, and adds up its steps. Returns when the
/// last of them was.
fn settle(socket: i32, reply: protocol.Reply, totals: *Steps.Totals, span: Span) u64 {
    run.request.kind = .stamps;
    _ = trace.call(.message, .write, .{ socket, &run.request, @sizeOf(protocol.Request) });
    var stamps: protocol.Stamps = undefined;
    receive(socket, std.mem.asBytes(&stamps));
    var last: u64 = 0;
    for (stamps.first[0..span.containers]) |first| {
        if (first < span.began) trace.fail(.wait, .execve, 0);
        last = @max(last, first - span.began);
    }
    totals.requests += 1;
    totals.launcher += span.launcher;
    totals.wall_ns += span.wall;
    totals.exec_ns += stamps.first[reply.slowest] - stamps.exec_at[reply.slowest];
    for (&totals.keeper, reply.keeper) |*sum, value| sum.* += value;
    for (&totals.helper, reply.helper) |*sum, value| sum.* += value;
    for (&totals.longest, reply.longest) |*sum, value| sum.* += value;
    return last;
}

fn report() void {
    const output = @import("output.zig");
    output.text("{\"twin\":\"");
    output.text(if (arguments.naive) "naive" else "best");
    output.text("\",\"containers\":");
    output.number(arguments.containers);
    output.samples("up_us", samples.up[0..samples.rounds]);
    output.samples("first_us", samples.first[0..samples.rounds]);
    output.samples("joins_us", samples.joins[0..samples.joined]);
    output.samples("down_us", samples.down[0..samples.rounds]);
    if (arguments.steps) {
        inline for (.{ "up", "join" }) |name| {
            const totals = &@field(samples.steps, name);
            if (totals.requests > 0) output.steps(name, totals, ticks_per_us);
        }
    }
    output.text("}\n");
    output.flush();
}
