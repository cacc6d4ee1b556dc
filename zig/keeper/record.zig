//! What stays behind for the next program that opens the pod: one entry a process, written whole
//! with one pwrite.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const schema = @import("../plan/schema.zig");
const protocol = @import("../plan/protocol.zig");
const layout = @import("../plan/layout.zig");
const keeper_file = @import("keeper.zig");
const Keeper = keeper_file.Keeper;
const Process = keeper_file.Process;
const linux = calls.linux;

pub fn open(keeper: *Keeper, directory: i32) void {
    const flags = calls.O_CREAT | calls.O_RDWR | calls.O_CLOEXEC | calls.O_NOFOLLOW;
    const rc = calls.openat(directory, "record", flags, 0o600);
    if (linux.errno(rc) != .SUCCESS) return;
    keeper.record = .from(rc);
    writeHead(keeper);
    for (keeper.used()) |*process| write(keeper, process);
}

pub fn writeHead(keeper: *Keeper) void {
    const head: protocol.RecordHead = .{
        .layout = layout.hash,
        .keeper_pid = @intCast(linux.getpid()),
        .mount_namespace = keeper.mount_namespace,
        .started_ns = keeper.started_ns,
        .detached = @intFromBool(keeper.detached),
        .pristine = @intFromBool(keeper.pristine),
    };
    if (keeper.record.isOpen()) _ = linux.pwrite(
        keeper.record.raw,
        std.mem.asBytes(&head).ptr,
        @sizeOf(protocol.RecordHead),
        0,
    );
}

/// A full disk can't stop the pod: the entry is written again with the process's next change.
pub fn write(keeper: *Keeper, process: *Process) void {
    if (process.flags.unrecorded or process.state == .free) return;
    if (process.record_index == protocol.no_process) {
        process.record_index = placeOf(keeper, process);
        keeper.recorded[process.record_index] = .{
            .process = process.id,
            .attempt = process.attempt,
        };
    }
    if (!keeper.record.isOpen()) return;
    const sequence: u32 = @truncate(
        @as(u64, @bitCast(calls.clock_gettime_ns(calls.CLOCK_MONOTONIC))) | 1,
    );
    const entry: protocol.RecordEntry = .{
        .sequence = sequence,
        .process = process.id,
        .state = switch (process.state) {
            .free => .none,
            .preparing, .building => .starting,
            .running => .running,
            .leaving => .exited,
        },
        .pid = process.pid,
        .started_ns = process.started_ns,
        .ended_ns = process.ended_ns,
        .code = process.exit.code,
        .signal = @intCast(process.exit.signal),
        .oom_kills = process.oom_kills,
        .lines_dropped = process.lines_dropped,
        .cpu_us = process.exit.cpu_us,
        .memory_peak_bytes = process.memory_peak_bytes,
        .attempt = process.attempt,
        .sequence_end = sequence,
    };
    const offset = @sizeOf(protocol.RecordHead) + @as(
        i64,
        process.record_index,
    ) * @sizeOf(protocol.RecordEntry);
    _ = linux.pwrite(
        keeper.record.raw,
        std.mem.asBytes(&entry).ptr,
        @sizeOf(protocol.RecordEntry),
        offset,
    );
}

/// An attempt takes the place of the one before it.
fn placeOf(keeper: *Keeper, process: *const Process) u32 {
    if (process.attempt > 0) for (keeper.recorded[0..keeper.records], 0..) |entry, index| {
        if (entry.process == process.id) return @intCast(index);
    };
    keeper.records += 1;
    return keeper.records - 1;
}

const message_bytes_max = 4096;

/// What the container has left as its last words; no file for none. Named by process and attempt.
pub fn writeMessage(keeper: *Keeper, process: *Process) void {
    defer process.message.release();

    var text: [message_bytes_max]u8 = undefined;
    const rc = linux.pread(process.message.raw, &text, text.len, 0);
    if (linux.errno(rc) != .SUCCESS or rc == 0) return;
    var buffer: [40]u8 = undefined;
    const name = std.fmt.bufPrintZ(&buffer, "message.{d}.{d}", .{
        process.id, process.attempt,
    }) catch return;
    const directory = keeper.slots[@intFromEnum(schema.Slot.state_directory)].raw;
    const flags = calls.O_CREAT | calls.O_WRONLY | calls.O_TRUNC | calls.O_CLOEXEC |
        calls.O_NOFOLLOW;
    const opened = calls.openat(directory, name, flags, 0o600);
    if (linux.errno(opened) != .SUCCESS) return;
    const file: Fd = .from(opened);
    defer file.close();

    _ = linux.write(file.raw, &text, rc);
}
