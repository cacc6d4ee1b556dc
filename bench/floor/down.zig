//! The end of a pod: every process reaped, control groups and writable layers gone.
const sys = @import("sys.zig");
const pods = @import("pod.zig");
const cgroup = @import("cgroup.zig");
const naive = @import("naive.zig");

const Pod = pods.Pod;
const Trace = sys.Trace;
const all_children = 0x40000000; // Also those that signal nothing when they end.

pub fn run(pod: *Pod) void {
    const trace = &pod.trace;
    if (!pod.request.options.ends) kill(trace, pod);
    // While they die.
    for ([_]i32{ pod.shm, pod.files, pod.mask, pod.sysfs, pod.mqueue }) |tree| {
        if (tree >= 0) _ = trace.call(.reap, .close, .{tree});
    }
    const intermediates = if (pod.request.options.user_namespace) pod.containers else 0;
    for (0..pod.containers + intermediates + pod.helpers) |_| {
        const pid = trace.call(.reap, .wait4, .{ -1, 0, all_children, 0 });
        // With a user namespace its pid is not known; it goes with the rest.
        for (pod.running[0..pod.containers], 0..) |*container, index| {
            if (container.pid == pid) removeOne(trace, pod, container, @intCast(index));
        }
    }
    for (pod.running[0..pod.containers], 0..) |*container, index| {
        if (!container.gone) removeOne(trace, pod, container, @intCast(index));
    }
    if (pod.has(.limits)) {
        cgroup.remove(trace, pod.request.sources.pods_cgroup, .pod, pod.request.pod);
    }
    removeDirectory(pod);
}

fn removeOne(trace: *const Trace, pod: *const Pod, container: *pods.Running, index: u32) void {
    // The intermediate process of a user namespace ends long before its container.
    if (pod.request.options.user_namespace and container.pid != 0) {
        container.pid = 0;
        return;
    }
    container.gone = true;
    if (pod.has(.limits)) cgroup.remove(trace, pod.cgroup, .container, index);
    removeLayers(trace, pod, index);
}

fn kill(trace: *const Trace, pod: *const Pod) void {
    if (pod.has(.limits)) {
        const file = trace.fd(.reap, .openat, .{
            pod.cgroup, "cgroup.kill", sys.O_WRONLY | sys.O_CLOEXEC,
        });
        _ = trace.call(.reap, .write, .{ file, "1", 1 });
        return;
    }
    for (pod.running[0..pod.containers]) |container| {
        _ = trace.call(.reap, .pidfd_send_signal, .{ container.pidfd, 9, 0, 0 });
    }
}

/// By the names that they have when nothing was written; what else there is, is looked for.
fn removeLayers(trace: *const Trace, pod: *const Pod, index: u32) void {
    const options = pod.request.options;
    if (options.naive or options.read_only_root or !pod.has(.full)) return;
    for ([_]struct { []const u8, u32 }{
        .{ ".upper", sys.AT_REMOVEDIR },
        // What `volatile` makes (fs/overlayfs/super.c, ovl_create_volatile_dirty).
        .{ ".work/work/incompat/volatile/dirty", 0 },
        .{ ".work/work/incompat/volatile", sys.AT_REMOVEDIR },
        .{ ".work/work/incompat", sys.AT_REMOVEDIR },
        .{ ".work/work", sys.AT_REMOVEDIR },
        .{ ".work", sys.AT_REMOVEDIR },
    }) |layer| {
        var name: sys.Text = .of(&.{"c"});
        name.addNumber(index);
        name.add(layer[0]);
        const result = trace.attempt(.remove, .unlinkat, .{ pod.directory, name.ptr(), layer[1] });
        if (result < 0) sys.removeTree(pod.directory, name.ptr());
    }
}

fn removeDirectory(pod: *const Pod) void {
    var name: sys.Text = .of(&.{"pod"});
    name.addNumber(pod.request.pod);
    if (pod.request.options.naive) {
        naive.unmountShared(pod);
        return sys.removeTree(pod.request.sources.state, name.ptr());
    }
    _ = pod.trace.call(.remove, .unlinkat, .{
        pod.request.sources.state, name.ptr(), sys.AT_REMOVEDIR,
    });
}
