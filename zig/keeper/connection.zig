//! Clients on the keeper's socket: frames in, answers out. A client that does not read is let go;
//! nobody waits for it.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const protocol = @import("../plan/protocol.zig");
const keeper_file = @import("keeper.zig");
const request = @import("request.zig");
const end = @import("end.zig");
const Keeper = keeper_file.Keeper;
const Connection = keeper_file.Connection;
const Client = keeper_file.Client;
const linux = calls.linux;

const first_capacity = 64 << 10;
const head_bytes = @sizeOf(protocol.Head);

pub fn add(keeper: *Keeper, fd: Fd, owner: bool) void {
    for (&keeper.connections, 0..) |*connection, index| {
        if (connection.fd.isOpen()) continue;
        connection.* = .{
            .fd = fd,
            .owner = owner,
            .subscribed = owner,
            .generation = connection.generation + 1,
        };
        keeper_file.watch(keeper, fd.raw, .connection, @intCast(index), linux.EPOLL.IN);
        return;
    }
    fd.close();
}

pub fn accept(keeper: *Keeper) void {
    const flags = linux.SOCK.CLOEXEC;
    const rc = linux.accept4(keeper.listener.raw, null, null, flags);
    if (linux.errno(rc) != .SUCCESS) return;
    const fd: Fd = .from(rc);
    if (peerIsTrusted(fd.raw)) add(keeper, fd, false) else fd.close();
}

/// The socket stands in a 0700 directory; this is the second lock.
fn peerIsTrusted(fd: i32) bool {
    const Credentials = extern struct { pid: i32, uid: u32, gid: u32 };
    var peer: Credentials = .{ .pid = 0, .uid = 1, .gid = 1 };
    var size: linux.socklen_t = @sizeOf(Credentials);
    const rc = linux.getsockopt(fd, linux.SOL.SOCKET, linux.SO.PEERCRED, @ptrCast(&peer), &size);
    return linux.errno(rc) == .SUCCESS and (peer.uid == 0 or peer.uid == linux.geteuid());
}

pub fn close(keeper: *Keeper, index: u32) void {
    const connection = &keeper.connections[index];
    const was_owner = connection.owner;
    for (connection.fds[0..connection.fds_count]) |*fd| fd.release();
    if (connection.capacity > 0) keeper_file.unmap(connection.buffer[0..connection.capacity]);
    connection.fd.release();
    connection.* = .{ .generation = connection.generation };
    if (was_owner) end.ownerLeft(keeper);
}

/// Everything that has arrived, frame by frame.
pub fn receive(keeper: *Keeper, index: u32) void {
    const connection = &keeper.connections[index];
    if (!reserve(connection)) return close(keeper, index);
    const bytes = receiveSome(connection) orelse return;
    if (bytes == 0) return close(keeper, index);
    connection.filled += bytes;

    var offset: u32 = 0;
    while (connection.filled - offset >= head_bytes) {
        const head: *const protocol.Head = @ptrCast(@alignCast(connection.buffer + offset));
        const fits = head.bytes >= head_bytes and head.bytes <= protocol.frame_bytes_max;
        if (!fits or head.bytes % 8 != 0) return close(keeper, index);
        if (connection.filled - offset < head.bytes) break;
        const generation = connection.generation;
        const body: []align(8) const u8 = @alignCast(
            connection.buffer[offset + head_bytes .. offset + head.bytes],
        );
        request.handle(keeper, index, head, body);
        if (connection.generation != generation or !connection.fd.isOpen()) return;
        offset += head.bytes;
    }
    settle(connection, offset);
}

/// What is left of a frame moves to the front; an empty buffer goes back to the kernel.
fn settle(connection: *Connection, offset: u32) void {
    const left = connection.filled - offset;
    if (offset > 0) std.mem.copyForwards(
        u8,
        connection.buffer[0..left],
        connection.buffer[offset..connection.filled],
    );
    connection.filled = left;
    if (left > 0) return;
    keeper_file.unmap(connection.buffer[0..connection.capacity]);
    connection.capacity = 0;
}

