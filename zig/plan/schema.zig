//! The format of a plan, defined once: `src/plan/abi.gen.ts` is printed from it (zig/abi.zig), and
//! the hash of its layout is compared when the library is opened. Operations carry values.

const std = @import("std");
const assert = std.debug.assert;
const types = @import("types.zig");
const privilege = @import("privilege.zig");
const storage = @import("storage.zig");

pub const magic = types.magic;
pub const plan_bytes_max = types.plan_bytes_max;
pub const operations_max = types.operations_max;
pub const pod_slots = types.pod_slots;
pub const slots_max = types.slots_max;
pub const Kind = types.Kind;
pub const Stage = types.Stage;
pub const Slot = types.Slot;
pub const Text = types.Text;
pub const Bytes = types.Bytes;
pub const TextList = types.TextList;
pub const Header = types.Header;
pub const Flags = types.Flags;
pub const Record = types.Record;
pub const Attributes = types.Attributes;
pub const Namespaces = types.Namespaces;
pub const FileType = types.FileType;
pub const WriteSysctl = privilege.WriteSysctl;
pub const AttachDeviceFilter = privilege.AttachDeviceFilter;
pub const MakeDevice = privilege.MakeDevice;
pub const SetLabel = privilege.SetLabel;
pub const GiveStreams = privilege.GiveStreams;
pub const SetRlimit = privilege.SetRlimit;
pub const SetOomScore = privilege.SetOomScore;
pub const DropBounding = privilege.DropBounding;
pub const SetUser = privilege.SetUser;
pub const SetCapabilities = privilege.SetCapabilities;
pub const SetNoNewPrivileges = privilege.SetNoNewPrivileges;
pub const SetSeccomp = privilege.SetSeccomp;
pub const Netlink = @import("network.zig").Netlink;
pub const MakeTmpfs = storage.MakeTmpfs;
pub const MakeHugetlbfs = storage.MakeHugetlbfs;
pub const WriteFile = storage.WriteFile;
pub const MakeLink = storage.MakeLink;
pub const SwapFiles = storage.SwapFiles;
pub const GiveGroup = storage.GiveGroup;
pub const OpenVolume = storage.OpenVolume;

pub const OpenDirectory = extern struct {
    pub const stages = .{ .prepare, .later };
    path: Text,
    slot: Slot,
    _: [4]u8 = @splat(0),
};

/// Undone by removing the directory with all it holds. One that exists already is an error: names
/// carry the pod's id.
pub const MakeDirectory = extern struct {
    pub const stages = .{ .prepare, .build, .later };
    name: Text,
    parent: Slot,
    slot: Slot,
    mode: u32,
    uid: u32,
    gid: u32,
    _: [4]u8 = @splat(0),
};

/// Undone by `cgroup.kill` and rmdir.
pub const MakeCgroup = extern struct {
    pub const stages = .{.prepare};
    name: Text,
    parent: Slot,
    slot: Slot,
};

pub const WriteCgroup = extern struct {
    pub const stages = .{.prepare};
    file: Text,
    value: Text,
    cgroup: Slot,
    _: [4]u8 = @splat(0),
};

/// A mount, or one name directly inside it, to be attached elsewhere.
pub const CloneTree = extern struct {
    pub const stages = .{ .prepare, .build };
    /// Empty for the whole tree.
    name: Text,
    source: Slot,
    slot: Slot,
    attributes: Attributes,
    _: [4]u8 = @splat(0),
};

/// Lowers, the topmost first: `names` beneath the tree `lower`, or consecutive slots from it on.
pub const MakeOverlay = extern struct {
    /// In `build` by descriptor (6.13), else in `prepare` by the descriptors' names in /proc.
    pub const stages = .{ .prepare, .build };
    names: TextList,
    lower: Slot,
    lower_count: u32,
    upper: Slot,
    work: Slot,
    slot: Slot,
    attributes: Attributes,
};

