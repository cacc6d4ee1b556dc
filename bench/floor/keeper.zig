//! The supervising process of one pod: makes its namespaces and what its containers share, forks
//! the containers, ends them. It serves one launcher over one socket and has no other events, so it
//! needs no loop.
const std = @import("std");
const sys = @import("sys.zig");
const pods = @import("pod.zig");
const protocol = @import("protocol.zig");
const best = @import("best.zig");
const naive = @import("naive.zig");
const cgroup = @import("cgroup.zig");
const overlay = @import("overlay.zig");
const limits = @import("limits.zig");

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
                _ = pod.trace.call(.message, .write, .{
                    socket, &stamps, @sizeOf(protocol.Stamps),
                });
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
        makeDirectory(trace);
        makePodCgroup(trace);
        naive.makeShared(&pod);
    } else {
        cloneUsr(0, count);
        // While no child shares this process's memory, and while there is a /proc to write to.
        limits.setOomScore(trace);
        startHelper();
        _ = trace.call(.namespaces, .setns, .{ sources.seed_namespace, sys.CLONE_NEWNS });
        _ = trace.call(.namespaces, .unshare, .{shared});
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
    if (!pod.request.options.naive) pods.await(trace, &pod.shared.prepared, 1);
    launch(0, count);
}

var helper_stack: [16384]u8 align(16) = undefined;
var helper_ticks: sys.Ticks = @splat(0);

/// Starts a process beside this one, in the same memory and with the same descriptors, that makes
/// what lies on disk and in the control groups while this one makes namespaces: on two CPUs neither
/// waits for the other.
fn startHelper() void {
    const trace = &pod.trace;
    // Growing a table that is shared waits for all CPUs to pass a quiescent state, so it is grown
    // before.
    const enough = 64 + 8 * pod.request.containers;
    const grown = trace.fd(.clone, .fcntl, .{ protocol.socket, 1030, enough });
    _ = trace.call(.clone, .close, .{grown});
    const arguments: sys.CloneArgs = .{
        .flags = sys.CLONE_VM | sys.CLONE_FILES,
        .stack = @intFromPtr(&helper_stack),
        .stack_size = helper_stack.len,
    };
    const before = sys.now();
    const pid = sys.cloneOnto(&arguments, help, pod.request.containers);
    if (pid < 0) trace.fail(.clone, .clone3, @intCast(-pid));
    ticks[@intFromEnum(sys.Step.clone)] += sys.now() - before;
    pod.helpers += 1;
}

fn help(count: usize) callconv(.c) noreturn {
    helper_ticks = @splat(0);
    const timed = pod.request.options.timed;
    const trace: sys.Trace = .{ .who = "helper", .ticks = if (timed) &helper_ticks else null };
    makeDirectory(&trace);
    makePodCgroup(&trace);
    for (batch[0..count]) |*container| {
        const options = pod.request.options;
        container.cgroup = cgroup.make(&trace, options, pod.cgroup, .container, container.index);
        container.root = overlay.make(&trace, &pod, container.index);
    }
    pods.signal(&trace, &pod.shared.prepared);
    _ = sys.raw(.exit, .{0});
    unreachable;
}

fn makePodCgroup(trace: *const sys.Trace) void {
    const request = &pod.request;
    const parent = request.sources.pods_cgroup;
    pod.cgroup = cgroup.make(trace, request.options, parent, .pod, request.pod);
}

