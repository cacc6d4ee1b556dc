//! A command in a running container: a child in its PID namespace, born in a control group below
//! its own, that joins its mounts and executes /stamp with the same limits.
const sys = @import("sys.zig");
const trace_file = @import("trace.zig");
const pods = @import("pod.zig");
const cgroup = @import("cgroup.zig");
const limits = @import("limits.zig");
const filter = @import("filter.zig");
const user = @import("user.zig");

const Pod = pods.Pod;

const Command = struct {
    pod: *Pod,
    container: u32,
    cgroup: i32 = -1,
    pidfd: i32 = -1,
    stdout: [2]i32 = undefined,
    stderr: [2]i32 = undefined,
};
var command: Command = undefined;
var stack: [16384]u8 align(16) = undefined;
var stamp: ?u64 = null;

/// Until its exit status is known.
pub fn run(pod: *Pod) void {
    const trace = &pod.trace;
    command = .{ .pod = pod, .container = pod.request.containers };
    pod.commands += 1;
    pod.shared.parted = 0;
    if (pod.has(.limits)) {
        const name = groupName(pod);
        command.cgroup = cgroup.makeNamed(trace, pod.cgroup, name.ptr());
    }
    _ = trace.call(.pipes, .pipe2, .{ &command.stdout, sys.O_CLOEXEC });
    _ = trace.call(.pipes, .pipe2, .{ &command.stderr, sys.O_CLOEXEC });
    // A naive pod has no other child that ends by itself.
    const pid: usize = if (pod.request.options.naive) runNaive(trace) else runBest(trace);
    _ = trace.waits(.exited).call(.wait, .wait4, .{ pid, 0, all_children, 0 });
}

const all_children = 0x40000000;
const any_child: usize = @bitCast(@as(isize, -1));

fn runBest(trace: *const sys.Trace) usize {
    const pod = command.pod;
    const target = pod.running[command.container].pidfd;
    // Affects children only.
    _ = trace.call(.namespaces, .setns, .{ target, sys.CLONE_NEWPID });
    var arguments: sys.CloneArgs = .{
        .flags = sys.CLONE_VM | sys.CLONE_FILES | sys.CLONE_PIDFD,
        .pidfd = @intFromPtr(&command.pidfd),
        .stack = @intFromPtr(&stack),
        .stack_size = stack.len,
    };
    intoGroup(&arguments);
    const pid = trace.cloneOnto(trace_file.command, &arguments, begin, @intCast(target));
    // Where the next container's own PID namespace hangs below.
    _ = trace.call(.namespaces, .setns, .{ pod.self, sys.CLONE_NEWPID });
    return pid;
}

fn intoGroup(arguments: *sys.CloneArgs) void {
    if (command.cgroup < 0) return;
    arguments.flags |= sys.CLONE_INTO_CGROUP;
    arguments.cgroup = @intCast(command.cgroup);
}

fn begin(target: usize) callconv(.c) noreturn {
    const pod = command.pod;
    const trace = pod.traceOf("command", trace_file.command);
    var kinds: usize = sys.CLONE_NEWNS;
    if (pod.has(.namespaces)) kinds |= sys.CLONE_NEWCGROUP;
    if (pod.request.options.user_namespace) kinds |= sys.CLONE_NEWUSER;
    _ = trace.call(.namespaces, .setns, .{ target, kinds });
    pods.ownDescriptors(&trace, pod.shared);
    if (pod.request.options.user_namespace) user.becomeRoot(&trace);
    if (pod.has(.full)) {
        limits.dropBounding(&trace);
        limits.apply(&trace);
    }
    execute(&trace, filter.balanced);
}

fn execute(trace: *const sys.Trace, program: []const filter.Instruction) noreturn {
    limits.exec(trace, command.pod, .{
        .input = command.pod.request.sources.null_device,
        .output = command.stdout[1],
        .errors = command.stderr[1],
        .batch = 0,
        .program = program,
    });
}

/// As most runtimes do it: a fork that opens and joins every namespace by its name in /proc, a
/// second one because a PID namespace is joined by children only, and a write to cgroup.procs.
fn runNaive(trace: *const sys.Trace) usize {
    const pod = command.pod;
    const fork: sys.CloneArgs = .{};
    const birth = trace.wakes(.birth(trace_file.command));
    const pid = birth.call(.clone, .clone3, .{ &fork, @sizeOf(sys.CloneArgs) });
    if (pid != 0) {
        _ = trace.call(.reap, .wait4, .{ pid, 0, 0, 0 });
        return any_child;
    }
    const own = pod.traceOf("command", trace_file.command);
    if (command.cgroup >= 0) {
        const flags = sys.O_WRONLY | sys.O_CLOEXEC;
        const file = own.fd(.cgroup, .openat, .{ command.cgroup, "cgroup.procs", flags });
        _ = own.call(.cgroup, .write, .{ file, "0", 1 });
    }
    joinByName(&own);
    const again: sys.CloneArgs = .{ .flags = sys.CLONE_PARENT, .exit_signal = 0 };
    const second = own.wakes(.birth(trace_file.inner)).call(.clone, .clone3, .{
        &again, @sizeOf(sys.CloneArgs),
    });
    if (second != 0) sys.exit(0);
    const inner = pod.traceOf("command", trace_file.inner);
    if (pod.has(.full)) {
        limits.dropBounding(&inner);
        limits.apply(&inner);
    }
    execute(&inner, filter.linear);
}

fn joinByName(trace: *const sys.Trace) void {
    const pod = command.pod;
    const names = [_][]const u8{ "ipc", "uts", "net", "pid", "cgroup", "mnt" };
    var opened: [names.len]i32 = undefined;
    for (names, &opened) |name, *namespace| {
        var path: sys.Text = .{};
        path.addNumber(pod.running[command.container].pid);
        path.add("/ns/");
        path.add(name);
        const flags = sys.O_RDONLY | sys.O_CLOEXEC;
        const proc = pod.request.sources.proc;
        namespace.* = trace.fd(.namespaces, .openat, .{ proc, path.ptr(), flags });
    }
    for (opened) |namespace| _ = trace.call(.namespaces, .setns, .{ namespace, 0 });
}

/// After the answer: the group, and what the supervisor held.
pub fn tidy(pod: *Pod) void {
    const trace = &pod.trace;
    stamp = 0;
    for ([_]i32{ command.stdout[1], command.stderr[1] }) |end| {
        _ = trace.call(.pipes, .close, .{end});
    }
    _ = trace.call(.pipes, .read, .{ command.stdout[0], &stamp.?, 8 });
    const held = [_]i32{ command.stdout[0], command.stderr[0], command.cgroup, command.pidfd };
    for (held) |descriptor| {
        if (descriptor >= 0) _ = trace.call(.pipes, .close, .{descriptor});
    }
    if (pod.has(.limits)) _ = trace.call(.cgroup, .unlinkat, .{
        pod.cgroup, groupName(pod).ptr(), sys.AT_REMOVEDIR,
    });
}

pub fn takeStamp() ?u64 {
    defer stamp = null;
    return stamp;
}

fn groupName(pod: *const Pod) sys.Text {
    var name: sys.Text = .of(&.{"c"});
    name.addNumber(command.container);
    name.add("/exec-");
    name.addNumber(pod.commands);
    return name;
}
