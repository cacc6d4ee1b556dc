//! The end of one process: its status, its last output, its control group, its place in the table.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const protocol = @import("../plan/protocol.zig");
const cgroup = @import("../executor/cgroup.zig");
const Report = @import("../executor/report.zig").Report;
const keeper_file = @import("keeper.zig");
const connection = @import("connection.zig");
const end = @import("end.zig");
const helper = @import("helper.zig");
const launch = @import("launch.zig");
const record = @import("record.zig");
const stream = @import("stream.zig");
const Keeper = keeper_file.Keeper;
const Process = keeper_file.Process;
const linux = calls.linux;

pub fn onExit(keeper: *Keeper, process: *Process) void {
    const exit = calls.reap(process.pidfd.raw) orelse return;
    if (process.state == .preparing) return helper.finished(keeper, process, exit);
    if (process.launch != null) {
        const exited = process.pidfd.raw;
        launch.adoptInner(keeper, process);
        if (process.pidfd.raw != exited) {
            // That was the intermediate of a second clone; its child lives on.
            keeper_file.unwatch(keeper, process.outer.raw);
            process.outer.release();
            return;
        }
        // What its socket still has to say decides between failed and exec'd.
        while (process.status.isOpen()) launch.onStatus(keeper, process);
    }
    if (process.launch != null) {
        keeper_file.unwatch(keeper, process.pidfd.raw);
        process.pidfd.release();
        return launch.fail(keeper, process, if (process.failed == .ok) .failed else process.failed);
    }
    process.exit = exit;
    process.ended_ns = calls.clock_gettime_ns(calls.CLOCK_REALTIME);
    keeper_file.unwatch(keeper, process.pidfd.raw);
    process.pidfd.release();
    process.state = .leaving;
    measure(process);
    if (process.message.isOpen()) record.writeMessage(keeper, process);
    removeGroup(keeper, process) catch {
        // What the process leaves behind goes with it; at the pod's end the whole group has been
        // killed already.
        if (keeper.ending != .killing) cgroup.kill(process.cgroup.raw);
    };
    finish(keeper, process);
}

/// The intermediate of a second clone.
pub fn onOuterExit(keeper: *Keeper, process: *Process) void {
    _ = calls.reap(process.outer.raw) orelse return;
    keeper_file.unwatch(keeper, process.outer.raw);
    process.outer.release();
}

/// Read before the group goes: afterwards nobody knows why the process died.
fn measure(process: *Process) void {
    if (!process.cgroup.isOpen()) return;
    const group = process.cgroup.raw;
    process.memory_peak_bytes = process.exit.resident_bytes_max;
    // A command's group lies below a container's, which hands no controllers down.
    if (!process.isExec()) {
        process.oom_kills = @truncate(cgroup.readKey(group, "memory.events", "oom_kill"));
        const peak = cgroup.readNumber(group, "memory.peak");
        if (peak > 0) process.memory_peak_bytes = peak;
    }
    const used = cgroup.readKey(group, "cpu.stat", "usage_usec");
    if (used > 0) process.exit.cpu_us = used;
}

/// Waits for what is still due: output in the pipes, processes that were killed with the group.
pub fn finish(keeper: *Keeper, process: *Process) void {
    if (process.state != .leaving) return;
    if (!stream.isDrained(keeper, process)) return note(keeper, process);
    if (process.outer.isOpen()) onOuterExit(keeper, process);
    if (process.outer.isOpen()) return retrySoon(keeper, process);
    if (process.cgroup.isOpen()) {
        var report: Report = .{};
        cgroup.remove(&report, process.cgroup_parent, &process.cgroup_name) catch {
            return retrySoon(keeper, process);
        };
    }
    note(keeper, process);
    const exited: protocol.Exited = .{
        .process = process.id,
        .code = process.exit.code,
        .signal = @intCast(process.exit.signal),
        .oom_kills = process.oom_kills,
        .cpu_us = process.exit.cpu_us,
        .memory_peak_bytes = process.memory_peak_bytes,
        .started_ns = process.started_ns,
        .ended_ns = process.ended_ns,
        .attempt = process.attempt,
    };
    if (process.flags.unrecorded) {
        connection.answer(keeper, process.client, .exited, &exited);
    } else {
        connection.announce(keeper, .exited, &exited);
    }
    forget(keeper, process);
}

/// Where nothing is left in it, which is how most processes end.
fn removeGroup(keeper: *Keeper, process: *Process) error{Busy}!void {
    if (!process.cgroup.isOpen()) return;
    const rc = calls.unlinkat(
        process.cgroup_parent,
        &process.cgroup_name,
        calls.AT_REMOVEDIR,
    );
    if (linux.errno(rc) != .SUCCESS) return error.Busy;
    releaseGroup(keeper, process);
}

/// The groups of its commands went with it; by its descriptor's number nobody finds it again.
fn releaseGroup(keeper: *Keeper, process: *Process) void {
    if (!process.cgroup.isOpen()) return;
    if (process.isExec()) return process.cgroup.release();
    for (keeper.used()) |*command| {
        if (command.state == .free or command.cgroup_parent != process.cgroup.raw) continue;
        command.cgroup.release();
    }
    process.cgroup.release();
}

fn retrySoon(keeper: *Keeper, process: *Process) void {
    note(keeper, process);
    const retry_ms = 2;
    const now = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC);
    keeper.wakeAt(process, now + retry_ms * std.time.ns_per_ms);
}

/// At the end of the pod the record is about to go.
fn note(keeper: *Keeper, process: *Process) void {
    if (keeper.ending != .killing) record.write(keeper, process);
}

pub fn forget(keeper: *Keeper, process: *Process) void {
    stream.closeAll(keeper, process);
    releaseGroup(keeper, process);
    process.status.release();
    if (process.outer.isOpen()) onOuterExit(keeper, process);
    process.outer.release();
    keeper.giveBack(process);
    end.progress(keeper);
}
