//! Runs a plan, stage by stage, in order. `prepare` runs in the keeper (or its helper); the rest in
//! a child that `spawn` makes.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const schema = @import("../plan/schema.zig");
const View = @import("../plan/view.zig").View;
const Step = @import("../plan/view.zig").Step;
const Context = @import("context.zig").Context;
const prepare = @import("prepare.zig");
const files = @import("files.zig");
const ownership = @import("ownership.zig");
const volume = @import("volume.zig");
const overlay = @import("overlay.zig");
const namespaces = @import("namespaces.zig");
const netlink = @import("netlink.zig");
const build = @import("build.zig");
const enter = @import("enter.zig");
const limit = @import("limit.zig");
const privilege = @import("privilege.zig");
const exec = @import("exec.zig");
const hidden = @import("hidden.zig");
const report_file = @import("report.zig");
const Report = report_file.Report;
const linux = calls.linux;
const check = report_file.check;

const Error = error{Syscall};

/// Everything before the child. The caller undoes it when this fails, or when the child does.
pub fn runPrepare(context: *Context) Error!void {
    var steps = context.view.steps();
    while (steps.next()) |step| {
        if (step.stage != .prepare or step.op == .spawn) break;
        try run(context, step);
        context.prepared = step.index + 1;
    }
    try context.leaveHost();
}

/// What the process can start without.
pub fn runLater(context: *Context) Error!void {
    var steps = context.view.steps();
    while (steps.next()) |step| {
        if (step.stage != .later) continue;
        try run(context, step);
        context.reached_later = step.index + 1;
    }
    try context.leaveHost();
}

/// A teardown: every operation, whatever became of the one before. True when all of them succeeded.
pub fn runAll(context: *Context) bool {
    var complete = true;
    var first: report_file.Failure = undefined;
    var steps = context.view.steps();
    while (steps.next()) |step| {
        if (isOpen(context, step.op)) continue;
        runPatiently(context, step) catch {
            if (complete) first = .of(context.report);
            complete = false;
        };
    }
    if (!complete) first.into(context.report);
    return complete;
}

/// What of a teardown may begin while killed processes are still leaving, a few entries of its
/// trees at a time. True when there is more; what goes wrong here is met again by `runAll`.
pub fn runSomeWhileLeaving(context: *Context, entries_max: u32) bool {
    var steps = context.view.steps();
    while (steps.next()) |step| switch (step.op) {
        .open_directory => if (!isOpen(context, step.op)) run(context, step) catch {},
        .remove_tree => |op| if (op.while_leaving != 0) {
            prepare.removeSomeOfTree(context, op, entries_max) catch {
                if (context.report.errno == @intFromEnum(linux.E.AGAIN)) return true;
            };
        },
        else => {},
    };
    return false;
}

fn isOpen(context: *const Context, op: schema.Op) bool {
    return switch (op) {
        .open_directory => |directory| context.slot(directory.slot) >= 0,
        else => false,
    };
}

/// A group stays busy for as long as its last processes take to leave.
fn runPatiently(context: *Context, step: Step) Error!void {
    const attempts_max = 200;
    for (0..attempts_max) |_| {
        run(context, step) catch |err| {
            if (context.report.errno != @intFromEnum(linux.E.BUSY)) return err;
            const pause: linux.timespec = .{ .sec = 0, .nsec = 5 * std.time.ns_per_ms };
            _ = linux.nanosleep(&pause, null);
            continue;
        };
        return;
    }
    return error.Syscall;
}

/// The `spawn` operation, on its own because helpers prepare and only the keeper may be a
/// container's parent.
pub fn runSpawn(context: *Context) Error!void {
    var steps = context.view.steps();
    while (steps.next()) |step| switch (step.op) {
        .spawn => |op| {
            try begin(context, step);
            try spawn(context, op);
            context.report.mark(step.index);
            return;
        },
        else => {},
    };
}

fn begin(context: *Context, step: Step) Error!void {
    context.report.operation = step.index;
    if (context.view.header().fail_at == step.index + 1) return report_file.fail(
        context.report,
        .injected,
        .IO,
    );
}

