//! Connections made in the pod's network namespace for a client outside it: the socket belongs to
//! the namespace of whoever makes it, and the keeper is there.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const protocol = @import("../plan/protocol.zig");
const keeper_file = @import("keeper.zig");
const connection_file = @import("connection.zig");
const Keeper = keeper_file.Keeper;
const Client = keeper_file.Client;
const linux = calls.linux;

/// Those that the other side has not answered yet.
pub const in_flight_max = 256;
const timeout_ms_max = 10 * std.time.ms_per_min;

pub const Dial = struct {
    socket: Fd = .none,
    /// The connected socket goes back over this one; without it the answer is all that is wanted.
    channel: Fd = .none,
    client: Client = .{},
    deadline_ns: i64 = 0,
};

pub fn begin(
    keeper: *Keeper,
    index: u32,
    client: Client,
    fds_count: u32,
    body: []align(8) const u8,
) void {
    var fds = connection_file.takeDescriptors(keeper, index, fds_count);
    for (fds[1..]) |*surplus| surplus.release();
    var dial: Dial = .{ .channel = fds[0], .client = client };
    const wish = check(body) orelse return finish(keeper, &dial, .invalid, .none, .SUCCESS);
    open(keeper, &dial, wish);
}

fn check(body: []align(8) const u8) ?*const protocol.Dial {
    if (body.len != @sizeOf(protocol.Dial)) return null;
    const wish: *const protocol.Dial = @ptrCast(body.ptr);
    const is_known = std.enums.fromInt(protocol.Family, wish.family) != null;
    return if (is_known and wish.port <= std.math.maxInt(u16)) wish else null;
}

fn open(keeper: *Keeper, dial: *Dial, wish: *const protocol.Dial) void {
    const family: protocol.Family = @enumFromInt(wish.family);
    const made = linux.socket(
        if (family == .tcp4) linux.AF.INET else linux.AF.INET6,
        linux.SOCK.STREAM | linux.SOCK.NONBLOCK | linux.SOCK.CLOEXEC,
        0,
    );
    if (linux.errno(made) != .SUCCESS) {
        return finish(keeper, dial, .failed, .socket, linux.errno(made));
    }
    dial.socket = .from(made);
    switch (connect(dial.socket, family, wish)) {
        .SUCCESS => handOver(keeper, dial),
        .INPROGRESS => wait(keeper, dial, @min(wish.timeout_ms, timeout_ms_max)),
        else => |errno| finish(keeper, dial, .failed, .connect, errno),
    }
}

/// Over loopback the answer is there at once.
fn connect(socket: Fd, family: protocol.Family, wish: *const protocol.Dial) linux.E {
    const bytes: [16]u8 = @bitCast([2]u64{ wish.address_head, wish.address_tail });
    const port = std.mem.nativeToBig(u16, @intCast(wish.port));
    return linux.errno(switch (family) {
        .tcp4 => blk: {
            const address: linux.sockaddr.in = .{
                .port = port,
                .addr = @bitCast(bytes[0..4].*),
            };
            break :blk linux.connect(socket.raw, &address, @sizeOf(linux.sockaddr.in));
        },
        .tcp6 => blk: {
            const address: linux.sockaddr.in6 = .{
                .port = port,
                .flowinfo = 0,
                .addr = bytes,
                .scope_id = 0,
            };
            break :blk linux.connect(socket.raw, &address, @sizeOf(linux.sockaddr.in6));
        },
    });
}

fn wait(keeper: *Keeper, dial: *Dial, timeout_ms: u32) void {
    const index = freePlace(keeper) orelse return finish(keeper, dial, .refused, .none, .SUCCESS);
    const now = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC);
    dial.deadline_ns = now + @as(i64, timeout_ms) * std.time.ns_per_ms;
    keeper.dials[index] = dial.*;
    keeper.dialing += 1;
    keeper_file.watch(keeper, dial.socket.raw, .dial, index, linux.EPOLL.OUT);
}

