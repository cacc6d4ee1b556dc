//! From a launch request to a running process, or to nothing: prepare, spawn, gate, exec'd; undone
//! at any failure.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const schema = @import("../plan/schema.zig");
const View = @import("../plan/view.zig").View;
const protocol = @import("../plan/protocol.zig");
const layout = @import("../plan/layout.zig");
const Context = @import("../executor/context.zig").Context;
const end = @import("end.zig");
const executor = @import("../executor/executor.zig");
const undo = @import("../executor/undo.zig");
const report_file = @import("../executor/report.zig");
const keeper_file = @import("keeper.zig");
const connection_file = @import("connection.zig");
const request = @import("request.zig");
const helper = @import("helper.zig");
const housekeeping = @import("housekeeping.zig");
const leave = @import("leave.zig");
const record = @import("record.zig");
const sandbox = @import("sandbox.zig");
const stream = @import("stream.zig");
const turns = @import("turns.zig");
const Keeper = keeper_file.Keeper;
const Process = keeper_file.Process;
const Launch = keeper_file.Launch;
const Client = keeper_file.Client;
const Report = report_file.Report;
const linux = calls.linux;

/// Above the numbers that launches need while they run, so that those stay low.
const first_high = 1024;
const wish_bytes = @sizeOf(protocol.Launch);

pub fn begin(
    keeper: *Keeper,
    index: u32,
    client: Client,
    fds_count: u32,
    body: []align(8) const u8,
) void {
    var fds = connection_file.takeDescriptors(keeper, index, fds_count);
    defer for (&fds) |*fd| fd.release();

    if (body.len <= wish_bytes) return request.refuse(keeper, client, .invalid);
    const wish: *const protocol.Launch = @ptrCast(body.ptr);
    const bytes: []align(8) const u8 = @alignCast(body[wish_bytes..]);
    if (bytes.len >= @sizeOf(schema.Header)) {
        const head: *const schema.Header = @ptrCast(bytes.ptr);
        if (head.layout != layout.hash) return request.refuse(keeper, client, .layout);
    }
    const view = View.init(bytes) catch return request.refuse(keeper, client, .invalid);
    switch (view.header().kind) {
        .sandbox => sandbox.start(keeper, client, wish, view),
        .network => sandbox.makeNetwork(keeper, client, wish, view),
        .teardown => sandbox.keepTeardown(keeper, client, wish, bytes),
        .update => sandbox.runUpdate(keeper, client, wish, view),
        .container => if (keeper.connections[index].owner)
            startProcess(keeper, client, wish, view, &fds)
        else
            request.refuse(keeper, client, .refused),
        .exec => startProcess(keeper, client, wish, view, &fds),
    }
}

/// The plan, the context and the report of one launch.
pub fn allocate(keeper: *Keeper, view: View) ?*Launch {
    const bytes = @sizeOf(Launch) + 8 + view.bytes.len;
    const memory = keeper_file.map(bytes, false) orelse return null;
    const shared = keeper_file.map(@sizeOf(Report), true) orelse {
        keeper_file.unmap(memory);
        return null;
    };
    const plan: []align(8) u8 = @alignCast(
        memory[std.mem.alignForward(usize, @sizeOf(Launch), 8)..][0..view.bytes.len],
    );
    @memcpy(plan, view.bytes);
    const made: *Launch = @ptrCast(memory.ptr);
    const report: *Report = @ptrCast(shared.ptr);
    report.tracing = @intFromBool(view.header().flags.trace);
    made.* = .{
        .context = .{
            .view = .{ .bytes = plan },
            .report = report,
            .host = &keeper.host,
            .pod = &keeper.slots,
        },
        .bytes = memory.len,
        .report = report,
    };
    return made;
}

