//! One container by the best techniques known: born in the pod's lean mount namespace, every source
//! a detached tree, its root moved onto the empty one. Runs in the child.
const sys = @import("sys.zig");
const pods = @import("pod.zig");
const protocol = @import("protocol.zig");
const limits = @import("limits.zig");
const overlay = @import("overlay.zig");
const filter = @import("filter.zig");

const Trace = sys.Trace;

pub fn run(
    pod: *const pods.Pod,
    container: *const pods.Container,
    slot: *pods.Slot,
    batch: u32,
) noreturn {
    const trace: Trace = .{
        .who = "container",
        .ticks = if (pod.request.options.timed) &slot.ticks else null,
    };
    pods.ownDescriptors(&trace, pod.shared);
    const made = container.root >= 0;
    const root = if (made) container.root else overlay.make(&trace, pod, container.index);
    // Nothing is below the namespace's root but an empty read-only tmpfs, so pivot_root's walk over
    // all processes buys nothing.
    _ = trace.call(.enter, .fchdir, .{root});
    _ = trace.call(.enter, .move_mount, .{
        root, "", sys.AT_FDCWD, "/", sys.MOVE_MOUNT_F_EMPTY_PATH,
    });
    _ = trace.call(.enter, .chroot, .{"."});
    attach(&trace, .usr, container.usr, "/usr");
    const flags = sys.MS_NOSUID | sys.MS_NODEV | sys.MS_NOEXEC;
    _ = trace.call(.proc, .mount, .{ "proc", "/proc", "proc", flags, 0 });
    clone(&trace, .sysfs, pod.sysfs, "", "/sys");
    _ = trace.call(.cgroupfs, .mount, .{
        "cgroup2", "/sys/fs/cgroup", "cgroup2", flags | sys.MS_RDONLY, 0,
    });
    clone(&trace, .files, pod.files, "hosts", "/etc/hosts");
    clone(&trace, .files, pod.files, "hostname", "/etc/hostname");
    clone(&trace, .files, pod.files, "resolv.conf", "/etc/resolv.conf");
    hideProc(&trace, pod);
    makeDev(&trace, pod);
    _ = trace.call(.enter, .chdir, .{"/"});
    limits.apply(&trace);
    limits.exec(&trace, pod, container, slot, batch, filter.balanced);
}

fn attach(trace: *const Trace, step: sys.Step, tree: i32, target: [*:0]const u8) void {
    _ = trace.call(step, .move_mount, .{
        tree, "", sys.AT_FDCWD, target, sys.MOVE_MOUNT_F_EMPTY_PATH,
    });
}

fn clone(
    trace: *const Trace,
    step: sys.Step,
    from: i32,
    path: [*:0]const u8,
    target: [*:0]const u8,
) void {
    const flags = sys.AT_EMPTY_PATH | sys.AT_RECURSIVE | sys.OPEN_TREE_CLONE | sys.O_CLOEXEC;
    attach(trace, step, trace.fd(step, .open_tree, .{ from, path, flags }), target);
}

/// Masks and read-only paths of /proc. Those of /sys came with the pod's tree.
fn hideProc(trace: *const Trace, pod: *const pods.Pod) void {
    for (protocol.masked, 0..) |mask, index| {
        if (pod.request.masks >> @intCast(index) & 1 == 0 or mask.path[1] != 'p') continue;
        const source = if (mask.directory) pod.mask_directory else pod.mask_file;
        clone(trace, .masks, source, "", mask.path);
    }
    const attributes: sys.MountAttr = .{ .set = sys.MOUNT_ATTR_RDONLY };
    for (protocol.read_only, 0..) |path, index| {
        if (pod.request.read_only >> @intCast(index) & 1 == 0) continue;
        const flags = sys.OPEN_TREE_CLONE | sys.O_CLOEXEC;
        const tree = trace.fd(.readonly, .open_tree_attr, .{
            sys.AT_FDCWD, path, flags, &attributes, @sizeOf(sys.MountAttr),
        });
        attach(trace, .readonly, tree, path);
    }
}

fn makeDev(trace: *const Trace, pod: *const pods.Pod) void {
    _ = trace.call(.dev, .umask, .{0});
    const flags = sys.MS_NOSUID | sys.MS_STRICTATIME;
    _ = trace.call(.dev, .mount, .{ "tmpfs", "/dev", "tmpfs", flags, "mode=755,size=65536k" });
    _ = trace.call(.dev, .chdir, .{"/dev"});
    populateDev(trace);
    const closed = sys.MS_NOSUID | sys.MS_NOEXEC;
    _ = trace.call(.devpts, .mount, .{
        "devpts", "pts", "devpts", closed, "newinstance,ptmxmode=0666,mode=0620,gid=5",
    });
    clone(trace, .shm, pod.shm, "", "shm");
    clone(trace, .mqueue, pod.mqueue, "", "mqueue");
}

pub const Device = struct { name: [:0]const u8, number: u32 };
pub const devices = [_]Device{
    .{ .name = "null", .number = 0x103 },
    .{ .name = "zero", .number = 0x105 },
    .{ .name = "full", .number = 0x107 },
    .{ .name = "random", .number = 0x108 },
    .{ .name = "urandom", .number = 0x109 },
    .{ .name = "tty", .number = 0x500 },
};
pub const links = [_][2][:0]const u8{
    .{ "fd", "/proc/self/fd" },
    .{ "stdin", "fd/0" },
    .{ "stdout", "fd/1" },
    .{ "stderr", "fd/2" },
    .{ "ptmx", "pts/ptmx" },
    .{ "core", "/proc/kcore" },
};

/// Fills the current directory, with an empty umask.
pub fn populateDev(trace: *const Trace) void {
    for (devices) |device| {
        _ = trace.call(.dev, .mknodat, .{ sys.AT_FDCWD, device.name, 0o020666, device.number });
    }
    for (links) |link| {
        _ = trace.call(.dev, .symlinkat, .{ link[1], sys.AT_FDCWD, link[0] });
    }
    for ([_][*:0]const u8{ "pts", "shm", "mqueue" }) |name| {
        _ = trace.call(.dev, .mkdirat, .{ sys.AT_FDCWD, name, 0o755 });
    }
}