/// Room for the frame that has begun, or for a first one.
fn reserve(connection: *Connection) bool {
    var wanted: u32 = first_capacity;
    if (connection.filled >= head_bytes) {
        const head: *const protocol.Head = @ptrCast(@alignCast(connection.buffer));
        if (head.bytes > protocol.frame_bytes_max) return false;
        wanted = @max(wanted, std.mem.alignForward(u32, head.bytes, 4096));
    }
    if (wanted <= connection.capacity) return true;
    const memory = keeper_file.map(wanted, false) orelse return false;
    @memcpy(memory[0..connection.filled], connection.buffer[0..connection.filled]);
    if (connection.capacity > 0) keeper_file.unmap(connection.buffer[0..connection.capacity]);
    connection.buffer = memory.ptr;
    connection.capacity = @intCast(memory.len);
    return true;
}

/// Null when there was nothing after all.
fn receiveSome(connection: *Connection) ?u32 {
    var part: std.posix.iovec = .{
        .base = connection.buffer + connection.filled,
        .len = connection.capacity - connection.filled,
    };
    var control: [64]u8 align(8) = undefined;
    var message: linux.msghdr = .{
        .name = null,
        .namelen = 0,
        .iov = @ptrCast(&part),
        .iovlen = 1,
        .control = &control,
        .controllen = control.len,
        .flags = 0,
    };
    const rc = linux.recvmsg(
        connection.fd.raw,
        &message,
        linux.MSG.DONTWAIT | linux.MSG.CMSG_CLOEXEC,
    );
    switch (linux.errno(rc)) {
        .SUCCESS => {},
        .AGAIN, .INTR => return null,
        else => return 0,
    }
    keepDescriptors(connection, control[0..message.controllen]);
    return @intCast(rc);
}

/// `struct cmsghdr`: length, level, type, then the descriptors. More than a frame may carry are
/// closed.
fn keepDescriptors(connection: *Connection, control: []align(8) const u8) void {
    if (control.len < 16) return;
    const length = std.mem.readInt(u64, control[0..8], .little);
    const level = std.mem.readInt(i32, control[8..12], .little);
    const kind = std.mem.readInt(i32, control[12..16], .little);
    if (level != linux.SOL.SOCKET or kind != linux.SCM.RIGHTS or length > control.len) return;
    var offset: usize = 16;
    while (offset + 4 <= length) : (offset += 4) {
        const fd: Fd = .{ .raw = std.mem.readInt(i32, control[offset..][0..4], .little) };
        if (connection.fds_count == connection.fds.len) {
            fd.close();
            continue;
        }
        connection.fds[connection.fds_count] = fd;
        connection.fds_count += 1;
    }
}

/// The frame's own descriptors: a read may have brought those of the next frame too. The taker
/// closes them.
pub fn takeDescriptors(keeper: *Keeper, index: u32, count: u32) [protocol.frame_fds_max]Fd {
    const connection = &keeper.connections[index];
    var taken: [protocol.frame_fds_max]Fd = @splat(.none);
    const available = @min(count, connection.fds_count);
    for (taken[0..available], connection.fds[0..available]) |*target, source| target.* = source;
    std.mem.copyForwards(Fd, &connection.fds, connection.fds[available..connection.fds_count]);
    connection.fds_count -= available;
    return taken;
}

pub fn clientOf(keeper: *Keeper, index: u32, head: *const protocol.Head) Client {
    return .{
        .connection = index,
        .generation = keeper.connections[index].generation,
        .request = head.request,
    };
}

/// Not gone, and not another in its place.
pub fn isThere(keeper: *const Keeper, client: Client) bool {
    if (client.connection >= keeper.connections.len) return false;
    const connection = &keeper.connections[client.connection];
    return connection.fd.isOpen() and connection.generation == client.generation;
}