pub fn free(launch: *Launch) void {
    launch.context.closePlanSlots();
    launch.context.log.file.release();
    keeper_file.unmap(@as([*]align(4096) u8, @ptrCast(@alignCast(launch.report)))[0..4096]);
    keeper_file.unmap(@as([*]align(4096) u8, @ptrCast(@alignCast(launch)))[0..launch.bytes]);
}

pub fn fillTarget(launch: *Launch, target: *const Process) void {
    launch.context.fill(.target_process, Fd.copyOf(target.pidfd.raw));
    launch.context.fill(.target_cgroup, Fd.copyOf(target.cgroup.raw));
}

fn startProcess(
    keeper: *Keeper,
    client: Client,
    wish: *const protocol.Launch,
    view: View,
    fds: *[3]Fd,
) void {
    if (!keeper.sandbox_up or keeper.ending != .no) return request.refuse(keeper, client, .refused);
    if (keeper.find(wish.process) != null) return request.refuse(keeper, client, .busy);
    const is_recorded = !wish.flags.unrecorded;
    if (is_recorded and keeper.hasRun(wish.process, wish.attempt))
        return request.refuse(keeper, client, .stale);
    if (turns.hasFailed(keeper, wish.after)) return request.refuse(keeper, client, .refused);
    const is_exec = view.header().kind == .exec;
    const has_target = is_exec or wish.target != protocol.no_process;
    const target = if (has_target) keeper.find(wish.target) else null;
    if (has_target) {
        const found = target orelse return request.refuse(keeper, client, .no_such_process);
        if (found.state != .running) return request.refuse(keeper, client, .no_such_process);
    }
    const launch = allocate(keeper, view) orelse return request.refuse(keeper, client, .refused);
    const process = keeper.take(wish.process) orelse {
        free(launch);
        return request.refuse(keeper, client, .refused);
    };
    const now = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC);
    process.* = .{
        .state = .building,
        .id = wish.process,
        .attempt = wish.attempt,
        .after = wish.after,
        .flags = wish.flags,
        .stop_signal = wish.stop_signal,
        .client = client,
        .launch = launch,
        .arrived_ns = now,
    };
    keeper.wakeAt(process, now + @as(i64, view.header().deadline_ms) * std.time.ns_per_ms);
    keeper.launching += 1;
    if (target) |found| {
        fillTarget(launch, found);
        if (is_exec) process.cgroup_parent = found.cgroup.raw;
    }
    stream.adopt(process, fds);
    if (view.header().flags.may_hang) {
        process.state = .preparing;
        helper.start(keeper, process) catch fail(keeper, process, .failed);
        return;
    }
    executor.runPrepare(&launch.context) catch return fail(keeper, process, .failed);
    continueWithSpawn(keeper, process);
}

pub fn continueWithSpawn(keeper: *Keeper, process: *Process) void {
    const launch = process.launch.?;
    const context = &launch.context;
    context.turn = turns.of(keeper, process.id);
    context.turn_before = turns.of(keeper, process.after);
    stream.open(process, context) catch return fail(keeper, process, .failed);
    const is_crowded = keeper.isCrowded();
    context.shares_descriptors = is_crowded;
    const spawned = executor.runSpawn(context);
    stream.closeChildEnds(process, context);
    spawned catch return fail(keeper, process, .failed);

    process.state = .building;
    process.pid = context.pid;
    process.pidfd = context.process;
    context.process = .none;
    if (is_crowded) inline for (.{ "pidfd", "out", "err", "stdin" }) |name| {
        @field(process, name).raise(first_high);
    };
    process.later_due = true;
    keeper.later_due += 1;
    keepGroup(process, context);
    keepProcess(process, context);
    const index = keeper.indexOf(process);
    keeper_file.watch(keeper, process.pidfd.raw, .pidfd, index, linux.EPOLL.IN);
    // Its end is always told; what it says before can wait until then, but for a terminal.
    const events: u32 = if (process.flags.terminal) linux.EPOLL.IN else 0;
    keeper_file.watch(keeper, process.status.raw, .status, index, events);
}

