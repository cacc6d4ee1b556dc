//! Operations on what volumes are made of: file systems, files and links, and whose they are.

const types = @import("types.zig");
const Attributes = types.Attributes;
const Bytes = types.Bytes;
const FileType = types.FileType;
const Slot = types.Slot;
const Text = types.Text;
const TextList = types.TextList;

/// A tmpfs that nothing is mounted on yet. Clones of it share its content.
pub const MakeTmpfs = extern struct {
    pub const stages = .{.prepare};
    bytes_max: u64,
    /// 0 leaves the kernel's default.
    inodes_max: u64,
    slot: Slot,
    mode: u32,
    uid: u32,
    gid: u32,
    attributes: Attributes,
    /// Attach it where no container can reach it: before Linux 6.15 only attached mounts can be
    /// cloned.
    attached: u32,
    /// Its pages never reach a swap device (6.4).
    no_swap: u32,
    _: [4]u8 = @splat(0),
};

/// Memory in large pages.
pub const MakeHugetlbfs = extern struct {
    pub const stages = .{.prepare};
    page_bytes: u64,
    bytes_max: u64,
    slot: Slot,
    mode: u32,
    uid: u32,
    gid: u32,
    attributes: Attributes,
    attached: u32,
};

pub const WriteFile = extern struct {
    pub const stages = .{.prepare};
    name: Text,
    content: Bytes,
    directory: Slot,
    mode: u32,
    uid: u32,
    gid: u32,
    /// Write anew what is there, for whoever has it mounted. Never undone.
    replace: u32,
    _: [4]u8 = @splat(0),
};

pub const MakeLink = extern struct {
    pub const stages = .{.prepare};
    name: Text,
    target: Text,
    directory: Slot,
    uid: u32,
    gid: u32,
    _: [4]u8 = @splat(0),
};

/// Turn a volume of generated files over to a new set of them: its link `..data` is replaced by a
/// rename, so that a reader sees the old files or the new, never some of each. What it pointed to
/// goes, and so do the links `stale`. Not undone: it stands last.
pub const SwapFiles = extern struct {
    pub const stages = .{.prepare};
    target: Text,
    stale: TextList,
    directory: Slot,
    uid: u32,
    gid: u32,
    _: [4]u8 = @splat(0),
};

/// Give a directory on the host and everything in it to a group, as fsGroup asks.
pub const GiveGroup = extern struct {
    pub const stages = .{.prepare};
    path: Text,
    gid: u32,
    /// Nothing is done when the directory itself is the group's already.
    unless_given: u32,
    /// The group may read, and not write.
    read_only: u32,
    _: [4]u8 = @splat(0),
};

/// Opens what the user named on the host and detaches a copy of the mount.
pub const OpenVolume = extern struct {
    pub const stages = .{.prepare};
    /// Absolute, or relative to `base`, a mount of the keeper's own.
    path: Text,
    /// Resolved beneath `path` without following a link, made where it is missing. Empty for none.
    sub_path: Text,
    base: Slot,
    slot: Slot,
    attributes: Attributes,
    /// The user namespace whose ids the files are shown in.
    user_namespace: Slot,
    expect: FileType,
    /// Mode to create `path` with when it is missing; 0 means that it must exist.
    create_mode: u32,
    /// With the mounts below it.
    recursive: u32,
    /// Those do not get these.
    top_attributes: Attributes,
    /// What the host mounts below it later shows up in the copy.
    receives: u32,
    /// And what is mounted below the copy shows up on the host.
    sends: u32,
};
