//! What clients of a pod say to each other through its keeper: asks to the owner and its answers,
//! and descriptors that one owner leaves to the next.

const std = @import("std");
const Fd = @import("../kernel/fd.zig").Fd;
const protocol = @import("../plan/protocol.zig");
const keeper_file = @import("keeper.zig");
const connection = @import("connection.zig");
const dial = @import("dial.zig");
const request = @import("request.zig");
const Keeper = keeper_file.Keeper;
const Client = keeper_file.Client;

const head_bytes = @sizeOf(protocol.Asked);

/// Nothing is kept of it here: the owner's answer says whom it is for.
pub fn ask(keeper: *Keeper, index: u32, client: Client, body: []align(8) const u8) void {
    if (body.len > protocol.ask_bytes_max) return request.refuse(keeper, client, .invalid);
    const owner = keeper.owner() orelse return request.refuse(keeper, client, .no_owner);
    // It hears of an owner that leaves without an answer.
    keeper.connections[index].subscribed = true;
    const asked: protocol.Asked = .{
        .connection = client.connection,
        .generation = client.generation,
        .request = client.request,
    };
    connection.sendTwo(keeper, owner, 0, .asked, std.mem.asBytes(&asked), body);
}

pub fn answer(keeper: *Keeper, index: u32, client: Client, body: []align(8) const u8) void {
    const fits = body.len >= head_bytes and body.len <= head_bytes + protocol.ask_bytes_max;
    if (!fits) return request.refuse(keeper, client, .invalid);
    if (!keeper.connections[index].owner) return request.refuse(keeper, client, .refused);
    const asked: *const protocol.Asked = @ptrCast(body.ptr);
    const asker: Client = .{
        .connection = asked.connection,
        .generation = asked.generation,
        .request = asked.request,
    };
    if (connection.isThere(keeper, asker)) connection.send(
        keeper,
        asker.connection,
        asker.request,
        .answered,
        body[head_bytes..],
    );
    request.reply(keeper, client, .ok, protocol.no_process);
}

/// Who watches the pod may now take it; who waits for an answer will get none.
pub fn ownerLeft(keeper: *Keeper) void {
    connection.announce(keeper, .vacant, &protocol.Keep{ .place = 0 });
}

pub fn keepOrFetch(
    keeper: *Keeper,
    index: u32,
    client: Client,
    head: *const protocol.Head,
    wish: *const protocol.Keep,
) void {
    var fds = connection.takeDescriptors(keeper, index, head.fds);
    defer for (&fds) |*fd| fd.release();

    if (wish.place >= keeper.kept.len or !fds[0].isOpen())
        return request.refuse(keeper, client, .invalid);
    const kept = &keeper.kept[wish.place];
    if (head.tag == @intFromEnum(protocol.RequestTag.keep)) {
        if (!keeper.connections[index].owner) return request.refuse(keeper, client, .refused);
        kept.release();
        kept.* = fds[0];
        fds[0] = .none;
        return request.reply(keeper, client, .ok, protocol.no_process);
    }
    if (!kept.isOpen()) return request.refuse(keeper, client, .no_such_process);
    const passed = dial.sendDescriptor(fds[0].raw, kept.raw) == .SUCCESS;
    request.reply(keeper, client, if (passed) .ok else .invalid, protocol.no_process);
}
