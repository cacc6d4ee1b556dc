//! What a pod's containers share: namespaces, the loopback interface, /dev/shm, generated files,
//! sysfs with its masks, message queues.
const sys = @import("sys.zig");
const trace_file = @import("trace.zig");
const pods = @import("pod.zig");
const protocol = @import("protocol.zig");
const naive = @import("naive.zig");
const cgroup = @import("cgroup.zig");
const limits = @import("limits.zig");
const launch = @import("launch.zig");
const user = @import("user.zig");

const Pod = pods.Pod;

pub fn up(pod: *Pod) void {
    const trace = &pod.trace;
    const options = pod.request.options;
    if (options.naive) {
        if (options.user_namespace) {
            user.make(pod);
            _ = trace.call(.namespaces, .unshare, .{sys.CLONE_NEWNS});
        } else _ = trace.call(.namespaces, .unshare, .{kinds(pod) | sys.CLONE_NEWNS});
        makeDirectories(trace, pod);
        makePodCgroup(trace, pod);
        naive.makeShared(pod);
        finishNamespaces(pod);
        launch.start(pod, 0, pod.request.containers);
        return;
    }
    const count = pod.request.containers;
    const pid = trace.call(.setup, .getpid, .{});
    pod.self = trace.fd(.setup, .pidfd_open, .{ pid, 0 });
    // While no child shares this process's memory, and while there is a /proc to write to.
    if (pod.has(.full)) limits.setOomScore(trace, sys.AT_FDCWD, "/proc/self/oom_score_adj");
    launch.describe(0, count);
    // Where little is to be made, waking another process takes longer than making it.
    const beside = pod.has(.full) or options.network;
    if (beside) launch.startHelper(pod) else {
        makeDirectories(trace, pod);
        makePodCgroup(trace, pod);
    }
    if (options.user_namespace) user.make(pod);
    if (options.user_namespace or !beside) launch.cloneSources(pod, trace, count);
    _ = trace.call(.namespaces, .setns, .{
        pod.request.sources.seed_namespace, sys.CLONE_NEWNS,
    });
    const own: u32 = if (options.user_namespace) 0 else kinds(pod);
    _ = trace.call(.namespaces, .unshare, .{own | sys.CLONE_NEWNS});
    makeBound(pod);
    if (beside) launch.release(pod);
    finishNamespaces(pod);
    if (beside) return launch.finishStart(pod);
    launch.start(pod, 0, count);
    openOwnNamespace(pod);
}

/// One more container. Sources of the host are cloned in its mount namespace, where alone they may
/// be.
pub fn join(pod: *Pod) void {
    const trace = &pod.trace;
    if (!pod.request.options.naive) {
        _ = trace.call(.namespaces, .setns, .{
            pod.request.sources.host_namespace, sys.CLONE_NEWNS,
        });
        launch.describe(pod.containers, 1);
        launch.cloneSources(pod, trace, 1);
        _ = trace.call(.namespaces, .setns, .{ pod.lean_namespace, sys.CLONE_NEWNS });
    }
    launch.start(pod, pod.containers, 1);
}

/// The namespaces that this shape's containers share.
pub fn kinds(pod: *const Pod) u32 {
    var flags: u32 = if (pod.request.options.network) sys.CLONE_NEWNET else 0;
    if (pod.has(.namespaces)) flags |= sys.CLONE_NEWIPC | sys.CLONE_NEWUTS;
    return flags;
}

fn finishNamespaces(pod: *const Pod) void {
    const trace = &pod.trace;
    if (pod.has(.namespaces)) _ = trace.call(.namespaces, .sethostname, .{ "floor", 5 });
    if (!pod.request.options.network) return;
    // Any socket of the new network namespace will do; a unix one is the cheapest.
    const socket = trace.fd(.loopback, .socket, .{ 1, 2 | sys.O_CLOEXEC, 0 });
    const interface = extern struct { name: [16]u8, flags: i16, _: [22]u8 }{
        .name = ("lo" ++ .{0} ** 14).*,
        .flags = 1,
        ._ = @splat(0),
    };
    _ = trace.call(.loopback, .ioctl, .{ socket, 0x8914, &interface });
    _ = trace.call(.loopback, .close, .{socket});
}

pub fn makePodCgroup(trace: *const sys.Trace, pod: *Pod) void {
    if (!pod.has(.limits)) return;
    const request = &pod.request;
    const parent = request.sources.pods_cgroup;
    pod.cgroup = cgroup.make(trace, request.options, parent, .pod, request.pod);
}

/// The pod's, for writable layers and for logs. A container's log has a directory of its own there.
pub fn makeDirectories(trace: *const sys.Trace, pod: *Pod) void {
    var name: sys.Text = .of(&.{"pod"});
    name.addNumber(pod.request.pod);
    const sources = pod.request.sources;
    pod.directory = makeDirectory(trace, sources.state, name.ptr(), 0o700);
    pod.logs = makeDirectory(trace, sources.logs, name.ptr(), 0o750);
}

