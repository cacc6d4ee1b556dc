//! The supervising process of one pod: makes its namespaces and what its containers share, forks
//! the containers, ends them. It serves one launcher over one socket and has no other events, so it
//! needs no loop.
const std = @import("std");
const sys = @import("sys.zig");
const pods = @import("pod.zig");
const protocol = @import("protocol.zig");
const best = @import("best.zig");
const naive = @import("naive.zig");

pub const panic = std.debug.no_panic;
pub const _start = sys.start(entry);

comptime {
    @export(&_start, .{ .name = "_start" });
}

var pod: pods.Pod = .{};
var ticks: sys.Ticks = @splat(0);
var batch: [protocol.containers_max]pods.Container = undefined;

fn entry(_: [*]const usize) callconv(.c) noreturn {
    const socket = protocol.socket;
    const pages = @sizeOf(pods.Shared);
    // Read and write; shared and anonymous.
    pod.shared = @ptrFromInt(pod.trace.call(.setup, .mmap, .{ 0, pages, 3, 0x21, -1, 0 }));
    while (true) {
        var request: protocol.Request = undefined;
        const size = pod.trace.call(.wait, .read, .{ socket, &request, @sizeOf(protocol.Request) });
        if (size == 0) sys.exit(0);
        if (request.options.timed) pod.trace.ticks = &ticks;
        ticks = @splat(0);
        pod.request = request;
        switch (request.kind) {
            .up => up(),
            .join => join(),
            .stamps => {
                const stamps = readStamps();
                _ = pod.trace.call(.message, .write, .{ socket, &stamps, @sizeOf(protocol.Stamps) });
                continue;
            },
            .down => down(),
        }
        const reply = summarize();
        _ = pod.trace.call(.message, .write, .{ socket, &reply, @sizeOf(protocol.Reply) });
    }
}

fn up() void {
    const trace = &pod.trace;
    const sources = pod.request.sources;
    const count = pod.request.containers;
    const shared = sys.CLONE_NEWNET | sys.CLONE_NEWIPC | sys.CLONE_NEWUTS | sys.CLONE_NEWNS;
    if (pod.request.options.naive) {
        _ = trace.call(.namespaces, .unshare, .{shared});
        makeDirectory();
        naive.makeShared(&pod);
    } else {
        cloneUsr(0, count);
        _ = trace.call(.namespaces, .setns, .{ sources.seed_namespace, sys.CLONE_NEWNS });
        _ = trace.call(.namespaces, .unshare, .{shared});
        makeDirectory();
        makeShared();
    }
    _ = trace.call(.namespaces, .sethostname, .{ "floor", 5 });
    // Any socket of the new network namespace will do; a unix one is the cheapest.
    const socket = trace.fd(.loopback, .socket, .{ 1, 2 | sys.O_CLOEXEC, 0 });
    const interface = extern struct { name: [16]u8, flags: i16, _: [22]u8 }{
        .name = ("lo" ++ .{0} ** 14).*,
        .flags = 1 | 0x40,
        ._ = @splat(0),
    };
    _ = trace.call(.loopback, .ioctl, .{ socket, 0x8914, &interface });
    _ = trace.call(.loopback, .close, .{socket});
    pod.cgroup = makeCgroup(sources.pods_cgroup, "pod", pod.request.pod, true);
    launch(0, count);
}

/// One more container. Sources of the host are cloned in its mount namespace, where alone they may
/// be.
fn join() void {
    const trace = &pod.trace;
    if (!pod.request.options.naive) {
        _ = trace.call(.namespaces, .setns, .{ pod.request.sources.host_namespace, sys.CLONE_NEWNS });
        cloneUsr(pod.containers, 1);
        _ = trace.call(.namespaces, .setns, .{ pod.lean_namespace, sys.CLONE_NEWNS });
    }
    launch(pod.containers, 1);
}

fn cloneUsr(first: u32, count: u32) void {
    const flags = sys.AT_EMPTY_PATH | sys.AT_RECURSIVE | sys.OPEN_TREE_CLONE | sys.O_CLOEXEC;
    for (batch[0..count], first..) |*container, index| {
        container.* = .{ .index = @intCast(index) };
        container.usr = pod.trace.fd(.usr, .open_tree, .{ pod.request.sources.usr, "", flags });
    }
}

fn makeDirectory() void {
    var name: sys.Text = .of(&.{"pod"});
    name.addNumber(pod.request.pod);
    _ = pod.trace.call(.directories, .mkdirat, .{ pod.request.sources.state, name.ptr(), 0o700 });
    const flags = sys.O_PATH | sys.O_DIRECTORY | sys.O_CLOEXEC;
    pod.directory = pod.trace.fd(.directories, .openat, .{ pod.request.sources.state, name.ptr(), flags });
}

