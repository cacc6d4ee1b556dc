//! What a run needs once, outside of every timing: its directories and control groups, the sealed
//! keeper, the seed namespace, detached trees of the host's sources. And its end: nothing of this
//! is left.
const std = @import("std");
const sys = @import("sys.zig");
const trace_file = @import("trace.zig");
const protocol = @import("protocol.zig");

const trace: sys.Trace = .{ .who = "launcher" };

pub const Run = struct {
    directory: sys.Text,
    cgroup: sys.Text,
    keepers_cgroup: i32 = -1,
    keeper: i32 = -1,
    state: i32 = -1,
    logs: i32 = -1,
    /// The run's control group: what `cpu.stat` there counts is the pods' and the keepers'.
    cpu: i32 = -1,
    log: ?*trace_file.Log = null,
    options: protocol.Options,
    request: protocol.Request = undefined,
};

/// Makes everything; `cleanUp` takes it away again, also when this has stopped half way.
pub fn prepare(run: *Run, keeper: []const u8, stamp: []const u8) void {
    makeDirectories(run, stamp);
    makeCgroups(run);
    run.keeper = sealedProgram(keeper);
    const directory = run.directory.slice();
    const open = sys.O_PATH | sys.O_DIRECTORY;
    const state_path: sys.Text = .of(&.{ directory, "/state" });
    const logs_path: sys.Text = .of(&.{ directory, "/logs" });
    run.state = openDirectory(state_path.ptr());
    run.logs = openDirectory(logs_path.ptr());
    if (run.options.traced) run.log = makeLog();
    const usr = makeUsr(directory);
    const pods: sys.Text = .of(&.{ run.cgroup.slice(), "/pods" });
    var request: protocol.Request = .{
        .kind = .up,
        .options = run.options,
        .pod = 0,
        .containers = 0,
        .masks = 0,
        .read_only = 0,
        .files_hard_max = 0,
        .sources = .{
            .host_namespace = trace.fd(.setup, .openat, .{
                sys.AT_FDCWD, "/proc/self/ns/mnt", sys.O_RDONLY,
            }),
            .seed_namespace = makeSeed(directory),
            .proc = trace.fd(.setup, .openat, .{ sys.AT_FDCWD, "/proc", open }),
            .state = clone(state_path.ptr(), 0),
            .logs = clone(logs_path.ptr(), 0),
            .lower = clone(sys.Text.of(&.{ directory, "/lower" }).ptr(), 0),
            .usr = usr,
            .root = makeRoot(directory, usr),
            .pods_cgroup = trace.fd(.setup, .openat, .{ sys.AT_FDCWD, pods.ptr(), open }),
            .null_device = trace.fd(.setup, .openat, .{ sys.AT_FDCWD, "/dev/null", 0 }),
        },
        .directory = undefined,
        .arguments = undefined,
        .argument_count = 0,
    };
    @memset(&request.arguments, 0);
    @memset(&request.directory, 0);
    std.debug.assert(directory.len < request.directory.len);
    @memcpy(request.directory[0..directory.len], directory);
    for (protocol.masked, 0..) |mask, index| {
        if (exists(mask.path)) request.masks |= @as(u32, 1) << @intCast(index);
    }
    for (protocol.read_only, 0..) |path, index| {
        if (exists(path)) request.read_only |= @as(u32, 1) << @intCast(index);
    }
    var files: [2]u64 = undefined;
    _ = trace.call(.setup, .prlimit64, .{ 0, 7, 0, &files });
    request.files_hard_max = files[1];
    // A pod's keeper holds four descriptors for each container; containers get a limit of their
    // own.
    files[0] = files[1];
    _ = trace.call(.setup, .prlimit64, .{ 0, 7, &files, 0 });
    run.request = request;
}

fn openDirectory(path: [*:0]const u8) i32 {
    const flags = sys.O_PATH | sys.O_DIRECTORY | sys.O_CLOEXEC;
    return trace.fd(.setup, .openat, .{ sys.AT_FDCWD, path, flags });
}

fn exists(path: [*:0]const u8) bool {
    return sys.raw(.faccessat, .{ sys.AT_FDCWD, path, 0 }) == 0;
}

