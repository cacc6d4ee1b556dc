//! One container as most runtimes make it: a copy of the host's mounts, mount(2) by path,
//! pivot_root and umount2, a linear filter.
const std = @import("std");
const sys = @import("sys.zig");
const trace_file = @import("trace.zig");
const pods = @import("pod.zig");
const protocol = @import("protocol.zig");
const best = @import("best.zig");
const sandbox = @import("sandbox.zig");
const limits = @import("limits.zig");
const filter = @import("filter.zig");
const Start = @import("launch.zig").Start;

const Trace = sys.Trace;
const closed = sys.MS_NOSUID | sys.MS_NODEV | sys.MS_NOEXEC;

fn runDirectory(pod: *const pods.Pod) []const u8 {
    const directory: [*:0]const u8 = @ptrCast(&pod.request.directory);
    return std.mem.span(directory);
}

fn directoryOf(pod: *const pods.Pod) sys.Text {
    var path: sys.Text = .of(&.{ runDirectory(pod), "/state/pod" });
    path.addNumber(pod.request.pod);
    return path;
}

const shared = [_][]const u8{ "/shm", "/files" };

/// The pod's own copy of the host's mounts, with /dev/shm and the generated files in its directory.
pub fn makeShared(pod: *const pods.Pod) void {
    const trace = &pod.trace;
    const directory = directoryOf(pod);
    const flags = sys.MS_REC | sys.MS_PRIVATE;
    _ = trace.call(.namespaces, .mount, .{ 0, "/", 0, flags, 0 });
    if (!pod.has(.full)) return;
    const modes = [_][*:0]const u8{ "size=65536k,mode=1777", "size=1048576,mode=755" };
    for (shared, modes) |name, options| {
        var path = directory;
        path.add(name);
        _ = trace.call(.directories, .mkdirat, .{ sys.AT_FDCWD, path.ptr(), 0o700 });
        _ = trace.call(.shm, .mount, .{ "tmpfs", path.ptr(), "tmpfs", closed, options });
    }
    var path = directory;
    path.add("/files");
    const files = trace.fd(.files, .openat, .{
        sys.AT_FDCWD, path.ptr(), sys.O_PATH | sys.O_DIRECTORY,
    });
    sandbox.writeFiles(trace, pod, files);
    _ = trace.call(.files, .close, .{files});
}

pub fn unmountShared(pod: *const pods.Pod) void {
    if (!pod.has(.full)) return;
    for (shared) |name| {
        var path = directoryOf(pod);
        path.add(name);
        _ = pod.trace.call(.remove, .umount2, .{ path.ptr(), sys.MNT_DETACH });
    }
}

const Container = struct {
    trace: *const Trace,
    pod: *const pods.Pod,
    directory: sys.Text,
    root: sys.Text,

    fn target(container: *const Container, path: []const u8) sys.Text {
        var text = container.root;
        text.add(path);
        return text;
    }

    fn mount(
        container: *const Container,
        step: trace_file.Step,
        kind: [*:0]const u8,
        path: []const u8,
        flags: u32,
        options: usize,
    ) void {
        const at = container.target(path);
        _ = container.trace.call(step, .mount, .{ kind, at.ptr(), kind, flags, options });
    }

    fn bind(
        container: *const Container,
        step: trace_file.Step,
        source: [*:0]const u8,
        path: []const u8,
        flags: u32,
    ) void {
        const at = container.target(path);
        _ = container.trace.call(step, .mount, .{ source, at.ptr(), 0, sys.MS_BIND, 0 });
        if (flags == 0) return;
        const remount = sys.MS_BIND | sys.MS_REMOUNT | flags;
        _ = container.trace.call(step, .mount, .{ 0, at.ptr(), 0, remount, 0 });
    }
};

pub fn run(start: *const Start) noreturn {
    const pod = start.pod;
    const trace = pod.traceOf("container", trace_file.container + start.container.index);
    const flags = sys.MS_REC | sys.MS_PRIVATE;
    _ = trace.call(.namespaces, .mount, .{ 0, "/", 0, flags, 0 });
    var container: Container = .{
        .trace = &trace,
        .pod = pod,
        .directory = directoryOf(pod),
        .root = undefined,
    };
    makeRoot(&container, start.container.index);
    if (pod.has(.full)) {
        makeMounts(&container);
        makeDev(&container);
    }
    enter(&container);
    if (pod.has(.full)) {
        hide(&trace, pod);
        limits.setOomScore(&trace, sys.AT_FDCWD, "/proc/self/oom_score_adj");
        limits.dropBounding(&trace);
        limits.apply(&trace);
    }
    limits.exec(&trace, pod, .{
        .input = if (pod.has(.full)) -1 else pod.request.sources.null_device,
        .output = start.container.stdout[1],
        .errors = start.container.stderr[1],
        .batch = 1,
        .program = filter.linear,
    });
}

