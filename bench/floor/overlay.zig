//! A container's writable root: its directories, and an overlay made from descriptors alone. The
//! layers lie beneath detached trees, so it does not matter in which mount namespace this runs.
const sys = @import("sys.zig");
const pods = @import("pod.zig");

/// The overlay as a detached mount.
pub fn make(trace: *const sys.Trace, pod: *const pods.Pod, index: u32) i32 {
    var name: sys.Text = .of(&.{"c"});
    name.addNumber(index);
    const flags = sys.O_PATH | sys.O_DIRECTORY | sys.O_CLOEXEC;
    _ = trace.call(.directories, .mkdirat, .{ pod.directory, name.ptr(), 0o700 });
    const home = trace.fd(.directories, .openat, .{ pod.directory, name.ptr(), flags });
    _ = trace.call(.directories, .mkdirat, .{ home, "upper", 0o755 });
    _ = trace.call(.directories, .mkdirat, .{ home, "work", 0o755 });
    const upper = trace.fd(.directories, .openat, .{ home, "upper", flags });
    const work = trace.fd(.directories, .openat, .{ home, "work", flags });

    const fs = trace.fd(.overlay, .fsopen, .{ "overlay", 1 });
    const lower = pod.request.sources.lower;
    _ = trace.call(.overlay, .fsconfig, .{ fs, sys.FSCONFIG_SET_FD, "lowerdir+", 0, lower });
    _ = trace.call(.overlay, .fsconfig, .{ fs, sys.FSCONFIG_SET_FD, "upperdir", 0, upper });
    _ = trace.call(.overlay, .fsconfig, .{ fs, sys.FSCONFIG_SET_FD, "workdir", 0, work });
    _ = trace.call(.overlay, .fsconfig, .{ fs, sys.FSCONFIG_CMD_CREATE, 0, 0, 0 });
    const root = trace.fd(.overlay, .fsmount, .{ fs, 1, 0 });
    for ([_]i32{ home, upper, work, fs }) |used| _ = trace.call(.directories, .close, .{used});
    return root;
}
