//! A container's writable root: its directories, and an overlay made from descriptors alone. The
//! layers lie beneath detached trees, so it does not matter in which mount namespace this runs.
const sys = @import("sys.zig");
const pods = @import("pod.zig");

const user = @import("user.zig");

/// The overlay as a detached mount, with the directories and options that peapod's has.
pub fn make(trace: *const sys.Trace, pod: *const pods.Pod, index: u32) i32 {
    const upper = makeDirectory(trace, pod, index, ".upper");
    const work = makeDirectory(trace, pod, index, ".work");
    const fs = trace.fd(.overlay, .fsopen, .{ "overlay", 1 });
    const lower = user.sources(pod).lower;
    for ([_]struct { [*:0]const u8, i32 }{
        .{ "lowerdir+", lower },
        .{ "upperdir", upper },
        .{ "workdir", work },
    }) |layer| _ = trace.call(.overlay, .fsconfig, .{
        fs, sys.FSCONFIG_SET_FD, layer[0], 0, layer[1],
    });
    _ = trace.call(.overlay, .fsconfig, .{ fs, sys.FSCONFIG_SET_FLAG, "volatile", 0, 0 });
    for ([_][2][*:0]const u8{
        .{ "redirect_dir", "nofollow" },
        .{ "metacopy", "off" },
    }) |option| _ = trace.call(.overlay, .fsconfig, .{
        fs, sys.FSCONFIG_SET_STRING, option[0], option[1], 0,
    });
    _ = trace.call(.overlay, .fsconfig, .{ fs, sys.FSCONFIG_CMD_CREATE, 0, 0, 0 });
    const root = trace.fd(.overlay, .fsmount, .{ fs, 1, sys.MOUNT_ATTR_NODEV });
    for ([_]i32{ upper, work, fs }) |used| _ = trace.call(.directories, .close, .{used});
    return root;
}

fn makeDirectory(
    trace: *const sys.Trace,
    pod: *const pods.Pod,
    index: u32,
    suffix: []const u8,
) i32 {
    var name: sys.Text = .of(&.{"c"});
    name.addNumber(index);
    name.add(suffix);
    _ = trace.call(.directories, .mkdirat, .{ pod.directory, name.ptr(), 0o755 });
    user.own(trace, pod, pod.directory, name.ptr());
    const flags = sys.O_PATH | sys.O_DIRECTORY | sys.O_CLOEXEC;
    return trace.fd(.directories, .openat, .{ pod.directory, name.ptr(), flags });
}
