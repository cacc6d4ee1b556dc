//! What makes a pod findable: its record, and the socket in its state directory. Put off until the
//! first children build, and done before anybody hears that one of them runs.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const schema = @import("../plan/schema.zig");
const keeper_file = @import("keeper.zig");
const record = @import("record.zig");
const Keeper = keeper_file.Keeper;
const linux = calls.linux;

pub fn run(keeper: *Keeper) void {
    if (!keeper.housekeeping_due) return;
    keeper.housekeeping_due = false;
    const directory = keeper.slots[@intFromEnum(schema.Slot.state_directory)].raw;
    record.open(keeper, directory);
    listen(keeper, directory);
}

/// By a name relative to the state directory: its path may be longer than a socket's address, and
/// is not in our namespace.
fn listen(keeper: *Keeper, directory: i32) void {
    const flags = linux.SOCK.STREAM | linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK;
    const rc = linux.socket(linux.AF.UNIX, flags, 0);
    if (linux.errno(rc) != .SUCCESS) return;
    const listener: Fd = .from(rc);
    var address: linux.sockaddr.un = .{ .path = @splat(0) };
    const name = "socket";
    @memcpy(address.path[0..name.len], name);
    if (linux.errno(linux.fchdir(directory)) != .SUCCESS) return listener.close();
    const bound = linux.bind(listener.raw, @ptrCast(&address), @sizeOf(linux.sockaddr.un));
    _ = linux.chdir("/");
    const listening = linux.listen(listener.raw, 64);
    const listens = linux.errno(bound) == .SUCCESS and linux.errno(listening) == .SUCCESS;
    if (!listens) return listener.close();
    keeper.listener = listener;
    keeper_file.watch(keeper, listener.raw, .listener, 0, linux.EPOLL.IN);
}
