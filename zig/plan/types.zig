//! What every plan is made of: stages, slots, ranges of bytes, flags. The operations are in
//! schema.zig.

pub const magic: u32 = 0x4e4c5050; // "PPLN"

/// A plan larger than this is refused before it is read. Args and environment of one container
/// dominate it.
pub const plan_bytes_max = 4 << 20;
pub const operations_max = 4096;

/// Descriptors that outlive a plan belong to the pod; the others are closed when their plan has
/// run. Room for the 1000 volumes and the 1000 mounts that a manifest may have, and for the 500
/// layers that overlayfs takes.
pub const pod_slots = 1056;
pub const slots_max = pod_slots + 1600;

pub const Kind = enum(u8) { sandbox, container, exec, update, teardown, network };

/// Who executes an operation, and where. A plan never goes back to an earlier stage.
pub const Stage = enum(u8) {
    /// The keeper or its helper, in the host's namespaces. Every operation here has an undo.
    prepare,
    /// The child in its own fresh namespaces, still in the host's user namespace.
    build,
    /// The child in its final namespaces.
    enter,
    limit,
    exec,
    /// The keeper once more, while the child builds: what the process does not need to start. Only
    /// the answer waits for it.
    later,
};

/// A numbered descriptor. `none` where an operation can do without.
pub const Slot = enum(u32) {
    none = 0xffff_ffff,
    /// Of the pod: where the keeper puts its record and its socket.
    state_directory = 0,
    /// Of the pod: the group that the end of the pod kills.
    pod_cgroup = 1,
    /// Of an exec plan: the pidfd of the process whose namespaces are joined, filled in by the
    /// keeper.
    target_process = pod_slots,
    /// Of an exec plan: the control group of that process.
    target_cgroup = pod_slots + 1,
    _,
};

/// Bytes within the plan, followed by a NUL that `bytes` does not count.
pub const Text = extern struct { offset: u32, bytes: u32 };
/// Bytes within the plan at an 8-aligned offset.
pub const Bytes = extern struct { offset: u32, bytes: u32 };
/// `count` entries of `Text` at an 8-aligned offset.
pub const TextList = extern struct { offset: u32, count: u32 };

pub const Header = extern struct {
    magic: u32 = magic,
    /// The whole plan, this header included.
    bytes: u32,
    operations: u32,
    kind: Kind,
    flags: Flags,
    _: [2]u8 = @splat(0),
    /// Who owns mount points that have to be made inside the root: the pod's root user on the host.
    root_uid: u32,
    root_gid: u32,
    /// From the keeper's first look at the plan to exec; the launch fails when it has passed.
    deadline_ms: u32,
    /// One more than the index of the operation that is to fail before it acts; 0 for none. Tests
    /// walk it.
    fail_at: u32 = 0,
    layout: u64,
};

pub const Flags = packed struct(u8) {
    /// A source may never answer (a dead NFS or FUSE server): prepare runs in a helper beside the
    /// keeper.
    may_hang: bool = false,
    /// Record when each operation ended.
    trace: bool = false,
    _: u6 = 0,
};

pub const Record = extern struct {
    /// The operation's place in `Op`.
    tag: u16,
    stage: Stage,
    _: u8 = 0,
    /// Of the payload that follows.
    bytes: u32,
};

/// Mount attributes; the names are the kernel's (man 2 mount_setattr).
pub const Attributes = packed struct(u32) {
    rdonly: bool = false,
    nosuid: bool = false,
    nodev: bool = false,
    noexec: bool = false,
    _: u28 = 0,
};

/// Kinds of kernel namespaces; the names are those of /proc/PID/ns.
pub const Namespaces = packed struct(u32) {
    net: bool = false,
    ipc: bool = false,
    uts: bool = false,
    mnt: bool = false,
    pid: bool = false,
    cgroup: bool = false,
    user: bool = false,
    _: u25 = 0,
};

pub const FileType = enum(u32) { any, directory, file, socket, character_device, block_device };

pub fn allowsStage(comptime Payload: type, stage: Stage) bool {
    inline for (Payload.stages) |allowed| if (stage == @as(Stage, allowed)) return true;
    return false;
}
