//! Pods with a user namespace of their own.
const sys = @import("sys.zig");
const trace_file = @import("trace.zig");
const pods = @import("pod.zig");
const protocol = @import("protocol.zig");
const sandbox = @import("sandbox.zig");
const best = @import("best.zig");
const Start = @import("launch.zig").Start;

const Pod = pods.Pod;
const Trace = sys.Trace;

/// Root inside is this one on the host, and 65536 ids follow.
const first_id = 1_000_000_000;
const map = "0 1000000000 65536";

var stacks: [protocol.containers_max][16384]u8 align(16) = undefined;
var helper_stack: [4096]u8 align(16) = undefined;

/// What containers are made of, with the ids of the pod's user namespace if it has one.
pub fn sources(pod: *const Pod) *const protocol.Sources {
    return if (pod.mapped) |*mapped| mapped else &pod.request.sources;
}

/// A process that is ended at once owns the new namespaces for as long as it takes to write the
/// maps and to enter or open them.
pub fn make(pod: *Pod) void {
    const trace = &pod.trace;
    const kinds = sandbox.kinds(pod);
    var pidfd: i32 = -1;
    const arguments: sys.CloneArgs = .{
        .flags = sys.CLONE_VM | sys.CLONE_FILES | sys.CLONE_NEWUSER | sys.CLONE_PIDFD | kinds,
        .pidfd = @intFromPtr(&pidfd),
        .stack = @intFromPtr(&helper_stack),
        .stack_size = helper_stack.len,
    };
    const pid = trace.cloneOnto(trace_file.helper, &arguments, sleep, 0);
    const proc = pod.request.sources.proc;
    for ([_][]const u8{ "/uid_map", "/gid_map" }) |file| {
        const name = procName(pid, file);
        const flags = sys.O_WRONLY | sys.O_CLOEXEC;
        const opened = trace.fd(.namespaces, .openat, .{ proc, name.ptr(), flags });
        _ = trace.call(.namespaces, .write, .{ opened, map, map.len });
        _ = trace.call(.namespaces, .close, .{opened});
    }
    if (kinds != 0) _ = trace.call(.namespaces, .setns, .{ pidfd, kinds });
    const name = procName(pid, "/ns/user");
    const flags = sys.O_RDONLY | sys.O_CLOEXEC;
    pod.user_namespace = trace.fd(.namespaces, .openat, .{ proc, name.ptr(), flags });
    _ = trace.call(.namespaces, .pidfd_send_signal, .{ pidfd, 9, 0, 0 });
    // Reaped with the containers.
    pod.helpers += 1;
    _ = trace.call(.namespaces, .close, .{pidfd});
    mapSources(pod);
}

fn sleep(_: usize) callconv(.c) noreturn {
    while (true) _ = sys.raw(.ppoll, .{ 0, 0, 0, 0, 8 });
}

fn procName(pid: usize, file: []const u8) sys.Text {
    var name: sys.Text = .{};
    name.addNumber(pid);
    name.add(file);
    return name;
}

fn mapSources(pod: *Pod) void {
    const trace = &pod.trace;
    var mapped = pod.request.sources;
    const attributes: sys.MountAttr = .{
        .set = sys.MOUNT_ATTR_IDMAP,
        .userns_fd = @intCast(pod.user_namespace),
    };
    const flags = sys.AT_EMPTY_PATH | sys.AT_RECURSIVE | sys.OPEN_TREE_CLONE | sys.O_CLOEXEC;
    const whole = !pod.request.options.read_only_root or !pod.has(.full);
    for ([_]*i32{ &mapped.lower, &mapped.usr, &mapped.root }, 0..) |tree, index| {
        // Of the three only those that this shape uses.
        if ((index < 2) != whole or (index == 1 and !pod.has(.full))) continue;
        tree.* = trace.fd(.usr, .open_tree, .{ tree.*, "", flags });
        _ = trace.call(.usr, .mount_setattr, .{
            tree.*, "", sys.AT_EMPTY_PATH | sys.AT_RECURSIVE, &attributes, @sizeOf(sys.MountAttr),
        });
    }
    pod.mapped = mapped;
}

/// Gives a file to the pod's root.
pub fn own(trace: *const Trace, pod: *const Pod, directory: i32, name: [*:0]const u8) void {
    if (!pod.request.options.user_namespace) return;
    _ = trace.call(.directories, .fchownat, .{ directory, name, first_id, first_id, 0 });
}

/// Mount options, with the owner if that is not root.
pub fn options(pod: *const Pod, text: []const u8) sys.Text {
    var all: sys.Text = .of(&.{text});
    if (pod.request.options.user_namespace) all.add(",uid=1000000000,gid=1000000000");
    return all;
}

pub fn tmpfs(
    trace: *const Trace,
    pod: *const Pod,
    comptime step: trace_file.Step,
    comptime given: []const [2][*:0]const u8,
    attributes: u32,
) i32 {
    const owner = [_][2][*:0]const u8{ .{ "uid", "1000000000" }, .{ "gid", "1000000000" } };
    const all = given ++ &owner;
    const used = if (pod.request.options.user_namespace) all else all[0..given.len];
    return sandbox.makeFileSystem(trace, step, "tmpfs", used, attributes);
}

const Inner = struct { start: *const Start, index: usize };
var inner: [protocol.containers_max]Inner = undefined;

/// Makes in the host's user namespace what the container must not be able to take apart, then
/// enters the pod's and clones again: the copy of the mounts that this makes is locked (man 7
/// mount_namespaces).
pub fn run(start: *const Start, trace: *const Trace, index: usize) noreturn {
    const pod = start.pod;
    best.enterRoot(start, trace);
    if (pod.has(.full)) {
        best.makeDev(trace, pod);
        best.attachShared(trace, pod);
    }
    _ = trace.call(.namespaces, .setns, .{ pod.user_namespace, sys.CLONE_NEWUSER });
    inner[index] = .{ .start = start, .index = index };
    const arguments: sys.CloneArgs = .{
        .flags = sys.CLONE_VM | sys.CLONE_FILES | sys.CLONE_PARENT | sys.CLONE_PIDFD |
            sys.CLONE_NEWNS | sys.CLONE_NEWPID,
        .pidfd = @intFromPtr(&start.container.pidfd),
        .exit_signal = 0,
        .stack = @intFromPtr(&stacks[index]),
        .stack_size = stacks[index].len,
    };
    const process: u16 = @intCast(trace_file.inner + start.container.index);
    _ = trace.cloneOnto(process, &arguments, runInner, index);
    trace.last(.exec, .exit);
    _ = sys.raw(.exit, .{0});
    unreachable;
}

fn runInner(index: usize) callconv(.c) noreturn {
    const start = inner[index].start;
    const pod = start.pod;
    const trace = pod.traceOf("inner", trace_file.inner + start.container.index);
    pods.ownDescriptors(&trace, pod.shared);
    becomeRoot(&trace);
    if (pod.has(.full)) {
        const closed = sys.MS_NOSUID | sys.MS_NODEV | sys.MS_NOEXEC;
        _ = trace.call(.proc, .mount, .{ "proc", "/proc", "proc", closed, 0 });
        best.makeReadOnly(&trace, pod);
        best.mountDevpts(&trace);
        best.maskProc(&trace, pod);
    }
    best.finish(start, &trace);
}

pub fn becomeRoot(trace: *const Trace) void {
    _ = trace.call(.limits, .setresgid, .{ 0, 0, 0 });
    _ = trace.call(.limits, .setresuid, .{ 0, 0, 0 });
}