/// The run's directory; in it the image (`lower`), what hides /usr/local, and the pods' state.
fn makeDirectories(run: *const Run, stamp: []const u8) void {
    const root = trace.fd(.setup, .openat, .{
        sys.AT_FDCWD, run.directory.ptr(), sys.O_PATH | sys.O_DIRECTORY | sys.O_CLOEXEC,
    });
    defer _ = sys.raw(.close, .{root});

    const directories = [_][*:0]const u8{
        "state",     "logs",      "seed",       "local",
        "local/bin", "lower",     "lower/usr",  "lower/proc",
        "lower/sys", "lower/dev", "lower/etc",  "lower/mnt",
        "lower/run", "lower/var", "lower/home", "lower/root",
    };
    for (directories) |path| _ = trace.call(.setup, .mkdirat, .{ root, path, 0o755 });
    _ = trace.call(.setup, .mkdirat, .{ root, "lower/tmp", 0o777 });
    _ = trace.call(.setup, .fchmodat, .{ root, "lower/tmp", 0o1777 });
    const empty = [_][*:0]const u8{
        "bun",                "local/bin/bun",         "lower/etc/hosts",
        "lower/etc/hostname", "lower/etc/resolv.conf",
    };
    for (empty) |path| {
        write(root, path, "", 0o644);
    }
    write(root, "lower/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", 0o644);
    write(root, "lower/stamp", stamp, 0o755);
    for ([_][*:0]const u8{ "bin", "lib", "lib64", "sbin" }) |name| {
        const target: sys.Text = .of(&.{ "usr/", std.mem.span(name) });
        const link: sys.Text = .of(&.{ "lower/", std.mem.span(name) });
        _ = trace.call(.setup, .symlinkat, .{ target.ptr(), root, link.ptr() });
    }
}

fn write(directory: i32, path: [*:0]const u8, content: []const u8, mode: u32) void {
    const flags = sys.O_WRONLY | sys.O_CREAT | sys.O_CLOEXEC;
    const file = trace.fd(.setup, .openat, .{ directory, path, flags, mode });
    defer _ = sys.raw(.close, .{file});

    const size = trace.call(.setup, .write, .{ file, content.ptr, content.len });
    std.debug.assert(size == content.len);
}

fn makeCgroups(run: *Run) void {
    const all = sys.O_PATH | sys.O_DIRECTORY | sys.O_CLOEXEC;
    _ = trace.call(.setup, .mkdirat, .{ sys.AT_FDCWD, run.cgroup.ptr(), 0o755 });
    const group = trace.fd(.setup, .openat, .{ sys.AT_FDCWD, run.cgroup.ptr(), all });
    _ = trace.call(.setup, .mkdirat, .{ group, "keepers", 0o755 });
    _ = trace.call(.setup, .mkdirat, .{ group, "pods", 0o755 });
    run.keepers_cgroup = trace.fd(.setup, .openat, .{ group, "keepers", all });
    run.cpu = trace.fd(.setup, .openat, .{ group, "cpu.stat", sys.O_RDONLY | sys.O_CLOEXEC });
    // Limits are part of the work only where the group above hands controllers down.
    var offered: [256]u8 = undefined;
    const file = trace.fd(.setup, .openat, .{
        group, "cgroup.controllers", sys.O_RDONLY | sys.O_CLOEXEC,
    });
    const size = trace.call(.setup, .read, .{ file, &offered, offered.len });
    var words = std.mem.tokenizeAny(u8, offered[0..size], " \n");
    while (words.next()) |word| {
        if (std.mem.eql(u8, word, "cpu")) run.options.cpu = true;
        if (std.mem.eql(u8, word, "memory")) run.options.memory = true;
        if (std.mem.eql(u8, word, "pids")) run.options.pids = true;
    }
    const wanted: sys.Text = .of(&.{
        if (run.options.cpu) "+cpu " else "",
        if (run.options.memory) "+memory " else "",
        if (run.options.pids) "+pids " else "",
    });
    if (wanted.length == 0) return;
    write(group, "cgroup.subtree_control", wanted.slice(), 0);
    write(group, "pods/cgroup.subtree_control", wanted.slice(), 0);
}