pub fn run(context: *Context, step: Step) Error!void {
    try begin(context, step);
    switch (step.op) {
        .open_directory => |op| try prepare.openDirectory(context, op),
        .make_directory => |op| try prepare.makeDirectory(context, op),
        .make_cgroup => |op| try prepare.makeCgroup(context, op),
        .write_cgroup => |op| try prepare.writeCgroup(context, op),
        .make_tmpfs => |op| try prepare.makeTmpfs(context, op),
        .make_hugetlbfs => |op| try files.makeHugetlbfs(context, op),
        .write_file => |op| try files.writeFile(context, op),
        .make_link => |op| try files.makeLink(context, op),
        .swap_files => |op| try files.swapFiles(context, op),
        .give_group => |op| try ownership.giveGroup(context, op),
        .clone_tree => |op| try prepare.cloneTree(context, op),
        .open_volume => |op| try volume.openVolume(context, op),
        .make_overlay => |op| try overlay.makeOverlay(context, op, step.stage),
        .show_trees => |op| try overlay.showTrees(context, op),
        .open_log => |op| try prepare.openLog(context, op),
        .make_user_namespace => |op| try namespaces.makeUserNamespace(context, op),
        .enter_namespaces => |op| try namespaces.enterNamespaces(context, op),
        .loopback_up => try namespaces.loopbackUp(context),
        .netlink => |op| try netlink.sendNetlink(context, op),
        .set_hostname => |op| try namespaces.setHostname(context, op),
        .write_sysctl => |op| try privilege.writeSysctl(context, op),
        .attach_device_filter => |op| try privilege.attachDeviceFilter(context, op),
        .show_proc => try namespaces.showProc(context),
        .spawn => unreachable,
        .remove_cgroup => |op| try prepare.removeCgroup(context, op),
        .remove_tree => |op| try prepare.removeTree(context, op),
        .place_root => |op| try build.placeRoot(context, op),
        .make_devices => |op| try build.makeDevices(context, op),
        .make_device => |op| try build.makeDevice(context, op),
        .mount => |op| try build.mount(context, op),
        .attach => |op| try build.attach(context, op),
        .keep_message => |op| try build.keepMessage(context, op),
        .mask => |op| try enter.mask(context, op),
        .make_read_only => |op| try enter.makeReadOnly(context, op),
        .enter_by_move => try enter.enterByMove(context),
        .enter_by_pivot => try enter.enterByPivot(context),
        .set_rlimit => |op| try limit.setRlimit(context, op),
        .set_oom_score => |op| try privilege.setOomScore(context, op),
        .set_label => |op| try privilege.setLabel(context, op),
        .give_streams => |op| privilege.giveStreams(context, op, step.stage),
        .open_terminal => |op| try limit.openTerminal(context, op),
        .drop_bounding => |op| try limit.dropBounding(context, op),
        .set_user => |op| try limit.setUser(context, op),
        .set_capabilities => |op| try limit.setCapabilities(context, op),
        .set_no_new_privileges => try limit.setNoNewPrivileges(context),
        .set_seccomp => |op| try limit.setSeccomp(context, op),
        // Its list of pointers fills 64 KiB of stack, which no other operation is to carry along.
        .exec => |op| try @call(.never_inline, exec.exec, .{ context, op }),
        .exec_pause => try exec.execPause(context),
    }
    context.report.mark(step.index);
}

fn spawn(context: *Context, op: schema.Spawn) Error!void {
    const report = context.report;
    const birth = context.slot(op.pid_namespace);
    // Affects children only; the keeper's own PID namespace stays (man 2 setns, CLONE_NEWPID). With
    // a user namespace the intermediate switches instead, so that the pod's processes never see it.
    // A hidden one switches itself, when it is ready to be seen.
    const is_seen = op.user_namespace == .none and op.hidden == 0;
    const keeper_switches = birth >= 0 and is_seen;
    if (keeper_switches) _ = try check(report, .setns, calls.setns(birth, calls.CLONE_NEWPID));
    defer if (keeper_switches) {
        _ = calls.setns(context.host.self.raw, calls.CLONE_NEWPID);
    };

    var flags = namespaces.cloneFlags(op.namespaces) |
        calls.CLONE_PIDFD | calls.CLONE_CLEAR_SIGHAND;
    // The second clone makes this one, inside the user namespace.
    if (op.user_namespace != .none) flags &= ~calls.CLONE_NEWPID;
    var pidfd: i32 = -1;
    var args: calls.CloneArgs = .{
        .flags = flags,
        .pidfd = @intFromPtr(&pidfd),
        .exit_signal = @intFromEnum(linux.SIG.CHLD),
    };
    const group = context.slot(op.cgroup);
    if (group >= 0) {
        args.flags |= calls.CLONE_INTO_CGROUP;
        args.cgroup = @intCast(group);
    }
    if (context.shares_descriptors) args.flags |= calls.CLONE_FILES;
    const pid = try check(report, .clone3, calls.clone3(&args));
    if (pid == 0) child(context, op);
    context.pid = @intCast(pid);
    context.process = .{ .raw = pidfd };
    if (context.shares_descriptors) awaitOwnDescriptors(report, pidfd);
}