/// Once per pod: /dev/shm, the generated files, the sources of masks, sysfs with its masks, the
/// message queues.
fn makeShared() void {
    const trace = &pod.trace;
    const closed = sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NODEV | sys.MOUNT_ATTR_NOEXEC;
    pod.shm = makeFileSystem(.shm, "tmpfs", &.{ .{ "size", "65536k" }, .{ "mode", "1777" } }, closed);
    pod.files = makeFileSystem(.files, "tmpfs", &.{.{ "mode", "755" }}, closed);
    writeFiles(trace, pod.files);
    const flags = sys.OPEN_TREE_CLONE | sys.O_CLOEXEC;
    const attributes: sys.MountAttr = .{ .set = sys.MOUNT_ATTR_RDONLY };
    const size = @sizeOf(sys.MountAttr);
    pod.mask_directory = trace.fd(.masks, .open_tree_attr, .{ pod.files, "empty", flags, &attributes, size });
    pod.mask_file = trace.fd(.masks, .open_tree_attr, .{ pod.files, "none", flags, &attributes, size });
    pod.sysfs = makeFileSystem(.sysfs, "sysfs", &.{}, closed | sys.MOUNT_ATTR_RDONLY);
    for (protocol.masked, 0..) |mask, index| {
        if (pod.request.masks >> @intCast(index) & 1 == 0 or mask.path[1] != 's') continue;
        // Mounting onto a detached tree works since Linux 6.15.
        const clone = trace.fd(.masks, .open_tree, .{ pod.mask_directory, "", flags | sys.AT_EMPTY_PATH });
        _ = trace.call(.masks, .move_mount, .{ clone, "", pod.sysfs, mask.path[5..].ptr, sys.MOVE_MOUNT_F_EMPTY_PATH });
        _ = trace.call(.masks, .close, .{clone});
    }
    pod.mqueue = makeFileSystem(.mqueue, "mqueue", &.{}, closed);
    pod.lean_namespace = trace.fd(.namespaces, .pidfd_open, .{ trace.call(.namespaces, .getpid, .{}), 0 });
}

/// The generated files and what masks are made of.
pub fn writeFiles(trace: *const sys.Trace, directory: i32) void {
    const contents = [_][2][:0]const u8{
        .{ "hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\tfloor\n" },
        .{ "hostname", "floor\n" },
        .{ "resolv.conf", "nameserver 192.0.2.53\noptions ndots:5\n" },
    };
    for (contents) |content| {
        const flags = sys.O_WRONLY | sys.O_CREAT | sys.O_CLOEXEC;
        const file = trace.fd(.files, .openat, .{ directory, content[0], flags, 0o644 });
        _ = trace.call(.files, .write, .{ file, content[1], content[1].len });
        _ = trace.call(.files, .close, .{file});
    }
    _ = trace.call(.masks, .mkdirat, .{ directory, "empty", 0o555 });
    _ = trace.call(.masks, .mknodat, .{ directory, "none", 0o100444, 0 });
}

fn makeFileSystem(
    comptime step: sys.Step,
    kind: [*:0]const u8,
    options: []const [2][*:0]const u8,
    attributes: u32,
) i32 {
    const trace = &pod.trace;
    const fs = trace.fd(step, .fsopen, .{ kind, 1 });
    for (options) |option| _ = trace.call(step, .fsconfig, .{ fs, sys.FSCONFIG_SET_STRING, option[0], option[1], 0 });
    _ = trace.call(step, .fsconfig, .{ fs, sys.FSCONFIG_CMD_CREATE, 0, 0, 0 });
    const tree = trace.fd(step, .fsmount, .{ fs, 1, attributes });
    _ = trace.call(step, .close, .{fs});
    return tree;
}

fn makeCgroup(parent: i32, prefix: []const u8, number: u32, delegate: bool) i32 {
    const trace = &pod.trace;
    var name: sys.Text = .of(&.{prefix});
    name.addNumber(number);
    _ = trace.call(.cgroup, .mkdirat, .{ parent, name.ptr(), 0o755 });
    const group = trace.fd(.cgroup, .openat, .{ parent, name.ptr(), sys.O_PATH | sys.O_DIRECTORY | sys.O_CLOEXEC });
    const options = pod.request.options;
    if (options.cpu) {
        writeFile(group, "cpu.weight", "20");
        writeFile(group, "cpu.max", "200000 100000");
    }
    if (options.memory) {
        writeFile(group, "memory.max", "268435456");
        writeFile(group, "memory.swap.max", "0");
        if (!delegate) writeFile(group, "memory.oom.group", "1");
    }
    if (options.pids) writeFile(group, "pids.max", "1024");
    if (!delegate) return group;
    const wanted: sys.Text = .of(&.{
        if (options.cpu) "+cpu " else "",
        if (options.memory) "+memory " else "",
        if (options.pids) "+pids " else "",
    });
    if (wanted.length > 0) writeFile(group, "cgroup.subtree_control", wanted.slice());
    return group;
}

fn writeFile(directory: i32, name: [*:0]const u8, content: []const u8) void {
    const trace = &pod.trace;
    const file = trace.fd(.cgroup, .openat, .{ directory, name, sys.O_WRONLY | sys.O_CLOEXEC });
    _ = trace.call(.cgroup, .write, .{ file, content.ptr, content.len });
    _ = trace.call(.cgroup, .close, .{file});
}

