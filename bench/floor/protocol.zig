//! What launcher and keeper say to each other: fixed messages over a SOCK_SEQPACKET pair.
//! Descriptors are inherited, not sent.
const std = @import("std");

/// Started together, and in all.
pub const containers_max = 64;
pub const pod_containers_max = 1100;

/// Descriptors that the launcher keeps free for the keeper: its end of the socket, and the log of
/// calls.
pub const socket: i32 = 3;
pub const log: i32 = 4;

pub const Kind = enum(u32) { up, join, exec, stamps, show, down };

pub const Level = enum(u2) { process, namespaces, limits, full };

pub const Options = packed struct(u32) {
    naive: bool,
    /// Calls are written down.
    traced: bool,
    level: Level,
    network: bool,
    user_namespace: bool,
    read_only_root: bool,
    /// The programs end by themselves: `down` waits and does not kill.
    ends: bool,
    /// cgroup controllers that this hierarchy offers.
    cpu: bool,
    memory: bool,
    pids: bool,
    _: u21 = 0,
};

/// Descriptors that the keeper inherits from the launcher. Those that are detached trees may be
/// used from any mount namespace for overlay layers, but may be cloned only in the namespace that
/// they were cloned in (Linux 6.15).
pub const Sources = extern struct {
    host_namespace: i32,
    seed_namespace: i32,
    /// The host's /proc.
    proc: i32,
    state: i32,
    logs: i32,
    lower: i32,
    usr: i32,
    /// `lower`, read-only, with `usr` on it.
    root: i32,
    pods_cgroup: i32,
    null_device: i32,
};

pub const Request = extern struct {
    kind: Kind,
    options: Options,
    pod: u32,
    /// How many start; for `exec` the container that it happens in.
    containers: u32,
    /// Bit n: `masked[n]` exists on this host.
    masks: u32,
    read_only: u32,
    sources: Sources,
    files_hard_max: u64,
    /// The run's directory, for the twin that works with paths.
    directory: [256]u8,
    /// What /stamp is called with, each with a NUL behind it.
    arguments: [1024]u8,
    argument_count: u32,
    _: u32 = 0,
};

pub const Reply = extern struct { containers: u32 = 0 };

/// When each program ran its first instruction: nanoseconds of CLOCK_MONOTONIC.
pub const Stamps = extern struct { first: [containers_max]u64 = @splat(0) };

pub const Masked = struct { path: [:0]const u8, directory: bool };

/// What container engines mask. Those under /sys are masked once in the pod's sysfs tree.
pub const masked = [_]Masked{
    .{ .path = "/proc/acpi", .directory = true },
    .{ .path = "/proc/asound", .directory = true },
    .{ .path = "/proc/interrupts", .directory = false },
    .{ .path = "/proc/kcore", .directory = false },
    .{ .path = "/proc/keys", .directory = false },
    .{ .path = "/proc/latency_stats", .directory = false },
    .{ .path = "/proc/sched_debug", .directory = false },
    .{ .path = "/proc/scsi", .directory = true },
    .{ .path = "/proc/timer_list", .directory = false },
    .{ .path = "/proc/timer_stats", .directory = false },
    .{ .path = "/sys/devices/virtual/powercap", .directory = true },
    .{ .path = "/sys/firmware", .directory = true },
};

pub const read_only = [_][:0]const u8{
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
};

comptime {
    std.debug.assert(std.meta.hasUniqueRepresentation(Request));
}