fn sealedProgram(program: []const u8) i32 {
    const file = trace.fd(.setup, .memfd_create, .{ "keeper", 1 | 2 });
    _ = trace.call(.setup, .write, .{ file, program.ptr, program.len });
    _ = trace.call(.setup, .fcntl, .{ file, 1033, 0xf });
    return file;
}

/// A detached tree, taken out of every propagation: a clone of a shared mount would stay its peer.
fn clone(path: [*:0]const u8, attributes: u64) i32 {
    const tree = trace.fd(.setup, .open_tree, .{ sys.AT_FDCWD, path, sys.OPEN_TREE_CLONE });
    const wanted: sys.MountAttr = .{ .set = attributes, .propagation = sys.MS_PRIVATE };
    _ = trace.call(.setup, .mount_setattr, .{
        tree, "", sys.AT_EMPTY_PATH, &wanted, @sizeOf(sys.MountAttr),
    });
    return tree;
}

/// The host's /usr with an almost empty /usr/local and one file on it, read-only and nosuid: one
/// tree, so that a container gets all three mounts with one recursive clone.
fn makeUsr(directory: []const u8) i32 {
    const closed = sys.MOUNT_ATTR_RDONLY | sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NODEV;
    const usr = clone("/usr", closed);
    const flags = sys.MOVE_MOUNT_F_EMPTY_PATH;
    const local = clone(sys.Text.of(&.{ directory, "/local" }).ptr(), closed);
    _ = trace.call(.setup, .move_mount, .{ local, "", usr, "local", flags });
    const bun = clone(sys.Text.of(&.{ directory, "/bun" }).ptr(), closed);
    _ = trace.call(.setup, .move_mount, .{ bun, "", usr, "local/bin/bun", flags });
    for ([_]i32{ local, bun }) |tree| _ = sys.raw(.close, .{tree});
    return usr;
}

/// The whole read-only root as one tree.
fn makeRoot(directory: []const u8, usr: i32) i32 {
    const root = clone(sys.Text.of(&.{ directory, "/lower" }).ptr(), sys.MOUNT_ATTR_RDONLY);
    const flags = sys.AT_EMPTY_PATH | sys.AT_RECURSIVE | sys.OPEN_TREE_CLONE;
    const copy = trace.fd(.setup, .open_tree, .{ usr, "", flags });
    _ = trace.call(.setup, .move_mount, .{ copy, "", root, "usr", sys.MOVE_MOUNT_F_EMPTY_PATH });
    _ = sys.raw(.close, .{copy});
    return root;
}

/// Mapped here and in every keeper.
fn makeLog() *trace_file.Log {
    const file = trace.fd(.setup, .memfd_create, .{ "calls", 0 });
    _ = trace.call(.setup, .ftruncate, .{ file, @sizeOf(trace_file.Log) });
    _ = trace.call(.setup, .dup3, .{ file, protocol.log, 0 });
    _ = sys.raw(.close, .{file});
    const size = @sizeOf(trace_file.Log);
    // Faults of first use are not to be in what is measured.
    const populate = 0x8000;
    const at = trace.call(.setup, .mmap, .{ 0, size, 3, 1 | populate, protocol.log, 0 });
    return @ptrFromInt(at);
}

/// A mount namespace that holds one empty, read-only tmpfs. Made by a child, which ends when its
/// namespace has been opened.
fn makeSeed(directory: []const u8) i32 {
    var done: [2]i32 = undefined;
    var go: [2]i32 = undefined;
    _ = trace.call(.setup, .pipe2, .{ &done, sys.O_CLOEXEC });
    _ = trace.call(.setup, .pipe2, .{ &go, sys.O_CLOEXEC });
    const arguments: sys.CloneArgs = .{ .flags = sys.CLONE_NEWNS };
    const pid = trace.call(.setup, .clone3, .{ &arguments, @sizeOf(sys.CloneArgs) });
    if (pid == 0) {
        _ = sys.raw(.close, .{go[1]});
        becomeLean(directory);
        _ = sys.raw(.write, .{ done[1], "!", 1 });
        var byte: u8 = undefined;
        _ = sys.raw(.read, .{ go[0], &byte, 1 });
        sys.exit(0);
    }
    _ = sys.raw(.close, .{done[1]});
    var byte: u8 = undefined;
    const told = trace.call(.setup, .read, .{ done[0], &byte, 1 });
    var path: sys.Text = .of(&.{"/proc/"});
    path.addNumber(pid);
    path.add("/ns/mnt");
    const seed = trace.attempt(.setup, .openat, .{ sys.AT_FDCWD, path.ptr(), sys.O_RDONLY });
    for ([_]i32{ done[0], go[0], go[1] }) |end| _ = sys.raw(.close, .{end});
    _ = trace.call(.setup, .wait4, .{ pid, 0, 0, 0 });
    if (told == 0 or seed < 0) trace.fail(.setup, .openat, 0);
    return @intCast(seed);
}