/// Before 6.15: attach consecutive trees, for the rest of `prepare`, in a private copy of the
/// host's namespace. There overlayfs takes layers only from mounts attached in the caller's own
/// namespace, and an idmapped one is detached.
pub const ShowTrees = extern struct {
    pub const stages = .{.prepare};
    first: Slot,
    count: u32,
};

/// Where stdout and stderr of the process go, in the CRI's log format.
pub const OpenLog = extern struct {
    pub const stages = .{.later};
    name: Text,
    bytes_max: u64,
    directory: Slot,
    /// Files kept, the one being written included.
    files_max: u32,
    /// 0: the writer waits while the disk is full; 1: lines are dropped and counted.
    drop_when_full: u32,
    _: [4]u8 = @splat(0),
};

/// The user namespace of a pod: `count` ids from 0 inside are those from `first_id` outside.
pub const MakeUserNamespace = extern struct {
    pub const stages = .{.prepare};
    first_id: u32,
    count: u32,
    slot: Slot,
    /// Namespaces that it is to own, joined by the keeper itself.
    namespaces: Namespaces,
};

/// The keeper's own move into fresh namespaces, which every container of the pod then inherits.
pub const EnterNamespaces = extern struct {
    pub const stages = .{.prepare};
    namespaces: Namespaces,
    _: [4]u8 = @splat(0),
};

pub const LoopbackUp = extern struct {
    pub const stages = .{.prepare};
    _: [8]u8 = @splat(0),
};

pub const SetHostname = extern struct {
    pub const stages = .{.prepare};
    name: Text,
};

/// A full procfs in the keeper's own mount namespace: the kernel allows a new one in a user
/// namespace only where one is in sight.
pub const ShowProc = extern struct {
    pub const stages = .{.prepare};
    _: [8]u8 = @splat(0),
};

/// Start the child. Always the last operation of `prepare` in a plan that has one.
pub const Spawn = extern struct {
    pub const stages = .{.prepare};
    namespaces: Namespaces,
    cgroup: Slot,
    /// A pidfd whose PID namespace the child is born in.
    pid_namespace: Slot,
    /// Entered between `build` and `enter`, by a second clone that locks what was attached before.
    user_namespace: Slot,
    /// A pidfd whose namespaces `join` names are entered after `build`.
    target: Slot,
    join: Namespaces,
    /// A pod slot that keeps the child's pidfd.
    keep_process: Slot,
    /// Not seen in its PID namespace before it has nothing that somebody there could take.
    hidden: u32,
};

pub const RemoveCgroup = extern struct {
    pub const stages = .{.prepare};
    name: Text,
    parent: Slot,
    _: [4]u8 = @splat(0),
};

pub const RemoveTree = extern struct {
    pub const stages = .{.prepare};
    name: Text,
    parent: Slot,
    /// Begun when the processes have been killed: the kernel takes its time to end them.
    while_leaving: u32,
};

pub const PlaceRoot = extern struct {
    pub const stages = .{.build};
    tree: Slot,
    _: [4]u8 = @splat(0),
};

/// A fresh /dev: its nodes are made, not bound, so nothing of the host's /dev is ever looked at.
pub const MakeDevices = extern struct {
    pub const stages = .{.build};
    bytes_max: u64,
    target: Text,
};

pub const Mount = extern struct {
    pub const stages = .{ .build, .enter };
    type: Text,
    target: Text,
    options: TextList,
    attributes: Attributes,
    _: [4]u8 = @splat(0),
};

/// Show a detached mount inside the container. Its attributes were set in `prepare`, so no path
/// ever shows it writable for a moment.
pub const Attach = extern struct {
    pub const stages = .{.build};
    target: Text,
    tree: Slot,
    _: [4]u8 = @splat(0),
};

/// A file for the container's last words, in its own /dev; shown at `target` where that is another
/// place. The keeper gets it, and reads it when the container has ended.
pub const KeepMessage = extern struct {
    pub const stages = .{.build};
    target: Text,
};

