//! The supervising process of one pod: makes its namespaces and what its containers share, starts
//! the containers, ends them. It serves one launcher over one socket and has no other events, so it
//! needs no loop.
const std = @import("std");
const sys = @import("sys.zig");
const trace_file = @import("trace.zig");
const pods = @import("pod.zig");
const protocol = @import("protocol.zig");
const sandbox = @import("sandbox.zig");
const launch = @import("launch.zig");
const command = @import("command.zig");
const down = @import("down.zig");

pub const panic = std.debug.no_panic;
pub const _start = sys.start(entry);

comptime {
    @export(&_start, .{ .name = "_start" });
}

var pod: pods.Pod = .{};

fn entry(_: [*]const usize) callconv(.c) noreturn {
    const began = sys.now();
    const trace = &pod.trace;
    // Read and write; shared and anonymous: a naive container is a fork.
    const size = @sizeOf(pods.Shared);
    pod.shared = @ptrFromInt(trace.call(.setup, .mmap, .{ 0, size, 3, 0x21, -1, 0 }));
    var first = true;
    while (true) {
        const request = &pod.request;
        const waited = sys.now();
        const got = sys.raw(.read, .{ protocol.socket, request, @sizeOf(protocol.Request) });
        if (got == 0) sys.exit(0);
        if (got != @sizeOf(protocol.Request)) trace.fail(.message, .read, 71);
        if (request.options.traced) mapLog();
        noteRequest(if (first) began else waited, first);
        first = false;
        switch (request.kind) {
            .up => {
                sandbox.up(&pod);
                answer();
            },
            .join => {
                sandbox.join(&pod);
                answer();
            },
            .exec => {
                command.run(&pod);
                answer();
                command.tidy(&pod);
            },
            .stamps => sendStamps(),
            .show => {
                show();
                answer();
            },
            .down => {
                down.run(&pod);
                // That it has ended is the answer.
                trace.wakes(.exited).last(.reap, .exit_group);
                sys.exit(0);
            },
        }
    }
}

fn mapLog() void {
    if (pod.trace.log != null) return;
    const size = @sizeOf(trace_file.Log);
    const at = pod.trace.call(.setup, .mmap, .{ 0, size, 3, 1, protocol.log, 0 });
    pod.trace.log = @ptrFromInt(at);
}

/// The read of the request, which had to come before the log; or with the first one the process's
/// start, at which the request was there already.
fn noteRequest(since: u64, first: bool) void {
    const log = pod.trace.log orelse return;
    const trace: trace_file.Trace = if (first) pod.trace else pod.trace.waits(.request);
    trace.note(log, if (first) .spawn else .wait, .read, since, sys.now());
}

fn answer() void {
    const reply: protocol.Reply = .{ .containers = pod.containers };
    _ = pod.trace.wakes(.reply).call(.message, .write, .{
        protocol.socket, &reply, @sizeOf(protocol.Reply),
    });
}

/// Blocks until every program of the last batch has written its first instruction's time.
fn sendStamps() void {
    var stamps: protocol.Stamps = .{};
    if (command.takeStamp()) |stamp| {
        stamps.first[0] = stamp;
    } else {
        const count = pod.request.containers;
        const running = pod.running[pod.containers - count ..][0..count];
        for (running, stamps.first[0..count]) |container, *stamp| {
            _ = pod.trace.call(.wait, .read, .{ container.stdout, stamp, 8 });
        }
    }
    _ = pod.trace.call(.message, .write, .{ protocol.socket, &stamps, @sizeOf(protocol.Stamps) });
}

/// Copies what the pod's containers write to standard output until they end, one after the other.
fn show() void {
    for (0..pod.request.containers) |index| showOne(pod.running[index].stdout);
}

fn showOne(from: i32) void {
    var buffer: [4096]u8 = undefined;
    while (true) {
        const size = pod.trace.call(.wait, .read, .{ from, &buffer, buffer.len });
        if (size == 0) return;
        var done: usize = 0;
        while (done < size) done += pod.trace.call(.message, .write, .{
            1, buffer[done..].ptr, size - done,
        });
    }
}
