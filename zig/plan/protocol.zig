//! What is said over a keeper's socket, and the record it leaves in the pod's state directory.
//! Versioned: a keeper may be older than the program that talks to it, so numbers here are appended
//! to and never change their meaning.

const std = @import("std");
const assert = std.debug.assert;

pub const version: u32 = 1;

/// Processes a keeper looks after at once: containers, pauses and execs.
pub const processes_max = 2048;
pub const connections_max = 64;
/// A frame is a head, a body and, for `launch`, a plan.
pub const frame_bytes_max = (4 << 20) + 4096;
pub const frame_fds_max = 3;

pub const Head = extern struct {
    /// Of the whole frame, this head included.
    bytes: u32,
    tag: u32,
    /// Chosen by the client, repeated in the answer.
    request: u32,
    /// Descriptors that came with this frame.
    fds: u32 = 0,
};

pub const RequestTag = enum(u32) {
    hello = 1,
    launch = 2,
    signal = 3,
    end = 4,
    hand_over = 5,
    subscribe = 6,
    resize = 7,
    attach = 8,
    kill_tree = 9,
    dial = 10,
    ask = 11,
    answer = 12,
    keep = 13,
    fetch = 14,
};

pub const AnswerTag = enum(u32) {
    welcome = 101,
    reply = 102,
    exited = 103,
    ended = 104,
    trace = 105,
    /// To the owner: what another client asks of it.
    asked = 106,
    /// To the asker: what the owner answers.
    answered = 107,
    /// The pod goes on and nobody owns it.
    vacant = 108,
};

/// One connection at a time holds either of the last two. With an `owner` the pod ends; a
/// `supervisor` leaves it behind for the next.
pub const Role = enum(u32) { observer, owner, supervisor };

pub const Hello = extern struct {
    version: u32 = version,
    /// A `Role`.
    role: u32,
    layout: u64,
};

pub const Welcome = extern struct {
    version: u32 = version,
    keeper_pid: u32,
    layout: u64,
};

pub const LaunchFlags = packed struct(u32) {
    /// Standard streams are the descriptors that came with the message, instead of the log.
    streams_passed: bool = false,
    /// Keep a pipe (or the terminal) open as standard input, for `attach`.
    stdin: bool = false,
    terminal: bool = false,
    /// A sandbox's: the pod lives when the owner's connection closes.
    detached: bool = false,
    /// Not in the record: an exec, or a pause.
    unrecorded: bool = false,
    /// Standard input ends with its first attached client.
    stdin_once: bool = false,
    /// Answer only a failure: the answers to what was asked after it say that it went well.
    quiet: bool = false,
    /// A teardown's: what the keeper does last of all when no client is left to do it.
    when_alone: bool = false,
    _: u24 = 0,
};

/// Followed by the plan.
pub const Launch = extern struct {
    /// Names the process from now on; chosen by the client, unique in the pod for as long as the
    /// pod lives.
    process: u32,
    /// The process to join: an exec's, or the one whose PID namespace a container shares.
    target: u32,
    /// Hold this process at its gate until that one is past its own; `no_process` for at once.
    after: u32,
    flags: LaunchFlags,
    /// What a graceful end sends first.
    stop_signal: u32,
    /// A sandbox's: grace of the pod when its owner has gone.
    grace_ms: u32,
    /// A container's: how often it has been launched before. One that has been launched as often
    /// already is refused as `stale`.
    attempt: u32 = 0,
    _: u32 = 0,
};

pub const no_process: u32 = 0xffff_ffff;
/// In `Launch.after`: until the pod's network is there.
pub const network_turn: u32 = processes_max - 1;

pub const Signal = extern struct { process: u32, signal: u32 };

/// End the pod: stop signals, `grace_ms`, then `cgroup.kill`; answered by `ended` when nothing is
/// left.
pub const End = extern struct { grace_ms: u32, _: u32 = 0 };

pub const Resize = extern struct { process: u32, rows: u16, columns: u16 };

/// With descriptors: standard input to read from, standard output and error to copy to.
pub const Attach = extern struct { process: u32, flags: u32 };

/// SIGKILL everything in the process's own control group.
pub const KillTree = extern struct { process: u32, _: u32 = 0 };

pub const Family = enum(u32) { tcp4, tcp6 };

/// A connection made in the pod's network namespace. Comes with a unix socket, over which the
/// connected one goes back, nonblocking, before the answer; or without, and is closed again.
pub const Dial = extern struct {
    /// A `Family`.
    family: u32,
    port: u32,
    /// The address in network byte order as it lies in memory; IPv4 takes the first four bytes.
    address_head: u64,
    address_tail: u64,
    timeout_ms: u32,
    _: u32 = 0,
};