/// A root must be a mount of its own, or pivot_root refuses it.
fn makeRoot(container: *Container, index: u32) void {
    const pod = container.pod;
    const trace = container.trace;
    const lower: sys.Text = .of(&.{ runDirectory(pod), "/lower" });
    if (!pod.has(.full) or pod.request.options.read_only_root) {
        container.root = lower;
        container.bind(.overlay, lower.ptr(), "", if (pod.has(.full)) sys.MS_RDONLY else 0);
        return;
    }
    var text = container.directory;
    text.add("/c");
    text.addNumber(index);
    const home = text.slice();
    for ([_][]const u8{ ".upper", ".work", ".root" }) |name| {
        container.root = .of(&.{ home, name });
        _ = trace.call(.directories, .mkdirat, .{ sys.AT_FDCWD, container.root.ptr(), 0o755 });
    }
    const options: sys.Text = .of(&.{
        "volatile,redirect_dir=nofollow,metacopy=off,lowerdir=", lower.slice(),
        ",upperdir=",                                            home,
        ".upper,workdir=",                                       home,
        ".work",
    });
    _ = trace.call(.overlay, .mount, .{
        "overlay", container.root.ptr(), "overlay", sys.MS_NODEV, options.ptr(),
    });
}

fn makeMounts(container: *const Container) void {
    const run_directory = runDirectory(container.pod);
    const local: sys.Text = .of(&.{ run_directory, "/local" });
    const bun: sys.Text = .of(&.{ run_directory, "/bun" });
    const flags = sys.MS_RDONLY | sys.MS_NOSUID | sys.MS_NODEV;
    container.bind(.usr, "/usr", "/usr", flags);
    container.bind(.usr, local.ptr(), "/usr/local", flags);
    container.bind(.usr, bun.ptr(), "/usr/local/bin/bun", flags);
    container.mount(.proc, "proc", "/proc", closed, 0);
    container.mount(.sysfs, "sysfs", "/sys", closed | sys.MS_RDONLY, 0);
    container.mount(.cgroupfs, "cgroup2", "/sys/fs/cgroup", closed | sys.MS_RDONLY, 0);
    for ([_][]const u8{ "hosts", "hostname", "resolv.conf" }) |name| {
        const source: sys.Text = .of(&.{ container.directory.slice(), "/files/", name });
        const at: sys.Text = .of(&.{ "/etc/", name });
        container.bind(.files, source.ptr(), at.slice(), 0);
    }
}

fn makeDev(container: *const Container) void {
    const trace = container.trace;
    _ = trace.call(.dev, .umask, .{0});
    const options: [*:0]const u8 = "mode=755,size=65536";
    const flags = sys.MS_NOSUID | sys.MS_NOEXEC;
    container.mount(.dev, "tmpfs", "/dev", flags, @intFromPtr(options));
    const dev = container.target("/dev");
    _ = trace.call(.dev, .chdir, .{dev.ptr()});
    best.populateDev(trace);
    const pts: [*:0]const u8 = "newinstance,ptmxmode=0666,mode=0620,gid=5";
    container.mount(.devpts, "devpts", "/dev/pts", sys.MS_NOSUID | sys.MS_NOEXEC, @intFromPtr(pts));
    const shm: sys.Text = .of(&.{ container.directory.slice(), "/shm" });
    container.bind(.shm, shm.ptr(), "/dev/shm", closed);
    container.mount(.mqueue, "mqueue", "/dev/mqueue", closed, 0);
}

/// man 2 pivot_root: with both paths ".", the old root ends up on top of the new one and is
/// unmounted from there.
fn enter(container: *const Container) void {
    const trace = container.trace;
    _ = trace.call(.enter, .chdir, .{container.root.ptr()});
    _ = trace.call(.enter, .pivot_root, .{ ".", "." });
    _ = trace.call(.enter, .umount2, .{ ".", sys.MNT_DETACH });
    _ = trace.call(.enter, .chdir, .{"/"});
}

fn hide(trace: *const Trace, pod: *const pods.Pod) void {
    for (protocol.masked, 0..) |mask, index| {
        if (pod.request.masks >> @intCast(index) & 1 == 0) continue;
        if (mask.directory) {
            const options: [*:0]const u8 = "size=0k";
            _ = trace.call(.masks, .mount, .{
                "tmpfs", mask.path, "tmpfs", sys.MS_RDONLY, options,
            });
        } else {
            _ = trace.call(.masks, .mount, .{ "/dev/null", mask.path, 0, sys.MS_BIND, 0 });
        }
    }
    for (protocol.read_only, 0..) |path, index| {
        if (pod.request.read_only >> @intCast(index) & 1 == 0) continue;
        _ = trace.call(.readonly, .mount, .{ path, path, 0, sys.MS_BIND | sys.MS_REC, 0 });
        const flags = sys.MS_BIND | sys.MS_REMOUNT | sys.MS_RDONLY | closed;
        _ = trace.call(.readonly, .mount, .{ 0, path, 0, flags, 0 });
    }
}