fn becomeLean(directory: []const u8) void {
    const closed = sys.MS_NOSUID | sys.MS_NODEV | sys.MS_NOEXEC;
    const seed: sys.Text = .of(&.{ directory, "/seed" });
    const private = sys.MS_REC | sys.MS_PRIVATE;
    _ = trace.call(.setup, .mount, .{ 0, "/", 0, private, 0 });
    _ = trace.call(.setup, .mount, .{
        "tmpfs", seed.ptr(), "tmpfs", closed, "mode=555,nr_inodes=8",
    });
    _ = trace.call(.setup, .chdir, .{seed.ptr()});
    // For the procfs that a pod with a user namespace needs in sight.
    _ = trace.call(.setup, .mkdirat, .{ sys.AT_FDCWD, "proc", 0o555 });
    _ = trace.call(.setup, .pivot_root, .{ ".", "." });
    _ = trace.call(.setup, .umount2, .{ ".", sys.MNT_DETACH });
    // The superblock, not only the mount: all pods share it.
    const read_only = sys.MS_REMOUNT | sys.MS_RDONLY | closed;
    _ = trace.call(.setup, .mount, .{ 0, "/", 0, read_only, 0 });
}

/// Ends what still runs in the run's groups and removes groups and files. Tolerates what is
/// missing.
pub fn cleanUp(run: *const Run) void {
    const kill: sys.Text = .of(&.{ run.cgroup.slice(), "/cgroup.kill" });
    const file = sys.raw(.openat, .{ sys.AT_FDCWD, kill.ptr(), sys.O_WRONLY | sys.O_CLOEXEC });
    if (file >= 0) {
        _ = sys.raw(.write, .{ file, "1", 1 });
        _ = sys.raw(.close, .{file});
        while (sys.raw(.wait4, .{ -1, 0, 0, 0 }) > 0) {}
    }
    // Containers whose keeper was killed are the init process's children: their groups empty a
    // moment later.
    for (0..200) |_| {
        sys.removeTree(sys.AT_FDCWD, run.cgroup.ptr());
        if (!exists(run.cgroup.ptr())) break;
        const pause = [2]u64{ 0, 10_000_000 };
        _ = sys.raw(.nanosleep, .{ &pause, 0 });
    }
    sys.removeTree(sys.AT_FDCWD, run.directory.ptr());
    for ([_]*const sys.Text{ &run.cgroup, &run.directory }) |text| {
        if (exists(text.ptr())) sys.print(2, &.{ "floor: left behind: ", text.slice(), "\n" });
    }
}

/// The first cgroup2 mount of this process's namespace.
pub fn cgroupRoot(buffer: []u8) ?[]const u8 {
    const file = trace.fd(.setup, .openat, .{
        sys.AT_FDCWD, "/proc/self/mountinfo", sys.O_RDONLY | sys.O_CLOEXEC,
    });
    defer _ = sys.raw(.close, .{file});

    var length: usize = 0;
    while (length < buffer.len) {
        const size = trace.call(.setup, .read, .{
            file, buffer[length..].ptr, buffer.len - length,
        });
        if (size == 0) break;
        length += size;
    }
    var lines = std.mem.splitScalar(u8, buffer[0..length], '\n');
    while (lines.next()) |line| {
        if (std.mem.indexOf(u8, line, " - cgroup2 ") == null) continue;
        var words = std.mem.splitScalar(u8, line, ' ');
        for (0..4) |_| _ = words.next();
        return words.next();
    }
    return null;
}