/// While the child builds, or when it was faster, before anybody hears of it: the log is there
/// before it is written.
pub fn runLater(keeper: *Keeper, process: *Process) error{Syscall}!void {
    if (!process.later_due) return;
    process.later_due = false;
    keeper.later_due -= 1;
    const context = &process.launch.?.context;
    // The child goes on writing into the shared one until the signal reaches it.
    var own: Report = .{};
    const shared = context.report;
    context.report = &own;
    defer context.report = shared;
    executor.runLater(context) catch |err| {
        process.failure = .of(&own);
        return err;
    };
    process.log = context.log;
    process.log_directory = Fd.copyOf(context.log.directory);
    if (keeper.isCrowded()) {
        process.log.file.raise(first_high);
        process.log_directory.raise(first_high);
        process.cgroup.raise(first_high);
        process.message.raise(first_high);
    }
    context.log.file = .none;
    stream.watch(keeper, process);
}

/// The group and what it takes to remove it, from the plan's `make_cgroup`.
fn keepGroup(process: *Process, context: *Context) void {
    var steps = context.view.steps();
    while (steps.next()) |step| switch (step.op) {
        .make_cgroup => |made| {
            const name = context.view.text(made.name);
            const length = @min(name.len, process.cgroup_name.len);
            @memcpy(process.cgroup_name[0..length], name[0..length]);
            if (process.cgroup_parent < 0) process.cgroup_parent = context.slot(made.parent);
            process.cgroup = Fd.copyOf(context.slot(made.slot));
        },
        else => {},
    };
}

/// The pidfd that `spawn` wants kept for the pod's other processes.
fn keepProcess(process: *Process, context: *Context) void {
    var steps = context.view.steps();
    while (steps.next()) |step| switch (step.op) {
        .spawn => |made| context.fill(made.keep_process, Fd.copyOf(process.pidfd.raw)),
        else => {},
    };
}

/// The status socket spoke: a terminal's master arrives, or its end, which means exec'd or dead.
pub fn onStatus(keeper: *Keeper, process: *Process) void {
    const launch = process.launch orelse return;
    while (true) switch (stream.hear(keeper, process)) {
        .nothing => return,
        .something => {},
        .end => break,
    };
    keeper_file.unwatch(keeper, process.status.raw);
    process.status.release();
    adoptInner(keeper, process);
    const report = launch.report;
    // What the keeper has given up may have exec'd all the same before the signal reached it.
    if (process.failed != .ok or report.failed != 0 or report.executing == 0) {
        // Killed by its own filter, or for want of memory: what it noted last is not the reason.
        if (process.failed == .ok and report.failed == 0) {
            report.call = .none;
            report.errno = 0;
        }
        process.failed = if (process.failed == .ok) .failed else process.failed;
        // Killed at its gate, or about to exit by itself.
        _ = calls.pidfd_send_signal(process.pidfd.raw, 9);
        return;
    }
    runLater(keeper, process) catch return failLater(process);
    started(keeper, process);
}

/// Without its log a process does not run: it is killed, and its launch fails when it has been
/// reaped.
pub fn failLater(process: *Process) void {
    process.failed = .failed;
    _ = calls.pidfd_send_signal(process.pidfd.raw, 9);
}

/// Past its deadline. A helper or child that waits in the kernel for a dead server can't be killed
/// before that answers, so the client hears at once, and nobody waits for the process any more.
pub fn giveUp(keeper: *Keeper, process: *Process) void {
    const launch = process.launch orelse return;
    process.failed = if (keeper.ending == .no) .timed_out else .refused;
    process.abandoned = true;
    sendReply(
        keeper,
        process.client,
        process.failed,
        launch.report,
        process.id,
        process.arrived_ns,
    );
    turns.refuseWaiting(keeper, process.id);
    process.client = .{};
    process.id = protocol.no_process;
    _ = calls.pidfd_send_signal(process.pidfd.raw, 9);
    end.progress(keeper);
}