/// One more container. Sources of the host are cloned in its mount namespace, where alone they may
/// be.
fn join() void {
    const trace = &pod.trace;
    if (!pod.request.options.naive) {
        _ = trace.call(.namespaces, .setns, .{
            pod.request.sources.host_namespace, sys.CLONE_NEWNS,
        });
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

fn makeDirectory(trace: *const sys.Trace) void {
    var name: sys.Text = .of(&.{"pod"});
    name.addNumber(pod.request.pod);
    _ = trace.call(.directories, .mkdirat, .{ pod.request.sources.state, name.ptr(), 0o700 });
    const flags = sys.O_PATH | sys.O_DIRECTORY | sys.O_CLOEXEC;
    pod.directory = trace.fd(.directories, .openat, .{
        pod.request.sources.state, name.ptr(), flags,
    });
}

/// Once per pod: /dev/shm, the generated files, the sources of masks, sysfs with its masks, the
/// message queues.
fn makeShared() void {
    const trace = &pod.trace;
    const closed = sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NODEV | sys.MOUNT_ATTR_NOEXEC;
    pod.shm = makeFileSystem(.shm, "tmpfs", &.{
        .{ "size", "65536k" }, .{ "mode", "1777" },
    }, closed);
    pod.files = makeFileSystem(.files, "tmpfs", &.{.{ "mode", "755" }}, closed);
    writeFiles(trace, pod.files);
    const flags = sys.OPEN_TREE_CLONE | sys.O_CLOEXEC;
    const attributes: sys.MountAttr = .{ .set = sys.MOUNT_ATTR_RDONLY };
    const size = @sizeOf(sys.MountAttr);
    pod.mask_directory = trace.fd(.masks, .open_tree_attr, .{
        pod.files, "empty", flags, &attributes, size,
    });
    pod.mask_file = trace.fd(.masks, .open_tree_attr, .{
        pod.files, "none", flags, &attributes, size,
    });
    pod.sysfs = makeFileSystem(.sysfs, "sysfs", &.{}, closed | sys.MOUNT_ATTR_RDONLY);
    for (protocol.masked, 0..) |mask, index| {
        if (pod.request.masks >> @intCast(index) & 1 == 0 or mask.path[1] != 's') continue;
        // Mounting onto a detached tree works since Linux 6.15.
        const clone = trace.fd(.masks, .open_tree, .{
            pod.mask_directory, "", flags | sys.AT_EMPTY_PATH,
        });
        _ = trace.call(.masks, .move_mount, .{
            clone, "", pod.sysfs, mask.path[5..].ptr, sys.MOVE_MOUNT_F_EMPTY_PATH,
        });
        _ = trace.call(.masks, .close, .{clone});
    }
    pod.mqueue = makeFileSystem(.mqueue, "mqueue", &.{}, closed);
    pod.lean_namespace = openOwnNamespace(trace);
}

/// The mount namespace itself, as a descriptor. A pidfd of this process would not do: setns takes
/// the namespace that its process is in by then. There is no /proc here (PIDFD_GET_MNT_NAMESPACE,
/// Linux 6.11).
fn openOwnNamespace(trace: *const sys.Trace) i32 {
    const pid = trace.call(.namespaces, .getpid, .{});
    const own = trace.fd(.namespaces, .pidfd_open, .{ pid, 0 });
    const namespace = trace.fd(.namespaces, .ioctl, .{ own, 0xff03, 0 });
    _ = trace.call(.namespaces, .close, .{own});
    return namespace;
}

/// The generated files and what masks are made of.
pub fn writeFiles(trace: *const sys.Trace, directory: i32) void {
    const contents = [_][2][:0]const u8{
        .{ "hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.0.1\tfloor\n" },
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
    for (options) |option| _ = trace.call(step, .fsconfig, .{
        fs, sys.FSCONFIG_SET_STRING, option[0], option[1], 0,
    });
    _ = trace.call(step, .fsconfig, .{ fs, sys.FSCONFIG_CMD_CREATE, 0, 0, 0 });
    const tree = trace.fd(step, .fsmount, .{ fs, 1, attributes });
    _ = trace.call(step, .close, .{fs});
    return tree;
}

/// Starts `count` containers, lets them set themselves up side by side, and returns when all have
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
    pod.shared.parted = 0;
    var execs: [2]i32 = undefined;
    _ = trace.call(.pipes, .pipe2, .{ &execs, sys.O_CLOEXEC });
    for (batch[0..count], 0..) |*container, offset| {
        if (pod.request.options.naive) container.* = .{ .index = first };
        startContainer(container, &pod.shared.slots[offset], count);
    }
    for (batch[0..count]) |*container| makeLog(container);
    if (!pod.request.options.naive) pods.await(trace, &pod.shared.parted, count);
    _ = trace.call(.pipes, .close, .{execs[1]});
    for (batch[0..count]) |*container| {
        const ends = [_]i32{ container.stdout[1], container.stderr[1] };
        const used = ends ++ [_]i32{ container.usr, container.root, container.cgroup };
        for (used) |descriptor| {
            if (descriptor >= 0) _ = trace.call(.pipes, .close, .{descriptor});
        }
    }
    // Every write end closes on exec; if a container has died instead, waitid in `down` finds too
    // few.
    var byte: u8 = undefined;
    _ = trace.call(.wait, .read, .{ execs[0], &byte, 1 });
    _ = trace.call(.pipes, .close, .{execs[0]});
    for (batch[0..count]) |*container| keep(container);
    pod.containers += count;
}

fn startContainer(container: *pods.Container, slot: *pods.Slot, count: u32) void {
    const trace = &pod.trace;
    const options = pod.request.options;
    if (container.cgroup < 0) {
        container.cgroup = cgroup.make(trace, options, pod.cgroup, .container, container.index);
    }
    _ = trace.call(.pipes, .pipe2, .{ &container.stdout, sys.O_CLOEXEC });
    _ = trace.call(.pipes, .pipe2, .{ &container.stderr, sys.O_CLOEXEC });
    const own = sys.CLONE_NEWNS | sys.CLONE_NEWPID | sys.CLONE_NEWCGROUP;
    var arguments: sys.CloneArgs = .{
        .flags = own | sys.CLONE_INTO_CGROUP | sys.CLONE_PIDFD,
        .pidfd = @intFromPtr(&container.pidfd),
        .cgroup = @intCast(container.cgroup),
    };
    if (options.naive) {
        const pid = trace.call(.clone, .clone3, .{ &arguments, @sizeOf(sys.CloneArgs) });
        if (pid == 0) naive.run(&pod, container, slot, count);
        return;
    }
    const index = container - &batch[0];
    starts[index] = .{ .container = container, .slot = slot, .count = count };
    // The keeper's memory and descriptors are shared until exec: nothing is copied, and nothing
    // faults in again.
    arguments.flags |= sys.CLONE_VM | sys.CLONE_FILES;
    arguments.stack = @intFromPtr(&container_stacks[index]);
    arguments.stack_size = container_stacks[index].len;
    const before = sys.now();
    const pid = sys.cloneOnto(&arguments, beginContainer, index);
    if (pid < 0) trace.fail(.clone, .clone3, @intCast(-pid));
    ticks[@intFromEnum(sys.Step.clone)] += sys.now() - before;
}

const Start = struct { container: *const pods.Container, slot: *pods.Slot, count: u32 };
var starts: [protocol.containers_max]Start = undefined;
var container_stacks: [protocol.containers_max][16384]u8 align(16) = undefined;

fn beginContainer(index: usize) callconv(.c) noreturn {
    const start = &starts[index];
    best.run(&pod, start.container, start.slot, start.count);
}

/// Moves what the keeper holds of a container that joined out of the children's way. The containers
/// that the pod began with are few, and theirs may stay.
fn keep(container: *pods.Container) void {
    const trace = &pod.trace;
    const ends = [_]*i32{ &container.stdout[0], &container.stderr[0] };
    const held = ends ++ [_]*i32{ &container.log, &container.pidfd };
    if (pod.request.kind == .join and !pod.request.options.naive) {
        for (held) |descriptor| {
            const high = trace.fd(.pipes, .fcntl, .{ descriptor.*, 1030, pods.descriptors_kept });
            _ = trace.call(.pipes, .close, .{descriptor.*});
            descriptor.* = high;
        }
    }
    pod.stdout[container.index] = container.stdout[0];
}

/// Written by nobody here, but made, as the product's is. The children are at work meanwhile.
fn makeLog(container: *pods.Container) void {
    var name: sys.Text = .of(&.{"c"});
    name.addNumber(container.index);
    name.add(".log");
    const flags = sys.O_WRONLY | sys.O_CREAT | sys.O_APPEND | sys.O_CLOEXEC;
    const trace = &pod.trace;
    container.log = trace.fd(.directories, .openat, .{ pod.directory, name.ptr(), flags, 0o640 });
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
    const kill = trace.fd(.reap, .openat, .{
        pod.cgroup, "cgroup.kill", sys.O_WRONLY | sys.O_CLOEXEC,
    });
    _ = trace.call(.reap, .write, .{ kill, "1", 1 });
    for (0..pod.containers + pod.helpers) |_| _ = trace.call(.reap, .wait4, .{ -1, 0, 0, 0 });
    for (0..pod.containers) |index| cgroup.remove(trace, pod.cgroup, .container, @intCast(index));
    cgroup.remove(trace, pod.request.sources.pods_cgroup, .pod, pod.request.pod);
}

fn summarize() protocol.Reply {
    var reply: protocol.Reply = .{
        .containers = pod.containers,
        .keeper = ticks,
        .helper = helper_ticks,
    };
    if (pod.trace.ticks == null or pod.request.kind == .down) return reply;
    helper_ticks = @splat(0);
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