fn freePlace(keeper: *Keeper) ?u32 {
    for (keeper.dials[0..keeper.dials_used], 0..) |*dial, index| {
        if (!dial.socket.isOpen()) return @intCast(index);
    }
    if (keeper.dials_used == in_flight_max) return null;
    keeper.dials_used += 1;
    return keeper.dials_used - 1;
}

pub fn onReady(keeper: *Keeper, index: u32) void {
    const dial = &keeper.dials[index];
    if (!dial.socket.isOpen()) return; // Its time was over in the same batch of events.
    keeper_file.unwatch(keeper, dial.socket.raw);
    keeper.dialing -= 1;
    var errno: i32 = 0;
    var size: linux.socklen_t = @sizeOf(i32);
    const option = linux.SO.ERROR;
    const rc = linux.getsockopt(dial.socket.raw, linux.SOL.SOCKET, option, @ptrCast(&errno), &size);
    if (linux.errno(rc) != .SUCCESS) return finish(
        keeper,
        dial,
        .failed,
        .connect,
        linux.errno(rc),
    );
    if (errno != 0) return finish(keeper, dial, .failed, .connect, @enumFromInt(errno));
    handOver(keeper, dial);
}

/// The nearest deadline, or null while nothing is under way.
pub fn wakeNs(keeper: *Keeper) ?i64 {
    if (keeper.dialing == 0) return null;
    var next: i64 = std.math.maxInt(i64);
    for (keeper.dials[0..keeper.dials_used]) |*dial| {
        if (dial.socket.isOpen()) next = @min(next, dial.deadline_ns);
    }
    return next;
}

pub fn onTime(keeper: *Keeper, now: i64) void {
    if (keeper.dialing == 0) return;
    for (keeper.dials[0..keeper.dials_used]) |*dial| {
        if (!dial.socket.isOpen() or now < dial.deadline_ns) continue;
        keeper.dialing -= 1;
        finish(keeper, dial, .timed_out, .connect, .TIMEDOUT);
    }
}

/// The answer follows the socket, so that whoever reads the answer finds the socket there.
fn handOver(keeper: *Keeper, dial: *Dial) void {
    if (!dial.channel.isOpen()) return finish(keeper, dial, .ok, .none, .SUCCESS);
    const passed = sendDescriptor(dial.channel.raw, dial.socket.raw);
    const status: protocol.Status = if (passed == .SUCCESS) .ok else .failed;
    finish(keeper, dial, status, if (status == .ok) .none else .sendmsg, passed);
}

pub fn sendDescriptor(channel: i32, fd: i32) linux.E {
    const Control = extern struct { length: u64, level: i32, kind: i32, fd: i32, _: i32 = 0 };
    const control: Control = .{
        .length = 20, // Of head and descriptor, without the padding (man 3 cmsg).
        .level = linux.SOL.SOCKET,
        .kind = linux.SCM.RIGHTS,
        .fd = fd,
    };
    const part: std.posix.iovec_const = .{ .base = "\x00", .len = 1 };
    const message: linux.msghdr_const = .{
        .name = null,
        .namelen = 0,
        .iov = @ptrCast(&part),
        .iovlen = 1,
        .control = &control,
        .controllen = @sizeOf(Control),
        .flags = 0,
    };
    return linux.errno(linux.sendmsg(channel, &message, linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL));
}

fn finish(
    keeper: *Keeper,
    dial: *Dial,
    status: protocol.Status,
    call: protocol.Call,
    errno: linux.E,
) void {
    const client = dial.client;
    dial.socket.release();
    dial.channel.release();
    answer(keeper, client, status, call, errno);
}

fn answer(
    keeper: *Keeper,
    client: Client,
    status: protocol.Status,
    call: protocol.Call,
    errno: linux.E,
) void {
    const body: protocol.Reply = .{
        .status = status,
        .process = protocol.no_process,
        .pid = 0,
        .operation = 0,
        .call = @intFromEnum(call),
        .errno = @intFromEnum(errno),
        .elapsed_ns = 0,
    };
    connection_file.answer(keeper, client, .reply, &body);
}