/// Until then the keeper may neither close nor open any: it is the first thing the child does.
fn awaitOwnDescriptors(report: *Report, pidfd: i32) void {
    const look_ms = 1;
    while (@atomicLoad(u32, &report.own_descriptors, .acquire) == 0) {
        calls.futex_wait_ms(&report.own_descriptors, 0, look_ms);
        var end: [1]linux.pollfd = .{.{ .fd = pidfd, .events = linux.POLL.IN, .revents = 0 }};
        const ended = linux.poll(&end, end.len, 0);
        if (linux.errno(ended) == .SUCCESS and ended > 0) return;
    }
}

/// With nothing open: while a process ends it has no memory any more, and kernels before 6.18.31
/// then forget that it was not dumpable, so that others may take descriptors from it
/// (CVE-2026-46333).
fn leaveEmpty(code: i32) noreturn {
    _ = calls.close_range(0, std.math.maxInt(u32), 0);
    linux.exit_group(code);
}

/// A copy up to the last that this launch uses (man 2 close_range, CLOSE_RANGE_UNSHARE): what a
/// join costs then does not grow with what the keeper holds for others.
fn takeDescriptors(context: *Context) Error!void {
    const report = context.report;
    const unshare = 2;
    const first = context.descriptorsEnd();
    const rc = calls.close_range(first, std.math.maxInt(u32), unshare);
    _ = try check(report, .close_range, rc);
    @atomicStore(u32, &report.own_descriptors, 1, .release);
    calls.futex_wake(&report.own_descriptors);
}

fn child(context: *Context, op: schema.Spawn) noreturn {
    inChild(context, op) catch {};
    // Only a failure comes here: the report says which, the closed status socket that.
    context.report.failed = 1;
    leaveEmpty(255);
}

fn inChild(context: *Context, op: schema.Spawn) Error!void {
    const report = context.report;
    if (context.shares_descriptors) try takeDescriptors(context);
    dieWithKeeper(context);
    calls.umask(0);
    try runStage(context, .build);
    if (op.target != .none) try join(context, op);
    if (op.user_namespace != .none) try enterUserNamespace(context, op);
    // Or a signal to its own process group, kill(0), would reach the keeper and its neighbours:
    // groups do not end where PID namespaces do.
    _ = try check(report, .setsid, linux.syscall0(.setsid));
    try becomeRoot(context, op);
    try runStage(context, .enter);
    if (op.target == .none) try settleStreams(context, -1);
    if (op.hidden != 0) try hidden.limit(context) else try runStage(context, .limit);
    awaitTurn(context);
    dieWithKeeper(context); // A change of ids may have cleared it.
    @atomicStore(u32, &report.executing, 1, .release);
    try runStage(context, .exec);
}

/// The kernel kills the child when the keeper dies from here on. One that is dead already is seen
/// by its pidfd, or when that is closed by its end of the status socket.
pub fn dieWithKeeper(context: *Context) void {
    const sigkill = 9;
    _ = calls.prctl(@intFromEnum(linux.PR.SET_PDEATHSIG), sigkill, 0, 0, 0);
    var signs: [2]linux.pollfd = .{
        .{ .fd = context.host.self.raw, .events = linux.POLL.IN, .revents = 0 },
        .{ .fd = context.streams.status, .events = 0, .revents = 0 },
    };
    if (linux.errno(linux.poll(&signs, signs.len, 0)) != .SUCCESS) return;
    const exited = signs[0].revents & linux.POLL.IN != 0;
    const hung_up = signs[1].revents & linux.POLL.HUP != 0;
    if (exited or hung_up) leaveEmpty(255);
}

/// In the order of the manifest each goes on to its exec when the one before it does; the execs
/// themselves may overlap.
fn awaitTurn(context: *Context) void {
    if (context.turn_before) |word| {
        while (@atomicLoad(u32, word, .acquire) == 0) calls.futex_wait(word, 0);
    }
    if (context.turn) |word| {
        @atomicStore(u32, word, 1, .release);
        calls.futex_wake(word);
    }
}