pub fn makeDirectory(
    trace: *const sys.Trace,
    parent: i32,
    name: [*:0]const u8,
    mode: u32,
) i32 {
    _ = trace.call(.directories, .mkdirat, .{ parent, name, mode });
    const flags = sys.O_PATH | sys.O_DIRECTORY | sys.O_CLOEXEC;
    return trace.fd(.directories, .openat, .{ parent, name, flags });
}

const closed = sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NODEV | sys.MOUNT_ATTR_NOEXEC;

/// /dev/shm, the generated files, and what masks are made of: in no namespace.
pub fn makeFiles(trace: *const sys.Trace, pod: *Pod) void {
    if (!pod.has(.full)) return;
    pod.shm = user.tmpfs(trace, pod, .shm, &.{
        .{ "size", "65536k" }, .{ "mode", "1777" },
    }, closed);
    pod.files = user.tmpfs(trace, pod, .files, &.{
        .{ "size", "1048576" }, .{ "mode", "755" },
    }, closed);
    writeFiles(trace, pod, pod.files);
    const flags = sys.OPEN_TREE_CLONE | sys.O_CLOEXEC;
    const attributes: sys.MountAttr = .{ .set = sys.MOUNT_ATTR_RDONLY };
    _ = trace.call(.masks, .mkdirat, .{ pod.files, "empty", 0o555 });
    pod.mask = trace.fd(.masks, .open_tree_attr, .{
        pod.files, "empty", flags, &attributes, @sizeOf(sys.MountAttr),
    });
}

/// What belongs to the namespaces that this process is in now.
fn makeBound(pod: *Pod) void {
    const trace = &pod.trace;
    if (!pod.has(.full)) return;
    // Inside a user namespace a new procfs is allowed where a whole one is in sight, and the copies
    // of this namespace are where that is looked for (fs/namespace.c, mnt_already_visible).
    if (pod.request.options.user_namespace) _ = trace.call(.proc, .mount, .{
        "proc", "/proc", "proc", sys.MS_NOSUID | sys.MS_NODEV | sys.MS_NOEXEC, 0,
    });
    pod.sysfs = makeFileSystem(trace, .sysfs, "sysfs", &.{}, closed | sys.MOUNT_ATTR_RDONLY);
    pod.mqueue = makeFileSystem(trace, .mqueue, "mqueue", &.{}, closed);
}

/// Once for all containers, which clone the tree with its masks.
pub fn maskSys(trace: *const sys.Trace, pod: *const Pod) void {
    if (!pod.has(.full)) return;
    for (protocol.masked, 0..) |mask, index| {
        if (pod.request.masks >> @intCast(index) & 1 == 0 or mask.path[1] != 's') continue;
        // Mounting onto a detached tree works since Linux 6.15.
        const flags = sys.OPEN_TREE_CLONE | sys.O_CLOEXEC | sys.AT_EMPTY_PATH;
        const clone = trace.fd(.masks, .open_tree, .{ pod.mask, "", flags });
        _ = trace.call(.masks, .move_mount, .{
            clone, "", pod.sysfs, mask.path[5..].ptr, sys.MOVE_MOUNT_F_EMPTY_PATH,
        });
        _ = trace.call(.masks, .close, .{clone});
    }
}

/// The mount namespace itself, as a descriptor. The pidfd would not do: setns takes the
/// namespace that its process is in by then. There is no /proc here (PIDFD_GET_MNT_NAMESPACE,
/// Linux 6.11).
pub fn openOwnNamespace(pod: *Pod) void {
    pod.lean_namespace = pod.trace.fd(.namespaces, .ioctl, .{ pod.self, 0xff03, 0 });
}

/// The generated files.
pub fn writeFiles(trace: *const sys.Trace, pod: *const Pod, directory: i32) void {
    const contents = [_][2][:0]const u8{
        .{ "hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.0.1\tfloor\n" },
        .{ "hostname", "floor\n" },
        .{ "resolv.conf", "nameserver 192.0.2.53\noptions ndots:5\n" },
    };
    for (contents) |content| {
        const flags = sys.O_WRONLY | sys.O_CREAT | sys.O_CLOEXEC;
        const file = trace.fd(.files, .openat, .{ directory, content[0], flags, 0o644 });
        _ = trace.call(.files, .write, .{ file, content[1], content[1].len });
        _ = trace.call(.files, .close, .{file});
        user.own(trace, pod, directory, content[0]);
    }
}

pub fn makeFileSystem(
    trace: *const sys.Trace,
    step: trace_file.Step,
    kind: [*:0]const u8,
    options: []const [2][*:0]const u8,
    attributes: u32,
) i32 {
    const fs = trace.fd(step, .fsopen, .{ kind, 1 });
    for (options) |option| _ = trace.call(step, .fsconfig, .{
        fs, sys.FSCONFIG_SET_STRING, option[0], option[1], 0,
    });
    _ = trace.call(step, .fsconfig, .{ fs, sys.FSCONFIG_CMD_CREATE, 0, 0, 0 });
    const tree = trace.fd(step, .fsmount, .{ fs, 1, attributes });
    _ = trace.call(step, .close, .{fs});
    return tree;
}
