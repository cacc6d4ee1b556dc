//! One container by the best techniques known: born in the pod's lean mount namespace, every source
//! a detached tree, its root moved onto the empty one. Runs in the child.
const sys = @import("sys.zig");
const trace_file = @import("trace.zig");
const pods = @import("pod.zig");
const protocol = @import("protocol.zig");
const limits = @import("limits.zig");
const overlay = @import("overlay.zig");
const filter = @import("filter.zig");
const user = @import("user.zig");
const Start = @import("launch.zig").Start;

const Trace = sys.Trace;
const closed = sys.MS_NOSUID | sys.MS_NODEV | sys.MS_NOEXEC;

/// Descriptors are the keeper's until `ownDescriptors`: what this opens before, it closes.
pub fn run(start: *const Start, index: usize) noreturn {
    const pod = start.pod;
    const process = trace_file.container + start.container.index;
    const trace = pod.traceOf("container", process);
    if (pod.request.options.user_namespace) user.run(start, &trace, index);
    enterRoot(start, &trace);
    if (pod.has(.full)) {
        _ = trace.call(.proc, .mount, .{ "proc", "/proc", "proc", closed, 0 });
        makeReadOnly(&trace, pod);
        makeDev(&trace, pod);
        mountDevpts(&trace);
    }
    pods.ownDescriptors(&trace, pod.shared);
    if (pod.has(.full)) {
        attachShared(&trace, pod);
        maskProc(&trace, pod);
    }
    finish(start, &trace);
}

pub fn finish(start: *const Start, trace: *const Trace) noreturn {
    const pod = start.pod;
    _ = trace.call(.enter, .chdir, .{"/"});
    if (pod.has(.full)) {
        // A new user namespace begins with all of them.
        const dropped = start.by == .helper and !pod.request.options.user_namespace;
        if (!dropped) limits.dropBounding(trace);
        limits.apply(trace);
    }
    limits.exec(trace, pod, .{
        .input = pod.request.sources.null_device,
        .output = start.container.stdout[1],
        .errors = start.container.stderr[1],
        .batch = pod.request.containers + @intFromBool(start.by == .helper),
        .program = filter.balanced,
    });
}

pub fn enterRoot(start: *const Start, trace: *const Trace) void {
    const pod = start.pod;
    const container = start.container;
    const made = container.root >= 0;
    const root = if (made) container.root else overlay.make(trace, pod, container.index);
    // Nothing is below the namespace's root but an empty read-only tmpfs, so pivot_root's walk over
    // all processes buys nothing.
    _ = trace.call(.enter, .fchdir, .{root});
    _ = trace.call(.enter, .move_mount, .{
        root, "", sys.AT_FDCWD, "/", sys.MOVE_MOUNT_F_EMPTY_PATH,
    });
    _ = trace.call(.enter, .chroot, .{"."});
    if (!made) _ = trace.call(.overlay, .close, .{root});
    if (container.usr >= 0) attach(trace, .usr, container.usr, "/usr");
}

/// What the pod made for all of its containers.
pub fn attachShared(trace: *const Trace, pod: *const pods.Pod) void {
    clone(trace, .sysfs, pod.sysfs, "", "/sys");
    _ = trace.call(.cgroupfs, .mount, .{
        "cgroup2", "/sys/fs/cgroup", "cgroup2", closed | sys.MS_RDONLY, 0,
    });
    clone(trace, .shm, pod.shm, "", "/dev/shm");
    clone(trace, .mqueue, pod.mqueue, "", "/dev/mqueue");
    clone(trace, .files, pod.files, "hosts", "/etc/hosts");
    clone(trace, .files, pod.files, "hostname", "/etc/hostname");
    clone(trace, .files, pod.files, "resolv.conf", "/etc/resolv.conf");
}

fn attach(trace: *const Trace, step: trace_file.Step, tree: i32, target: [*:0]const u8) void {
    _ = trace.call(step, .move_mount, .{
        tree, "", sys.AT_FDCWD, target, sys.MOVE_MOUNT_F_EMPTY_PATH,
    });
}