/// Into namespaces where others are at work already: nothing of the host's is open any more when
/// they can see us.
fn join(context: *Context, op: schema.Spawn) Error!void {
    const report = context.report;
    try settleStreams(context, context.slot(op.target));
    const kinds = namespaces.cloneFlags(op.join) & ~calls.CLONE_NEWPID;
    if (op.hidden != 0) _ = try check(report, .setns, calls.setns(kept, calls.CLONE_NEWPID));
    _ = try check(report, .setns, calls.setns(kept, kinds));
    calls.close(kept);
}

fn runStage(context: *Context, stage: schema.Stage) Error!void {
    var steps = context.view.steps();
    while (steps.next()) |step| if (step.stage == stage) try run(context, step);
}

/// The copy of the mount namespace made here belongs to the pod's user namespace and locks every
/// mount that `build` attached: root inside can neither remount nor unmount them (man 7
/// mount_namespaces).
fn enterUserNamespace(context: *Context, op: schema.Spawn) Error!void {
    const report = context.report;
    const birth = context.slot(op.pid_namespace);
    if (birth >= 0) _ = try check(report, .setns, calls.setns(birth, calls.CLONE_NEWPID));
    _ = try check(report, .fchdir, linux.fchdir(context.root.raw));
    _ = try check(
        report,
        .setns,
        calls.setns(context.slot(op.user_namespace), calls.CLONE_NEWUSER),
    );
    var flags: u64 = calls.CLONE_NEWNS | calls.CLONE_PARENT;
    if (op.namespaces.pid) flags |= calls.CLONE_NEWPID;
    // CLONE_PARENT wants no exit signal (man 2 clone3).
    const args: calls.CloneArgs = .{ .flags = flags };
    const pid = try check(report, .clone3, calls.clone3(&args));
    if (pid != 0) {
        @atomicStore(u32, &report.inner_pid, @intCast(pid), .release);
        linux.exit_group(0);
    }
    dieWithKeeper(context);
    // The descriptor still names the mount of the namespace we left; "." was carried over to the
    // copy.
    const here = calls.openat(
        calls.AT_FDCWD,
        ".",
        calls.O_PATH | calls.O_DIRECTORY | calls.O_CLOEXEC,
        0,
    );
    context.root = .from(try check(report, .openat, here));
}

/// Root of a user namespace, so that what `enter` makes belongs to it.
fn becomeRoot(context: *Context, op: schema.Spawn) Error!void {
    if (op.user_namespace == .none and !op.join.user) return;
    const report = context.report;
    _ = try check(report, .setgroups, linux.syscall2(.setgroups, 0, 0));
    _ = try check(report, .setresgid, linux.syscall3(.setresgid, 0, 0, 0));
    _ = try check(report, .setresuid, linux.syscall3(.setresuid, 0, 0, 0));
    dieWithKeeper(context);
}

const status = 3;
/// The one further descriptor that `settleStreams` can keep.
const kept = 4;

/// From here on nothing but 0, 1, 2, the status socket and `keep` is open: no name that the
/// container controls has been used with the host's descriptors in reach.
fn settleStreams(context: *Context, keep: i32) Error!void {
    const report = context.report;
    for (context.streams.child, 0..) |fd, number| {
        _ = try check(report, .dup3, linux.dup2(fd, @intCast(number)));
    }
    try moveTo(report, context.streams.status, status);
    context.streams.status = status;
    const last = if (isPause(context.view)) context.host.program.raw else keep;
    if (last >= 0) try moveTo(report, last, kept);
    if (isPause(context.view)) context.host.program = .{ .raw = kept };
    const first_closed: u32 = if (last >= 0) kept + 1 else kept;
    _ = try check(report, .close_range, calls.close_range(first_closed, std.math.maxInt(u32), 0));
}

fn moveTo(report: *report_file.Report, fd: i32, number: i32) Error!void {
    if (fd == number) return;
    const cloexec: u32 = @intCast(calls.O_CLOEXEC);
    _ = try check(report, .dup3, linux.dup3(fd, number, cloexec));
}

fn isPause(view: View) bool {
    var steps = view.steps();
    while (steps.next()) |step| if (step.op == .exec_pause) return true;
    return false;
}
