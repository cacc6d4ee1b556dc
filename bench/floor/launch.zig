//! Starting containers, and what is made for them beside the making of their pod's namespaces.
const sys = @import("sys.zig");
const trace_file = @import("trace.zig");
const pods = @import("pod.zig");
const protocol = @import("protocol.zig");
const best = @import("best.zig");
const naive = @import("naive.zig");
const cgroup = @import("cgroup.zig");
const limits = @import("limits.zig");
const overlay = @import("overlay.zig");
const sandbox = @import("sandbox.zig");
const user = @import("user.zig");

const Pod = pods.Pod;
const Trace = trace_file.Trace;
const shares = sys.CLONE_VM | sys.CLONE_FILES;

var batch: [protocol.containers_max]pods.Container = undefined;
/// Each process that shares this memory has a stack of its own.
var stacks: [protocol.containers_max][16384]u8 align(16) = undefined;
var helper_stack: [16384]u8 align(16) = undefined;
/// The end of this pipe that the containers hold closes with their exec.
var execs: [2]i32 = undefined;

pub const Start = struct {
    pod: *Pod,
    container: *pods.Container,
    by: By,

    pub const By = enum { keeper, helper };
};
var starts: [protocol.containers_max]Start = undefined;

pub fn describe(first: u32, count: u32) void {
    for (batch[0..count], first..) |*container, index| container.* = .{ .index = @intCast(index) };
}

/// Detached trees of the host's sources, in its mount namespace, where alone they may be cloned.
pub fn cloneSources(pod: *Pod, trace: *const Trace, count: u32) void {
    const sources = user.sources(pod);
    const flags = sys.AT_EMPTY_PATH | sys.OPEN_TREE_CLONE | sys.O_CLOEXEC;
    for (batch[0..count]) |*container| {
        if (!pod.has(.full)) {
            container.root = trace.fd(.usr, .open_tree, .{ sources.lower, "", flags });
        } else if (pod.request.options.read_only_root) {
            container.root = trace.fd(.usr, .open_tree, .{
                sources.root, "", flags | sys.AT_RECURSIVE,
            });
        } else {
            container.usr = trace.fd(.usr, .open_tree, .{
                sources.usr, "", flags | sys.AT_RECURSIVE,
            });
        }
    }
}

/// Starts a process beside this one, in the same memory and with the same descriptors, that makes
/// directories, control groups, pipes and file systems while this one makes namespaces, and then
/// starts the containers in them while this one finishes: on two CPUs neither waits for the other.
pub fn startHelper(pod: *Pod) void {
    const trace = &pod.trace;
    // Growing a table that is shared waits for all CPUs to pass a quiescent state, so it is grown
    // before.
    const enough = 64 + 16 * pod.request.containers;
    const grown = trace.fd(.clone, .fcntl, .{ protocol.socket, 1030, enough });
    _ = trace.call(.clone, .close, .{grown});
    const arguments: sys.CloneArgs = .{
        .flags = shares,
        .stack = @intFromPtr(&helper_stack),
        .stack_size = helper_stack.len,
    };
    begin(pod);
    _ = trace.cloneOnto(trace_file.helper, &arguments, help, @intFromPtr(pod));
    pod.helpers += 1;
}

fn help(context: usize) callconv(.c) noreturn {
    const pod: *Pod = @ptrFromInt(context);
    const trace = pod.traceOf("helper", trace_file.helper);
    const count = pod.request.containers;
    const containers = batch[0..count];
    const options = pod.request.options;
    if (!options.user_namespace) cloneSources(pod, &trace, count);
    sandbox.makeDirectories(&trace, pod);
    sandbox.makePodCgroup(&trace, pod);
    sandbox.makeFiles(&trace, pod);
    for (containers) |*container| prepare(pod, &trace, container);
    // Once for all of them: what this process has dropped its children don't have.
    if (pod.has(.full) and !options.user_namespace) limits.dropBounding(&trace);
    const writable = pod.has(.full) and !options.read_only_root and !options.user_namespace;
    if (writable) for (containers) |*container| {
        // What is not made when the namespaces are, each container makes itself.
        if (@atomicLoad(u32, &pod.shared.ready, .acquire) != 0) break;
        container.root = overlay.make(&trace, pod, container.index);
    };
    pods.awaitSoon(&trace, .ready, &pod.shared.ready);
    sandbox.maskSys(&trace, pod);
    const kinds = sandbox.kinds(pod) | sys.CLONE_NEWNS;
    _ = trace.call(.namespaces, .setns, .{ pod.self, kinds });
    for (0..count) |index| startContainer(pod, &trace, index, .helper);
    for (containers) |*container| makeLog(pod, &trace, container);
    pods.signal(&trace, .started, &pod.shared.started);
    trace.last(.exec, .exit);
    _ = sys.raw(.exit, .{0});
    unreachable;
}

/// The namespaces are there: the helper goes on to start the containers.
pub fn release(pod: *Pod) void {
    pods.signal(&pod.trace, .ready, &pod.shared.ready);
}

/// Once this process is done, too.
pub fn finishStart(pod: *Pod) void {
    const trace = &pod.trace;
    const count = pod.request.containers;
    _ = pods.arrive(trace, pod.shared, count + 1);
    sandbox.openOwnNamespace(pod);
    pods.await(trace, .started, &pod.shared.started, 1);
    finish(pod, count);
}