/// What an ask and an answer may hold after their head.
pub const ask_bytes_max = 64 << 10;

/// Who asked; said back with the answer. Followed by the text.
pub const Asked = extern struct { connection: u32, generation: u32, request: u32, _: u32 = 0 };

/// Descriptors that the pod's owners hand on: `keep` comes with one, `fetch` with a socket that it
/// is sent over.
pub const Keep = extern struct { place: u32, _: u32 = 0 };
pub const kept_max = 4;

pub const Status = enum(u32) {
    ok,
    /// An operation of the plan failed: see `operation`, `call`, `errno`.
    failed,
    no_such_process,
    /// The frame or the plan did not check out.
    invalid,
    /// Too many processes, or the pod is ending.
    refused,
    /// The plan's deadline passed.
    timed_out,
    /// The keeper is of another version and does not run this plan's format.
    layout,
    /// The pod goes on and nobody owns it.
    no_owner,
    /// The process's last attempt has not quite left.
    busy,
    /// That attempt of the process has been launched already.
    stale,
};

pub const Reply = extern struct {
    status: Status,
    process: u32,
    pid: u32,
    operation: u32,
    /// Index into `Call`.
    call: u32,
    errno: u32,
    /// From the request's arrival to the process's exec.
    elapsed_ns: u64,
};

pub const Exited = extern struct {
    process: u32,
    /// 0–255, or 128 + `signal`.
    code: i32,
    signal: u32,
    /// Processes of the group that the kernel's out-of-memory killer ended.
    oom_kills: u32,
    cpu_us: u64,
    memory_peak_bytes: u64,
    started_ns: i64,
    ended_ns: i64,
    attempt: u32,
    _: u32 = 0,
};

pub const record_magic: u32 = 0x44434552; // "RECD"

pub const RecordHead = extern struct {
    magic: u32 = record_magic,
    version: u32 = version,
    layout: u64,
    keeper_pid: u32,
    /// Of the keeper's lean mount namespace: proof that a pid still names this keeper.
    mount_namespace: u32,
    started_ns: i64,
    /// 1 for a pod that its owner's death does not end.
    detached: u32,
    /// 1 where nothing of the pod is mounted in that namespace, so that other keepers may copy it.
    pristine: u32,
    _: [24]u8 = @splat(0),
};

pub const ProcessState = enum(u32) { none, starting, running, exited };

/// One per recorded process, at `record_head + n * record_entry`. Written with one pwrite;
/// `sequence` stands at both ends, so that a reader knows a torn one.
pub const RecordEntry = extern struct {
    sequence: u32,
    process: u32,
    state: ProcessState,
    pid: u32,
    started_ns: i64,
    ended_ns: i64,
    code: i32,
    signal: u32,
    oom_kills: u32,
    /// Lines of output that a full disk has cost.
    lines_dropped: u32,
    cpu_us: u64,
    memory_peak_bytes: u64,
    /// How often it had been launched before.
    attempt: u32,
    sequence_end: u32,
};

/// System calls that can fail in a plan, by the kernel's name.
pub const Call = enum(u32) {
    none,
    openat,
    openat2,
    mkdirat,
    fchmod,
    fchownat,
    mknodat,
    symlinkat,
    write,
    read,
    unlinkat,
    statx,
    open_tree,
    mount_setattr,
    move_mount,
    fsopen,
    fsconfig,
    fsmount,
    mount,
    umount2,
    clone3,
    unshare,
    setns,
    pidfd_open,
    sethostname,
    socket,
    socketpair,
    pipe2,
    ioctl,
    chroot,
    chdir,
    fchdir,
    pivot_root,
    setsid,
    dup3,
    prlimit64,
    setgroups,
    setresgid,
    setresuid,
    capset,
    prctl,
    seccomp,
    execve,
    execveat,
    close_range,
    sendmsg,
    epoll_ctl,
    memfd_create,
    mmap,
    bind,
    listen,
    /// A device or mount was not what it claims to be.
    verify,
    /// A test asked for the failure.
    injected,
    connect,
    bpf,
    fchmodat,
    readlinkat,
    renameat2,
};

comptime {
    assert(@sizeOf(Head) == 16);
    assert(@sizeOf(RecordHead) == 64);
    assert(@sizeOf(RecordEntry) == 72);
    for (.{
        Hello,
        Welcome,
        Launch,
        Signal,
        End,
        Resize,
        Attach,
        KillTree,
        Dial,
        Asked,
        Keep,
        Reply,
        Exited,
        RecordHead,
        RecordEntry,
    }) |T| {
        assert(std.meta.hasUniqueRepresentation(T));
        assert(@sizeOf(T) % 8 == 0);
    }
}
