//! How often output is taken. A container that writes line by line would wake the keeper for each;
//! what keeps coming is left in its pipe for up to a millisecond, and taken together.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const keeper_file = @import("keeper.zig");
const log = @import("log.zig");
const Keeper = keeper_file.Keeper;
const Process = keeper_file.Process;
const linux = calls.linux;

const rest_ns_max = std.time.ns_per_ms;
/// Within the imprecision of timers.
const rest_ns_min = 50 * std.time.ns_per_us;
/// Output that comes less often is taken at once.
const busy_ns_max = 2 * rest_ns_max;
/// Wider than usual, so that what comes during a rest or while we write does not fill it. One read
/// still empties it: lines that are written whole stay whole. Its pages are taken when they are
/// written, and count as the container's memory.
const pipe_bytes = log.read_bytes_max;
/// Half of the usual pipe.
const much_bytes = 32 << 10;

/// After each delivery.
pub fn onDelivery(keeper: *Keeper, process: *Process, fd: i32, bytes: usize) void {
    process.output_bytes +|= @intCast(bytes);
    if (bytes >= much_bytes) widen(process, fd);
    // More is there already, or soon.
    if (bytes > pipe_bytes / 2 or process.rest_ns > 0) return;
    const now = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC);
    const since: u64 = @intCast(now - process.output_ns);
    const came: u64 = process.output_bytes;
    process.output_ns = now;
    process.output_bytes = 0;
    if (since > busy_ns_max) return;
    // Until the pipe would be half full.
    const rest = @min(rest_ns_max, since * (pipe_bytes / 2) / came);
    if (came * rest_ns_max > since * much_bytes) widen(process, fd);
    if (rest < rest_ns_min) return;
    process.rest_ns = now + @as(i64, @intCast(rest));
    if (keeper.rest_ns == 0 or process.rest_ns < keeper.rest_ns) keeper.rest_ns = process.rest_ns;
    // Both, for they keep their order better so. The end of a stream is told in any case.
    listen(keeper, process, 0);
}

/// May be refused to a user who has many pipes; then the writer waits a little more often.
fn widen(process: *Process, fd: i32) void {
    const bit: u2 = if (fd == process.out.raw) 1 else 2;
    if (process.wide & bit != 0) return;
    process.wide |= bit;
    _ = linux.fcntl(fd, linux.F.SETPIPE_SZ, pipe_bytes);
}

pub fn onTime(keeper: *Keeper, now: i64) void {
    keeper.rest_ns = 0;
    for (keeper.used()) |*process| {
        if (process.state == .free or process.rest_ns == 0) continue;
        if (now >= process.rest_ns) {
            process.rest_ns = 0;
            listen(keeper, process, linux.EPOLL.IN);
        } else if (keeper.rest_ns == 0 or process.rest_ns < keeper.rest_ns) {
            keeper.rest_ns = process.rest_ns;
        }
    }
}

/// A stream that a full disk has stopped is not watched, and stays so.
fn listen(keeper: *Keeper, process: *Process, events: u32) void {
    const index = keeper.indexOf(process);
    if (process.out.isOpen()) keeper_file.rewatch(keeper, process.out.raw, .out, index, events);
    if (process.err.isOpen()) keeper_file.rewatch(keeper, process.err.raw, .err, index, events);
}