/// Hide what is there: a directory under the shared empty one, anything else under the null device.
/// Missing is fine.
pub const Mask = extern struct {
    pub const stages = .{.enter};
    target: Text,
};

pub const MakeReadOnly = extern struct {
    pub const stages = .{.enter};
    target: Text,
};

/// Moves the root onto "/" of a namespace whose own root is empty and read-only: no walk over the
/// host's processes.
pub const EnterByMove = extern struct {
    pub const stages = .{.enter};
    _: [8]u8 = @splat(0),
};

/// pivot_root and unmount, for a namespace that still holds something.
pub const EnterByPivot = extern struct {
    pub const stages = .{.enter};
    _: [8]u8 = @splat(0),
};

/// A terminal of the container's own devpts becomes its standard streams and controlling terminal.
pub const OpenTerminal = extern struct {
    pub const stages = .{.limit};
    rows: u32,
    columns: u32,
};

pub const Exec = extern struct {
    pub const stages = .{.exec};
    /// Tried in order: the command in each directory of PATH, or the one path that was written.
    candidates: TextList,
    arguments: TextList,
    environment: TextList,
    directory: Text,
    /// Make `directory` where it is missing, as container runtimes do.
    create_directory: u32,
    umask: u32,
};

/// Become the reaper of a shared PID namespace: the keeper's own program, with nothing to take.
pub const ExecPause = extern struct {
    pub const stages = .{.exec};
    _: [8]u8 = @splat(0),
};

pub const Op = union(enum) {
    open_directory: OpenDirectory,
    make_directory: MakeDirectory,
    make_cgroup: MakeCgroup,
    write_cgroup: WriteCgroup,
    make_tmpfs: MakeTmpfs,
    make_hugetlbfs: MakeHugetlbfs,
    write_file: WriteFile,
    make_link: MakeLink,
    swap_files: SwapFiles,
    give_group: GiveGroup,
    clone_tree: CloneTree,
    open_volume: OpenVolume,
    make_overlay: MakeOverlay,
    show_trees: ShowTrees,
    open_log: OpenLog,
    make_user_namespace: MakeUserNamespace,
    enter_namespaces: EnterNamespaces,
    loopback_up: LoopbackUp,
    netlink: Netlink,
    set_hostname: SetHostname,
    write_sysctl: WriteSysctl,
    attach_device_filter: AttachDeviceFilter,
    show_proc: ShowProc,
    spawn: Spawn,
    remove_cgroup: RemoveCgroup,
    remove_tree: RemoveTree,
    place_root: PlaceRoot,
    make_devices: MakeDevices,
    make_device: MakeDevice,
    mount: Mount,
    attach: Attach,
    mask: Mask,
    make_read_only: MakeReadOnly,
    enter_by_move: EnterByMove,
    enter_by_pivot: EnterByPivot,
    set_rlimit: SetRlimit,
    set_oom_score: SetOomScore,
    set_label: SetLabel,
    give_streams: GiveStreams,
    open_terminal: OpenTerminal,
    drop_bounding: DropBounding,
    set_user: SetUser,
    set_capabilities: SetCapabilities,
    set_no_new_privileges: SetNoNewPrivileges,
    set_seccomp: SetSeccomp,
    exec: Exec,
    exec_pause: ExecPause,
    keep_message: KeepMessage,
};

pub const Tag = @typeInfo(Op).@"union".tag_type.?;

comptime {
    assert(@sizeOf(Header) % 8 == 0);
    assert(@sizeOf(Record) == 8);
    for (std.meta.fields(Op)) |field| {
        assert(@sizeOf(field.type) % 8 == 0); // Payloads stay 8-aligned back to back.
        assert(std.meta.hasUniqueRepresentation(field.type)); // No padding to leak or compare.
        assert(@hasDecl(field.type, "stages"));
    }
}
