//! Operations about what a process may do: ids, capabilities, filters, labels, devices, sysctls. A
//! part of the format in schema.zig.

const types = @import("types.zig");

const Slot = types.Slot;
const Text = types.Text;
const Bytes = types.Bytes;
const FileType = types.FileType;

/// Of the namespaces that the keeper shares with the pod.
pub const WriteSysctl = extern struct {
    pub const stages = .{.prepare};
    /// Below /proc/sys.
    path: Text,
    value: Text,
    /// Who opens it where root may not: newer kernels let an IPC namespace's own root only.
    uid: u32,
    _: [4]u8 = @splat(0),
};

/// Which devices the processes of a group may open or make. It goes with the group.
pub const AttachDeviceFilter = extern struct {
    pub const stages = .{.prepare};
    /// `struct bpf_insn`, 8 bytes each.
    program: Bytes,
    cgroup: Slot,
    _: [4]u8 = @splat(0),
};

/// One more node beneath the root, beside those of `make_devices`.
pub const MakeDevice = extern struct {
    pub const stages = .{.build};
    target: Text,
    type: FileType,
    major: u32,
    minor: u32,
    mode: u32,
    uid: u32,
    gid: u32,
};

/// The label of the next exec. In `build`: the file is in the host's procfs.
pub const SetLabel = extern struct {
    pub const stages = .{.build};
    /// Below /proc/self/attr.
    file: Text,
    label: Text,
};

/// Pipes and terminals on 0, 1 and 2 become `uid`'s: programs open /dev/stdout anew. Pipes in
/// `build`, where every id has a meaning; a terminal is there in `limit` only.
pub const GiveStreams = extern struct {
    pub const stages = .{ .build, .limit };
    uid: u32,
    _: [4]u8 = @splat(0),
};

pub const SetRlimit = extern struct {
    pub const stages = .{.limit};
    soft: u64,
    hard: u64,
    resource: u32,
    _: [4]u8 = @splat(0),
};

/// The value, or what was inherited where the kernel does not let us go that low. In `build`:
/// inside a user namespace the file is no longer ours to write.
pub const SetOomScore = extern struct {
    pub const stages = .{.build};
    value: i32,
    _: [4]u8 = @splat(0),
};

pub const DropBounding = extern struct {
    pub const stages = .{.limit};
    /// Bit n keeps capability n.
    keep: u64,
};

pub const SetUser = extern struct {
    pub const stages = .{.limit};
    /// u32 each.
    groups: Bytes,
    uid: u32,
    gid: u32,
};

pub const SetCapabilities = extern struct {
    pub const stages = .{.limit};
    permitted: u64,
    inheritable: u64,
    ambient: u64,
};

pub const SetNoNewPrivileges = extern struct {
    pub const stages = .{.limit};
    _: [8]u8 = @splat(0),
};

pub const SetSeccomp = extern struct {
    pub const stages = .{.limit};
    /// `struct sock_filter`, 8 bytes each.
    program: Bytes,
    /// SECCOMP_FILTER_FLAG_*.
    flags: u32,
    _: [4]u8 = @splat(0),
};
