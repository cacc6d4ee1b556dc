//! What a client may ask, one function each. Every frame is checked here, before anything acts on
//! it.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const protocol = @import("../plan/protocol.zig");
const layout = @import("../plan/layout.zig");
const cgroup = @import("../executor/cgroup.zig");
const keeper_file = @import("keeper.zig");
const connection_file = @import("connection.zig");
const attach = @import("attach.zig");
const dial = @import("dial.zig");
const launch = @import("launch.zig");
const record = @import("record.zig");
const relay = @import("relay.zig");
const end = @import("end.zig");
const Keeper = keeper_file.Keeper;
const Client = keeper_file.Client;
const linux = calls.linux;

pub fn handle(
    keeper: *Keeper,
    index: u32,
    head: *const protocol.Head,
    body: []align(8) const u8,
) void {
    const client = connection_file.clientOf(keeper, index, head);
    const tag = std.enums.fromInt(
        protocol.RequestTag,
        head.tag,
    ) orelse return refuse(keeper, client, .invalid);
    const wish: Wish = .{ .keeper = keeper, .client = client, .body = body };
    switch (tag) {
        .hello => hello(keeper, index, client, wish.as(protocol.Hello) orelse return),
        .launch => launch.begin(keeper, index, client, head.fds, body),
        .signal => signal(keeper, client, wish.as(protocol.Signal) orelse return),
        .kill_tree => killTree(keeper, client, wish.as(protocol.KillTree) orelse return),
        .end => endPod(keeper, index, client, wish.as(protocol.End) orelse return),
        .hand_over => handOver(keeper, index, client),
        .subscribe => {
            keeper.connections[index].subscribed = true;
            reply(keeper, client, .ok, 0);
        },
        .resize => resize(keeper, client, wish.as(protocol.Resize) orelse return),
        .attach => attachClient(
            keeper,
            index,
            client,
            head.fds,
            wish.as(protocol.Attach) orelse return,
        ),
        .ask => relay.ask(keeper, index, client, body),
        .answer => relay.answer(keeper, index, client, body),
        .keep, .fetch => relay.keepOrFetch(
            keeper,
            index,
            client,
            head,
            wish.as(protocol.Keep) orelse return,
        ),
        .dial => dial.begin(keeper, index, client, head.fds, body),
    }
}

const Wish = struct {
    keeper: *Keeper,
    client: Client,
    body: []align(8) const u8,

    /// The body as one of the protocol's structs, by its size; refused when it is none.
    fn as(wish: Wish, comptime T: type) ?*const T {
        if (wish.body.len == @sizeOf(T)) return @ptrCast(wish.body.ptr);
        refuse(wish.keeper, wish.client, .invalid);
        return null;
    }
};

fn hello(keeper: *Keeper, index: u32, client: Client, wish: *const protocol.Hello) void {
    const role = std.enums.fromInt(
        protocol.Role,
        wish.role,
    ) orelse return refuse(keeper, client, .invalid);
    if (role != .observer) {
        if ((keeper.owner() orelse index) != index) return refuse(keeper, client, .refused);
        if (keeper.ending != .no) return refuse(keeper, client, .refused);
        keeper.connections[index].owner = true;
        keeper.connections[index].subscribed = true;
        keeper.detached = role == .supervisor;
        record.writeHead(keeper);
    }
    const welcome: protocol.Welcome = .{
        .keeper_pid = @intCast(linux.getpid()),
        .layout = layout.hash,
    };
    connection_file.answer(keeper, client, .welcome, &welcome);
}

/// Without a pod nobody could ever find this keeper again.
fn handOver(keeper: *Keeper, index: u32, client: Client) void {
    if (!keeper.sandbox_up) return refuse(keeper, client, .refused);
    keeper.detached = true;
    keeper.connections[index].owner = false;
    record.writeHead(keeper);
    reply(keeper, client, .ok, 0);
    relay.ownerLeft(keeper);
}

fn endPod(keeper: *Keeper, index: u32, client: Client, wish: *const protocol.End) void {
    keeper.connections[index].subscribed = true;
    // Told together with the end, which then comes at once.
    keeper.holding = wish.grace_ms == 0;
    reply(keeper, client, .ok, 0);
    end.begin(keeper, wish.grace_ms);
}

fn signal(keeper: *Keeper, client: Client, wish: *const protocol.Signal) void {
    const process = keeper.find(wish.process) orelse return refuse(
        keeper,
        client,
        .no_such_process,
    );
    if (process.state != .running) return refuse(keeper, client, .no_such_process);
    const sent = linux.errno(calls.pidfd_send_signal(process.pidfd.raw, wish.signal)) == .SUCCESS;
    reply(keeper, client, if (sent) .ok else .invalid, wish.process);
}

fn killTree(keeper: *Keeper, client: Client, wish: *const protocol.KillTree) void {
    const process = keeper.find(wish.process) orelse return refuse(
        keeper,
        client,
        .no_such_process,
    );
    if (process.cgroup.isOpen()) cgroup.kill(process.cgroup.raw);
    if (process.pidfd.isOpen()) _ = calls.pidfd_send_signal(process.pidfd.raw, 9);
    reply(keeper, client, .ok, wish.process);
}

fn resize(keeper: *Keeper, client: Client, wish: *const protocol.Resize) void {
    const process = keeper.find(wish.process) orelse return refuse(
        keeper,
        client,
        .no_such_process,
    );
    if (!process.terminal.isOpen()) return refuse(keeper, client, .no_such_process);
    const size: [4]u16 = .{ wish.rows, wish.columns, 0, 0 };
    _ = linux.ioctl(process.terminal.raw, linux.T.IOCSWINSZ, @intFromPtr(&size));
    reply(keeper, client, .ok, wish.process);
}

fn attachClient(
    keeper: *Keeper,
    index: u32,
    client: Client,
    fds_count: u32,
    wish: *const protocol.Attach,
) void {
    var fds = connection_file.takeDescriptors(keeper, index, fds_count);
    const process = keeper.find(wish.process);
    const taken = if (process) |found| attach.begin(keeper, found, &fds) else false;
    if (!taken) for (&fds) |*fd| fd.release();
    reply(
        keeper,
        client,
        if (process == null) .no_such_process else if (taken) .ok else .refused,
        wish.process,
    );
}

pub fn refuse(keeper: *Keeper, client: Client, status: protocol.Status) void {
    reply(keeper, client, status, protocol.no_process);
}

pub fn reply(keeper: *Keeper, client: Client, status: protocol.Status, process: u32) void {
    const body: protocol.Reply = .{
        .status = status,
        .process = process,
        .pid = 0,
        .operation = 0,
        .call = 0,
        .errno = 0,
        .elapsed_ns = 0,
    };
    connection_file.answer(keeper, client, .reply, &body);
}