fn prepare(pod: *const Pod, trace: *const Trace, container: *pods.Container) void {
    if (pod.has(.limits)) {
        const options = pod.request.options;
        container.cgroup = cgroup.make(trace, options, pod.cgroup, .container, container.index);
    }
    _ = trace.call(.pipes, .pipe2, .{ &container.stdout, sys.O_CLOEXEC });
    _ = trace.call(.pipes, .pipe2, .{ &container.stderr, sys.O_CLOEXEC });
}

/// Starts `count` containers, lets them set themselves up side by side, and returns when all have
/// exec'd. The naive twin sets one up after the other.
pub fn start(pod: *Pod, first: u32, count: u32) void {
    if (pod.request.options.naive and count > 1) {
        for (0..count) |offset| start(pod, first + @as(u32, @intCast(offset)), 1);
        return;
    }
    const trace = &pod.trace;
    begin(pod);
    if (pod.request.options.naive) describe(first, count);
    for (0..count) |index| startContainer(pod, trace, index, .keeper);
    for (batch[0..count]) |*container| makeLog(pod, trace, container);
    finish(pod, count);
}

fn begin(pod: *Pod) void {
    pod.shared.arrived = 0;
    pod.shared.gate = 0;
    pod.shared.parted = 0;
    _ = pod.trace.call(.pipes, .pipe2, .{ &execs, sys.O_CLOEXEC });
}

fn finish(pod: *Pod, count: u32) void {
    const trace = &pod.trace;
    if (!pod.request.options.naive) pods.await(trace, .parted, &pod.shared.parted, count);
    _ = trace.call(.pipes, .close, .{execs[1]});
    for (batch[0..count]) |*container| {
        const ends = [_]i32{ container.stdout[1], container.stderr[1] };
        for (ends ++ [_]i32{ container.usr, container.root, container.cgroup }) |descriptor| {
            if (descriptor >= 0) _ = trace.call(.pipes, .close, .{descriptor});
        }
    }
    // If a container has died instead, waiting in `down` finds too few.
    var byte: u8 = undefined;
    _ = trace.waits(.execs).call(.wait, .read, .{ execs[0], &byte, 1 });
    _ = trace.call(.pipes, .close, .{execs[0]});
    for (batch[0..count]) |*container| keep(pod, container);
    pod.containers += count;
}

fn startContainer(pod: *Pod, trace: *const Trace, index: usize, by: Start.By) void {
    const options = pod.request.options;
    const container = &batch[index];
    if (container.stdout[0] < 0) prepare(pod, trace, container);
    starts[index] = .{ .pod = pod, .container = container, .by = by };
    const process: u16 = @intCast(trace_file.container + container.index);
    var arguments: sys.CloneArgs = .{ .flags = sys.CLONE_NEWNS };
    if (pod.has(.namespaces)) arguments.flags |= sys.CLONE_NEWCGROUP;
    if (container.cgroup >= 0) {
        arguments.flags |= sys.CLONE_INTO_CGROUP;
        arguments.cgroup = @intCast(container.cgroup);
    }
    // With a user namespace, a second clone makes the PID namespace in it.
    if (!options.user_namespace) {
        arguments.flags |= sys.CLONE_NEWPID | sys.CLONE_PIDFD;
        arguments.pidfd = @intFromPtr(&container.pidfd);
    }
    if (options.naive) {
        const birth = trace.wakes(.birth(process));
        const pid = birth.call(.clone, .clone3, .{ &arguments, @sizeOf(sys.CloneArgs) });
        if (pid == 0) naive.run(&starts[index]);
        container.pid = pid;
        return;
    }
    // Memory and descriptors are shared until exec: nothing is copied, and nothing faults in again.
    arguments.flags |= shares;
    arguments.stack = @intFromPtr(&stacks[index]);
    arguments.stack_size = stacks[index].len;
    if (by == .helper) {
        // The keeper's child, not the helper's. That allows no signal at its end.
        arguments.flags |= sys.CLONE_PARENT;
        arguments.exit_signal = 0;
    }
    container.pid = trace.cloneOnto(process, &arguments, beginContainer, index);
}

fn beginContainer(index: usize) callconv(.c) noreturn {
    best.run(&starts[index], index);
}

/// Moves what the keeper holds of a container that joined out of the children's way. The containers
/// that the pod began with are few, and theirs may stay.
fn keep(pod: *Pod, container: *pods.Container) void {
    const trace = &pod.trace;
    const ends = [_]*i32{ &container.stdout[0], &container.stderr[0] };
    const held = ends ++ [_]*i32{ &container.log, &container.pidfd };
    if (pod.request.kind == .join and !pod.request.options.naive) {
        for (held) |descriptor| {
            const high = trace.fd(.pipes, .fcntl, .{ descriptor.*, 1030, pods.descriptors_kept });
            _ = trace.call(.pipes, .close, .{descriptor.*});
            descriptor.* = high;
        }
    }
    pod.running[container.index] = .{
        .pidfd = container.pidfd,
        .stdout = container.stdout[0],
        .pid = container.pid,
    };
}

/// Written by nobody here, but made, as the product's is. The children are at work meanwhile.
fn makeLog(pod: *const Pod, trace: *const Trace, container: *pods.Container) void {
    var name: sys.Text = .of(&.{"c"});
    name.addNumber(container.index);
    const directory = sandbox.makeDirectory(trace, pod.logs, name.ptr(), 0o750);
    const flags = sys.O_WRONLY | sys.O_CREAT | sys.O_APPEND | sys.O_CLOEXEC;
    container.log = trace.fd(.directories, .openat, .{ directory, "0.log", flags, 0o640 });
    _ = trace.call(.directories, .close, .{directory});
}