pub fn answer(keeper: *Keeper, client: Client, tag: protocol.AnswerTag, body: anytype) void {
    const bytes = std.mem.asBytes(body);
    if (isThere(keeper, client)) send(keeper, client.connection, client.request, tag, bytes);
}

pub fn announce(keeper: *Keeper, tag: protocol.AnswerTag, body: anytype) void {
    for (&keeper.connections, 0..) |*connection, index| {
        if (connection.fd.isOpen() and connection.subscribed) {
            send(keeper, @intCast(index), 0, tag, std.mem.asBytes(body));
        }
    }
}

pub fn send(
    keeper: *Keeper,
    index: u32,
    number: u32,
    tag: protocol.AnswerTag,
    body: []const u8,
) void {
    const head: protocol.Head = .{
        .bytes = @intCast(head_bytes + body.len),
        .tag = @intFromEnum(tag),
        .request = number,
    };
    if (keeper.holding and head.bytes <= keeper_file.held_bytes_max) {
        return holdBack(keeper, index, std.mem.asBytes(&head), body);
    }
    flushOne(keeper, index);
    sendParts(keeper.connections[index].fd.raw, &.{
        .{ .base = std.mem.asBytes(&head), .len = head_bytes },
        .{ .base = body.ptr, .len = body.len },
    }, head.bytes);
}

/// For bodies that are not held back.
pub fn sendTwo(
    keeper: *Keeper,
    index: u32,
    number: u32,
    tag: protocol.AnswerTag,
    first: []const u8,
    second: []const u8,
) void {
    const head: protocol.Head = .{
        .bytes = @intCast(head_bytes + first.len + second.len),
        .tag = @intFromEnum(tag),
        .request = number,
    };
    flushOne(keeper, index);
    sendParts(keeper.connections[index].fd.raw, &.{
        .{ .base = std.mem.asBytes(&head), .len = head_bytes },
        .{ .base = first.ptr, .len = first.len },
        .{ .base = second.ptr, .len = second.len },
    }, head.bytes);
}

/// Each message wakes its reader, who takes the processor from what is ending.
fn holdBack(keeper: *Keeper, index: u32, head: []const u8, body: []const u8) void {
    const connection = &keeper.connections[index];
    const bytes: u32 = @intCast(head.len + body.len);
    if (bytes > keeper_file.held_bytes_max - connection.held_bytes) flushOne(keeper, index);
    const place = keeper.held[index][connection.held_bytes..];
    @memcpy(place[0..head.len], head);
    @memcpy(place[head.len..bytes], body);
    connection.held_bytes += bytes;
    if (keeper.held_until_ns > 0) return;
    const patience_ns = 5 * std.time.ns_per_ms;
    keeper.held_until_ns = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC) + patience_ns;
}

pub fn flush(keeper: *Keeper) void {
    keeper.held_until_ns = 0;
    for (0..keeper.connections.len) |index| flushOne(keeper, @intCast(index));
}

fn flushOne(keeper: *Keeper, index: u32) void {
    const connection = &keeper.connections[index];
    const bytes = connection.held_bytes;
    if (bytes == 0) return;
    connection.held_bytes = 0;
    sendParts(connection.fd.raw, &.{.{ .base = &keeper.held[index], .len = bytes }}, bytes);
}

fn sendParts(fd: i32, parts: []const std.posix.iovec_const, bytes: usize) void {
    const message: linux.msghdr_const = .{
        .name = null,
        .namelen = 0,
        .iov = parts.ptr,
        .iovlen = parts.len,
        .control = null,
        .controllen = 0,
        .flags = 0,
    };
    const rc = linux.sendmsg(fd, &message, linux.MSG.DONTWAIT | linux.MSG.NOSIGNAL);
    // Half a frame, or none, means that nobody has been reading for hundreds of answers. Its
    // descriptor reports the end.
    const whole = linux.errno(rc) == .SUCCESS and rc == bytes;
    if (!whole) _ = linux.shutdown(fd, linux.SHUT.RDWR);
}
