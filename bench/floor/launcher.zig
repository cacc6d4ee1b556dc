//! The caller's side of one pod: starts its keeper, asks it, waits for its end.
const std = @import("std");
const sys = @import("sys.zig");
const trace_file = @import("trace.zig");
const setup = @import("setup.zig");
const protocol = @import("protocol.zig");

pub var run: setup.Run = undefined;
pub var trace: sys.Trace = .{ .who = "launcher" };

var vfork_stack: [4096]u8 align(16) = undefined;

pub const Pod = struct { number: u32, socket: i32, pid: usize };

pub fn setArguments(words: []const []const u8) void {
    var length: usize = 0;
    for (words) |word| {
        std.debug.assert(length + word.len < run.request.arguments.len);
        @memcpy(run.request.arguments[length..][0..word.len], word);
        run.request.arguments[length + word.len] = 0;
        length += word.len + 1;
    }
    run.request.argument_count = @intCast(words.len);
}

/// Shares this process's memory until it has exec'd, so what it costs does not depend on how large
/// the caller is.
pub fn start(number: u32, containers: u32) Pod {
    run.request.pod = number;
    run.request.containers = containers;
    run.request.kind = .up;
    var arguments: sys.CloneArgs = .{
        .flags = sys.CLONE_VM | sys.CLONE_VFORK | sys.CLONE_INTO_CGROUP,
        .stack = @intFromPtr(&vfork_stack),
        .stack_size = vfork_stack.len,
        .cgroup = @intCast(run.keepers_cgroup),
    };
    const own_group = hasGroup();
    if (own_group) {
        const name = podName(number);
        _ = trace.call(.cgroup, .mkdirat, .{ run.keepers_cgroup, name.ptr(), 0o755 });
        const flags = sys.O_PATH | sys.O_DIRECTORY | sys.O_CLOEXEC;
        const group = trace.fd(.cgroup, .openat, .{ run.keepers_cgroup, name.ptr(), flags });
        arguments.cgroup = @intCast(group);
    }
    var sockets: [2]i32 = undefined;
    _ = trace.call(.message, .socketpair, .{ 1, 5 | sys.O_CLOEXEC, 0, &sockets });
    // The request is there before the keeper is, which then need not sleep for it.
    send(sockets[0]);
    const context: usize = @intCast(sockets[1]);
    const pid = trace.cloneOnto(trace_file.keeper, &arguments, becomeKeeper, context);
    _ = trace.call(.message, .close, .{sockets[1]});
    if (own_group) _ = trace.call(.cgroup, .close, .{arguments.cgroup});
    var reply: protocol.Reply = undefined;
    receive(sockets[0], std.mem.asBytes(&reply));
    return .{ .number = number, .socket = sockets[0], .pid = pid };
}

fn becomeKeeper(socket: usize) callconv(.c) noreturn {
    const own: sys.Trace = .{ .who = "keeper", .log = trace.log, .process = trace_file.keeper };
    own.begin();
    _ = own.call(.spawn, .dup3, .{ socket, protocol.socket, 0 });
    const argv = [_:null]?[*:0]const u8{"keeper"};
    const environment = [_:null]?[*:0]const u8{};
    own.last(.spawn, .execveat);
    const result = sys.raw(.execveat, .{ run.keeper, "", &argv, &environment, sys.AT_EMPTY_PATH });
    own.fail(.spawn, .execveat, @intCast(-result));
}

/// Below `limits` processes have no groups of their own, the keeper neither.
fn hasGroup() bool {
    return @intFromEnum(run.options.level) >= @intFromEnum(protocol.Level.limits);
}

fn podName(number: u32) sys.Text {
    var name: sys.Text = .of(&.{"pod"});
    name.addNumber(number);
    return name;
}

fn send(socket: i32) void {
    const size = @sizeOf(protocol.Request);
    _ = trace.wakes(.request).call(.message, .write, .{ socket, &run.request, size });
}

/// `containers`: how many, or for `exec` in which one.
pub fn ask(pod: Pod, kind: protocol.Kind, containers: u32) void {
    run.request.pod = pod.number;
    run.request.kind = kind;
    run.request.containers = containers;
    send(pod.socket);
    var reply: protocol.Reply = undefined;
    receive(pod.socket, std.mem.asBytes(&reply));
}

/// When the last of the programs of the last request ran its first instruction.
pub fn lastStamp(pod: Pod, containers: u32) u64 {
    run.request.kind = .stamps;
    run.request.containers = containers;
    send(pod.socket);
    var stamps: protocol.Stamps = undefined;
    receive(pod.socket, std.mem.asBytes(&stamps));
    var last: u64 = 0;
    for (stamps.first[0..containers]) |first| {
        if (first == 0) trace.fail(.wait, .execve, 0);
        last = @max(last, first);
    }
    return last;
}

/// Asks for the end; `finish` waits for it.
pub fn end(pod: Pod) void {
    run.request.pod = pod.number;
    run.request.kind = .down;
    send(pod.socket);
}

/// A keeper's own end says that the pod's is done.
pub fn finish(pod: Pod) void {
    var status: u32 = 0;
    _ = trace.waits(.exited).call(.wait, .wait4, .{ pod.pid, &status, 0, 0 });
    if (status != 0) trace.fail(.reap, .wait4, 10);
    _ = trace.call(.reap, .close, .{pod.socket});
    if (hasGroup()) _ = trace.call(.cgroup, .unlinkat, .{
        run.keepers_cgroup, podName(pod.number).ptr(), sys.AT_REMOVEDIR,
    });
}

/// The logs, which outlive a pod. Never timed.
pub fn forget(pod: Pod) void {
    sys.removeTree(run.logs, podName(pod.number).ptr());
}

/// A container that fails leaves its siblings at the gate; ten seconds of silence are taken for
/// that.
fn receive(socket: i32, bytes: []u8) void {
    var ready = extern struct { fd: i32, events: i16 = 1, revents: i16 = 0 }{ .fd = socket };
    const limit = [2]u64{ 10, 0 };
    const answered = trace.waits(.reply);
    if (answered.call(.wait, .ppoll, .{ &ready, 1, &limit, 0, 8 }) == 0) {
        trace.fail(.wait, .ppoll, 110);
    }
    const size = trace.call(.message, .read, .{ socket, bytes.ptr, bytes.len });
    if (size != bytes.len) trace.fail(.message, .read, 104);
}

/// Nanoseconds of CPU time: of everything in the run's control group, the dead included, and of
/// this process.
pub fn cpu() u64 {
    var buffer: [512]u8 = undefined;
    const size = trace.call(.setup, .pread64, .{ run.cpu, &buffer, buffer.len, 0 });
    var words = std.mem.tokenizeAny(u8, buffer[0..size], " \n");
    _ = words.next();
    const used = std.fmt.parseInt(u64, words.next() orelse "0", 10) catch 0;
    const own = 2; // CLOCK_PROCESS_CPUTIME_ID
    return used * 1000 + sys.clock(own);
}