fn clone(
    trace: *const Trace,
    step: trace_file.Step,
    from: i32,
    path: [*:0]const u8,
    target: [*:0]const u8,
) void {
    const flags = sys.AT_EMPTY_PATH | sys.AT_RECURSIVE | sys.OPEN_TREE_CLONE | sys.O_CLOEXEC;
    const tree = trace.fd(step, .open_tree, .{ from, path, flags });
    attach(trace, step, tree, target);
    _ = trace.call(step, .close, .{tree});
}

/// Those of /sys came with the pod's tree.
pub fn maskProc(trace: *const Trace, pod: *const pods.Pod) void {
    for (protocol.masked, 0..) |mask, index| {
        if (pod.request.masks >> @intCast(index) & 1 == 0 or mask.path[1] != 'p') continue;
        if (mask.directory) {
            clone(trace, .masks, pod.mask, "", mask.path);
        } else {
            const flags = sys.OPEN_TREE_CLONE | sys.O_CLOEXEC;
            const tree = trace.fd(.masks, .open_tree, .{ sys.AT_FDCWD, "/dev/null", flags });
            attach(trace, .masks, tree, mask.path);
            _ = trace.call(.masks, .close, .{tree});
        }
    }
}

pub fn makeReadOnly(trace: *const Trace, pod: *const pods.Pod) void {
    const attributes: sys.MountAttr = .{ .set = sys.MOUNT_ATTR_RDONLY };
    for (protocol.read_only, 0..) |path, index| {
        if (pod.request.read_only >> @intCast(index) & 1 == 0) continue;
        const flags = sys.OPEN_TREE_CLONE | sys.O_CLOEXEC;
        const tree = trace.fd(.readonly, .open_tree_attr, .{
            sys.AT_FDCWD, path, flags, &attributes, @sizeOf(sys.MountAttr),
        });
        attach(trace, .readonly, tree, path);
        _ = trace.call(.readonly, .close, .{tree});
    }
}

pub fn makeDev(trace: *const Trace, pod: *const pods.Pod) void {
    _ = trace.call(.dev, .umask, .{0});
    const flags = sys.MS_NOSUID | sys.MS_NOEXEC;
    const options: sys.Text = user.options(pod, "mode=755,size=65536");
    _ = trace.call(.dev, .mount, .{ "tmpfs", "/dev", "tmpfs", flags, options.ptr() });
    _ = trace.call(.dev, .chdir, .{"/dev"});
    populateDev(trace);
    if (!pod.request.options.user_namespace) return;
    for (devices) |device| user.own(trace, pod, sys.AT_FDCWD, device.name);
    for (directories) |name| user.own(trace, pod, sys.AT_FDCWD, name);
}

pub fn mountDevpts(trace: *const Trace) void {
    _ = trace.call(.devpts, .mount, .{
        "devpts",                                    "/dev/pts",
        "devpts",                                    sys.MS_NOSUID | sys.MS_NOEXEC,
        "newinstance,ptmxmode=0666,mode=0620,gid=5",
    });
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
    .{ "stdin", "/proc/self/fd/0" },
    .{ "stdout", "/proc/self/fd/1" },
    .{ "stderr", "/proc/self/fd/2" },
    .{ "ptmx", "pts/ptmx" },
    .{ "core", "/proc/kcore" },
};
const directories = [_][*:0]const u8{ "pts", "shm", "mqueue" };

/// Fills the current directory, with an empty umask.
pub fn populateDev(trace: *const Trace) void {
    for (devices) |device| {
        _ = trace.call(.dev, .mknodat, .{ sys.AT_FDCWD, device.name, 0o020666, device.number });
    }
    for (links) |link| {
        _ = trace.call(.dev, .symlinkat, .{ link[1], sys.AT_FDCWD, link[0] });
    }
    for (directories) |name| {
        _ = trace.call(.dev, .mkdirat, .{ sys.AT_FDCWD, name, 0o755 });
    }
}
