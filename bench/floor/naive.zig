//! One container as most runtimes make it: a copy of the host's mounts, mount(2) by path,
//! pivot_root and umount2, a linear filter.
const sys = @import("sys.zig");
const pods = @import("pod.zig");
const protocol = @import("protocol.zig");
const best = @import("best.zig");
const keeper = @import("keeper.zig");
const limits = @import("limits.zig");
const filter = @import("filter.zig");

const Trace = sys.Trace;
const closed = sys.MS_NOSUID | sys.MS_NODEV | sys.MS_NOEXEC;

fn directoryOf(pod: *const pods.Pod) sys.Text {
    const directory: [*:0]const u8 = @ptrCast(&pod.request.directory);
    var path: sys.Text = .of(&.{ @import("std").mem.span(directory), "/state/pod" });
    path.addNumber(pod.request.pod);
    return path;
}

/// The pod's own copy of the host's mounts, with /dev/shm and the generated files in its directory.
pub fn makeShared(pod: *const pods.Pod) void {
    const trace = &pod.trace;
    const directory = directoryOf(pod);
    const flags = sys.MS_REC | sys.MS_PRIVATE;
    _ = trace.call(.namespaces, .mount, .{ 0, "/", 0, flags, 0 });
    const names = [_][]const u8{ "/shm", "/files" };
    const modes = [_][*:0]const u8{ "size=65536k,mode=1777", "mode=755" };
    for (names, modes) |name, options| {
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
    keeper.writeFiles(trace, files);
    _ = trace.call(.files, .close, .{files});
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
        step: sys.Step,
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
        step: sys.Step,
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

pub fn run(
    pod: *const pods.Pod,
    described: *const pods.Container,
    slot: *pods.Slot,
    batch: u32,
) noreturn {
    const trace: Trace = .{
        .who = "container",
        .ticks = if (pod.request.options.timed) &slot.ticks else null,
    };
    const flags = sys.MS_REC | sys.MS_PRIVATE;
    _ = trace.call(.namespaces, .mount, .{ 0, "/", 0, flags, 0 });
    var container: Container = .{
        .trace = &trace,
        .pod = pod,
        .directory = directoryOf(pod),
        .root = undefined,
    };
    makeOverlay(&container, described.index);
    makeMounts(&container);
    makeDev(&container);
    enter(&container);
    hide(&trace, pod);
    limits.setOomScore(&trace);
    limits.apply(&trace);
    limits.exec(&trace, pod, described, slot, batch, filter.linear);
}

fn makeOverlay(container: *Container, index: u32) void {
    const run_directory: [*:0]const u8 = @ptrCast(&container.pod.request.directory);
    var home = container.directory;
    home.add("/c");
    home.addNumber(index);
    _ = container.trace.call(.directories, .mkdirat, .{ sys.AT_FDCWD, home.ptr(), 0o700 });
    for ([_][]const u8{ "/upper", "/work", "/root" }) |name| {
        container.root = home;
        container.root.add(name);
        _ = container.trace.call(.directories, .mkdirat, .{
            sys.AT_FDCWD, container.root.ptr(), 0o755,
        });
    }
    const text = home.slice();
    const lower = @import("std").mem.span(run_directory);
    const options: sys.Text = .of(&.{
        "lowerdir=", lower, "/lower,upperdir=", text, "/upper,workdir=", text, "/work",
    });
    _ = container.trace.call(.overlay, .mount, .{
        "overlay", container.root.ptr(), "overlay", 0, options.ptr(),
    });
}

fn makeMounts(container: *const Container) void {
    const directory: [*:0]const u8 = @ptrCast(&container.pod.request.directory);
    const run_directory = @import("std").mem.span(directory);
    const local: sys.Text = .of(&.{ run_directory, "/local" });
    const bun: sys.Text = .of(&.{ run_directory, "/bun" });
    const flags = sys.MS_RDONLY | sys.MS_NOSUID;
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
    const options: [*:0]const u8 = "mode=755,size=65536k";
    const flags = sys.MS_NOSUID | sys.MS_STRICTATIME;
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
