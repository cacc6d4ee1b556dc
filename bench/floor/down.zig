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
    const intermediates = if (pod.request.options.user_namespace) pod.containers else 0;
    for (0..pod.containers + intermediates + pod.helpers) |_| {
        _ = trace.call(.reap, .wait4, .{ -1, 0, all_children, 0 });
    }
    if (pod.has(.limits)) {
        for (0..pod.containers) |index| {
            cgroup.remove(trace, pod.cgroup, .container, @intCast(index));
        }
        cgroup.remove(trace, pod.request.sources.pods_cgroup, .pod, pod.request.pod);
    }
    removeLayers(trace, pod);
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
fn removeLayers(trace: *const Trace, pod: *const Pod) void {
    var name: sys.Text = .of(&.{"pod"});
    name.addNumber(pod.request.pod);
    if (pod.request.options.naive) {
        naive.unmountShared(pod);
        return sys.removeTree(pod.request.sources.state, name.ptr());
    }
    const writable = pod.has(.full) and !pod.request.options.read_only_root;
    if (writable) for (0..pod.containers) |index| {
        for ([_][]const u8{
            ".upper", ".work/incompat/volatile", ".work/incompat", ".work/work", ".work",
        }) |path| {
            var layer: sys.Text = .of(&.{"c"});
            layer.addNumber(index);
            layer.add(path);
            const result = trace.attempt(.remove, .unlinkat, .{
                pod.directory, layer.ptr(), sys.AT_REMOVEDIR,
            });
            if (result < 0) sys.removeTree(pod.directory, layer.ptr());
        }
    };
    _ = trace.call(.remove, .unlinkat, .{
        pod.request.sources.state, name.ptr(), sys.AT_REMOVEDIR,
    });
}