/// Forks `count` containers, lets them set themselves up side by side, and returns when all have
/// exec'd.
fn launch(first: u32, count: u32) void {
    const trace = &pod.trace;
    // The naive twin sets one container up after the other.
    if (pod.request.options.naive and count > 1) {
        for (0..count) |offset| launch(first + @as(u32, @intCast(offset)), 1);
        return;
    }
    pod.shared.arrived = 0;
    pod.shared.gate = 0;
    var execs: [2]i32 = undefined;
    _ = trace.call(.pipes, .pipe2, .{ &execs, sys.O_CLOEXEC });
    for (batch[0..count], 0..) |*container, offset| {
        if (pod.request.options.naive) container.* = .{ .index = first };
        container.cgroup = makeCgroup(pod.cgroup, "c", container.index, false);
        _ = trace.call(.pipes, .pipe2, .{ &container.stdout, sys.O_CLOEXEC });
        _ = trace.call(.pipes, .pipe2, .{ &container.stderr, sys.O_CLOEXEC });
        const arguments: sys.CloneArgs = .{
            .flags = sys.CLONE_NEWNS | sys.CLONE_NEWPID | sys.CLONE_NEWCGROUP | sys.CLONE_INTO_CGROUP | sys.CLONE_PIDFD,
            .pidfd = @intFromPtr(&container.pidfd),
            .cgroup = @intCast(container.cgroup),
        };
        const slot = &pod.shared.slots[offset];
        if (trace.call(.clone, .clone3, .{ &arguments, @sizeOf(sys.CloneArgs) }) == 0) {
            if (pod.request.options.naive) naive.run(&pod, container, slot, count);
            best.run(&pod, container, slot, count);
        }
        _ = trace.call(.cgroup, .close, .{container.cgroup});
        pod.stdout[container.index] = container.stdout[0];
    }
    _ = trace.call(.pipes, .close, .{execs[1]});
    for (batch[0..count]) |container| {
        makeLog(container.index);
        if (container.usr >= 0) _ = trace.call(.pipes, .close, .{container.usr});
        _ = trace.call(.pipes, .close, .{container.stdout[1]});
        _ = trace.call(.pipes, .close, .{container.stderr[1]});
    }
    // Every write end closes on exec; if a container has died instead, waitid in `down` finds too
    // few.
    var byte: u8 = undefined;
    _ = trace.call(.wait, .read, .{ execs[0], &byte, 1 });
    _ = trace.call(.pipes, .close, .{execs[0]});
    pod.containers += count;
}

/// Written by nobody here, but made, as the product's is. The children are at work meanwhile.
fn makeLog(index: u32) void {
    var name: sys.Text = .of(&.{"c"});
    name.addNumber(index);
    name.add(".log");
    const flags = sys.O_WRONLY | sys.O_CREAT | sys.O_APPEND | sys.O_CLOEXEC;
    _ = pod.trace.call(.directories, .openat, .{ pod.directory, name.ptr(), flags, 0o640 });
}

/// Blocks until every container of the last batch has written its first instruction's time.
fn readStamps() protocol.Stamps {
    var stamps: protocol.Stamps = .{};
    const first = pod.containers - pod.request.containers;
    for (0..pod.request.containers) |offset| {
        stamps.exec_at[offset] = pod.shared.slots[offset].exec_at;
        _ = pod.trace.call(.wait, .read, .{ pod.stdout[first + offset], &stamps.first[offset], 8 });
    }
    return stamps;
}

fn down() void {
    const trace = &pod.trace;
    const kill = trace.fd(.reap, .openat, .{ pod.cgroup, "cgroup.kill", sys.O_WRONLY | sys.O_CLOEXEC });
    _ = trace.call(.reap, .write, .{ kill, "1", 1 });
    for (0..pod.containers) |_| _ = trace.call(.reap, .wait4, .{ -1, 0, 0, 0 });
    for (0..pod.containers) |index| {
        var name: sys.Text = .of(&.{"c"});
        name.addNumber(index);
        _ = trace.call(.cgroup, .unlinkat, .{ pod.cgroup, name.ptr(), sys.AT_REMOVEDIR });
    }
    var name: sys.Text = .of(&.{"pod"});
    name.addNumber(pod.request.pod);
    _ = trace.call(.cgroup, .unlinkat, .{ pod.request.sources.pods_cgroup, name.ptr(), sys.AT_REMOVEDIR });
}

fn summarize() protocol.Reply {
    var reply: protocol.Reply = .{ .containers = pod.containers, .keeper = ticks };
    if (pod.trace.ticks == null or pod.request.kind == .down) return reply;
    var longest: u64 = 0;
    for (pod.shared.slots[0..pod.request.containers], 0..) |*slot, index| {
        var total: u64 = 0;
        for (slot.ticks, 0..) |value, step| {
            reply.all[step] += value;
            if (step != @intFromEnum(sys.Step.wait)) total += value;
        }
        if (total >= longest) {
            longest = total;
            reply.slowest = @intCast(index);
            reply.longest = slot.ticks;
        }
        slot.ticks = @splat(0);
    }
    return reply;
}
