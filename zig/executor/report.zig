//! What an execution says about itself: three numbers when it fails, and when each operation ended.
//! It lies in memory that the keeper shares with the child, because an error set cannot carry an
//! errno and a child cannot build a sentence.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const protocol = @import("../plan/protocol.zig");
const linux = calls.linux;

pub const Call = protocol.Call;
pub const trace_max = 480;

/// What a child passes to the keeper over its status socket: the byte that the descriptor rides on.
pub const Passed = enum(u8) { terminal = 't', message = 'm', _ };

pub const Report = extern struct {
    failed: u32 = 0,
    /// Past its gate: an end of the status socket now means exec'd.
    executing: u32 = 0,
    operation: u32 = 0,
    call: Call = .none,
    errno: u32 = 0,
    /// The child has a descriptor table of its own.
    own_descriptors: u32 = 0,
    /// Of the process that a second clone made, in the keeper's PID namespace.
    inner_pid: u32 = 0,
    tracing: u32 = 0,
    traced: u32 = 0,
    /// What a file system said when it refused a mount (read from its fsopen descriptor).
    message: [160]u8 = @splat(0),
    trace_ns: [trace_max]i64 = @splat(0),

    pub fn mark(report: *Report, operation: u32) void {
        if (report.tracing == 0 or operation >= trace_max) return;
        report.trace_ns[operation] = calls.clock_gettime_ns(calls.CLOCK_MONOTONIC);
        report.traced = @max(report.traced, operation + 1);
    }
};

/// The three numbers, kept while later operations write theirs.
pub const Failure = struct {
    operation: u32,
    call: Call,
    errno: u32,

    pub fn of(report: *const Report) Failure {
        return .{ .operation = report.operation, .call = report.call, .errno = report.errno };
    }

    pub fn into(failure: Failure, report: *Report) void {
        report.operation = failure.operation;
        report.call = failure.call;
        report.errno = failure.errno;
    }
};

pub fn check(report: *Report, call: Call, rc: usize) error{Syscall}!usize {
    const errno = linux.errno(rc);
    if (errno == .SUCCESS) return rc;
    return fail(report, call, errno);
}

pub fn fail(report: *Report, call: Call, errno: linux.E) error{Syscall} {
    report.call = call; // Tag names are kernel names: they reach the user.
    report.errno = @intFromEnum(errno);
    return error.Syscall;
}