/// After the second clone the process to look after is its child, which CLONE_PARENT made ours.
pub fn adoptInner(keeper: *Keeper, process: *Process) void {
    const launch = process.launch orelse return;
    const inner = @atomicLoad(u32, &launch.report.inner_pid, .acquire);
    if (inner == 0 or process.pid == inner) return;
    const rc = linux.pidfd_open(@intCast(inner), 0);
    if (linux.errno(rc) != .SUCCESS) return;
    const index = keeper.indexOf(process);
    process.outer = process.pidfd;
    keeper_file.unwatch(keeper, process.outer.raw);
    keeper_file.watch(keeper, process.outer.raw, .outer, index, linux.EPOLL.IN);
    process.pidfd = .from(rc);
    process.pid = inner;
    keeper_file.watch(keeper, process.pidfd.raw, .pidfd, index, linux.EPOLL.IN);
    keepProcess(process, &launch.context);
}

fn started(keeper: *Keeper, process: *Process) void {
    const launch = process.launch.?;
    process.state = .running;
    process.wake_ns = 0;
    process.started_ns = calls.clock_gettime_ns(calls.CLOCK_REALTIME);
    housekeeping.run(keeper);
    record.write(keeper, process);
    launch.report.mark(launch.report.operation); // The exec, which no child lives to note.
    sendTrace(keeper, process.client, launch);
    sendReply(keeper, process.client, .ok, launch.report, process.id, process.arrived_ns);
    launch.next = keeper.spent;
    keeper.spent = launch;
    process.launch = null;
    keeper.launching -= 1;
}

pub fn freeSpent(keeper: *Keeper) void {
    while (keeper.spent) |launch| {
        keeper.spent = launch.next;
        free(launch);
    }
}

/// Before there was a child, or when it has been reaped: everything goes back, then the client
/// hears why.
pub fn fail(keeper: *Keeper, process: *Process, status: protocol.Status) void {
    const launch = process.launch.?;
    process.status.release();
    process.cgroup.release();
    if (process.later_due) keeper.later_due -= 1;
    process.later_due = false;
    undo.undo(&launch.context, launch.report.operation);
    if (process.failure) |failure| failure.into(launch.report);
    sendTrace(keeper, process.client, launch);
    sendReply(keeper, process.client, status, launch.report, process.id, process.arrived_ns);
    free(launch);
    process.launch = null;
    keeper.launching -= 1;
    turns.refuseWaiting(keeper, process.id);
    leave.forget(keeper, process);
}

pub fn sendReply(
    keeper: *Keeper,
    client: Client,
    status: protocol.Status,
    report: *Report,
    process: u32,
    arrived_ns: i64,
) void {
    const now = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC);
    const found = keeper.find(process);
    const Answer = extern struct { reply: protocol.Reply, message: [160]u8 };
    const answer: Answer = .{
        .reply = .{
            .status = status,
            .process = process,
            .pid = if (found) |known| known.pid else 0,
            .operation = report.operation,
            .call = @intFromEnum(report.call),
            .errno = report.errno,
            .elapsed_ns = @intCast(now - arrived_ns),
        },
        .message = report.message,
    };
    if (status == .ok) {
        connection_file.answer(keeper, client, .reply, &answer.reply);
    } else {
        connection_file.answer(keeper, client, .reply, &answer);
    }
}

/// The end of every operation, CLOCK_MONOTONIC in nanoseconds, by its index; before the reply that
/// it belongs to.
pub fn sendTrace(keeper: *Keeper, client: Client, launch: *Launch) void {
    const report = launch.report;
    if (report.tracing == 0 or client.connection >= keeper.connections.len) return;
    const bytes = std.mem.sliceAsBytes(report.trace_ns[0..report.traced]);
    connection_file.send(keeper, client.connection, client.request, .trace, bytes);
}
