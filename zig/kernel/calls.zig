//! System calls and kernel types that std 0.16 lacks or has wrong. Raw calls only: no policy, no
//! error sentences.

const std = @import("std");
pub const linux = std.os.linux;
const builtin = @import("builtin");
const syscall1 = linux.syscall1;

pub const AT_FDCWD: i32 = -100;
pub const AT_EMPTY_PATH: u32 = 0x1000;
pub const AT_RECURSIVE: u32 = 0x8000;
pub const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
pub const AT_REMOVEDIR: u32 = 0x200;
pub const AT_STATX_DONT_SYNC: u32 = 0x4000;

pub const OPEN_TREE_CLONE: u32 = 1;
pub const OPEN_TREE_CLOEXEC: u32 = 0o2000000;
pub const MOVE_MOUNT_F_EMPTY_PATH: u32 = 0x4;
pub const MOVE_MOUNT_T_EMPTY_PATH: u32 = 0x40;

pub const MOUNT_ATTR_IDMAP: u64 = 0x100000;

pub const FSOPEN_CLOEXEC: u32 = 1;
pub const FSMOUNT_CLOEXEC: u32 = 1;
pub const FSCONFIG_SET_FLAG: u32 = 0;
pub const FSCONFIG_SET_STRING: u32 = 1;
pub const FSCONFIG_SET_FD: u32 = 5;
pub const FSCONFIG_CMD_CREATE: u32 = 6;

pub const MS_PRIVATE: u64 = 1 << 18;
pub const MS_SLAVE: u64 = 1 << 19;
pub const MS_SHARED: u64 = 1 << 20;
pub const MNT_DETACH: u32 = 2;

pub const RESOLVE_NO_XDEV: u64 = 0x01;
pub const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
pub const RESOLVE_NO_SYMLINKS: u64 = 0x04;
pub const RESOLVE_BENEATH: u64 = 0x08;
pub const RESOLVE_IN_ROOT: u64 = 0x10;

pub const CLONE_VM: u64 = 0x100;
pub const CLONE_FILES: u64 = 0x400;
pub const CLONE_PIDFD: u64 = 0x1000;
pub const CLONE_CHILD_CLEARTID: u64 = 0x200000;
pub const CLONE_PARENT: u64 = 0x8000;
pub const CLONE_NEWNS: u64 = 0x20000;
pub const CLONE_NEWCGROUP: u64 = 0x2000000;
pub const CLONE_NEWUTS: u64 = 0x4000000;
pub const CLONE_NEWIPC: u64 = 0x8000000;
pub const CLONE_NEWUSER: u64 = 0x10000000;
pub const CLONE_NEWPID: u64 = 0x20000000;
pub const CLONE_NEWNET: u64 = 0x40000000;
pub const CLONE_CLEAR_SIGHAND: u64 = 0x100000000;
pub const CLONE_INTO_CGROUP: u64 = 0x200000000;

pub const O_RDONLY: u64 = 0;
pub const O_WRONLY: u64 = 1;
pub const O_RDWR: u64 = 2;
pub const O_CREAT: u64 = 0o100;
pub const O_EXCL: u64 = 0o200;
pub const O_NOCTTY: u64 = 0o400;
pub const O_TRUNC: u64 = 0o1000;
pub const O_APPEND: u64 = 0o2000;
pub const O_NONBLOCK: u64 = 0o4000;
pub const O_CLOEXEC: u64 = 0o2000000;
pub const O_PATH: u64 = 0o10000000;
/// These two differ between architectures.
pub const O_DIRECTORY: u64 = @as(u32, @bitCast(linux.O{ .DIRECTORY = true }));
pub const O_NOFOLLOW: u64 = @as(u32, @bitCast(linux.O{ .NOFOLLOW = true }));

pub const S_IFMT: u32 = 0o170000;
pub const S_IFDIR: u32 = 0o040000;
pub const S_IFREG: u32 = 0o100000;
pub const S_IFCHR: u32 = 0o020000;
pub const S_IFBLK: u32 = 0o060000;
pub const S_IFIFO: u32 = 0o010000;
pub const S_IFSOCK: u32 = 0o140000;
pub const S_IFLNK: u32 = 0o120000;

pub const W_EXITED: u32 = 4;
pub const W_NOHANG: u32 = 1;
/// Also children whose exit signal is not SIGCHLD, as those made with CLONE_PARENT.
pub const W_ALL: u32 = 0x40000000;
pub const P_PIDFD: u32 = 3;

/// include/uapi/linux/sched.h, `struct clone_args`.
pub const CloneArgs = extern struct {
    flags: u64 align(8) = 0,
    pidfd: u64 = 0,
    child_tid: u64 = 0,
    parent_tid: u64 = 0,
    exit_signal: u64 = 0,
    stack: u64 = 0,
    stack_size: u64 = 0,
    tls: u64 = 0,
    set_tid: u64 = 0,
    set_tid_size: u64 = 0,
    cgroup: u64 = 0,
};

pub const OpenHow = extern struct { flags: u64 = 0, mode: u64 = 0, resolve: u64 = 0 };
pub const MountAttr = extern struct {
    attr_set: u64 = 0,
    attr_clr: u64 = 0,
    propagation: u64 = 0,
    userns_fd: u64 = 0,
};

/// A descriptor number as the kernel wants it in a register.
pub fn raw(fd: i32) usize {
    return @bitCast(@as(isize, fd));
}

pub fn openat2(dir: i32, path: [*:0]const u8, how: OpenHow) usize {
    return linux.syscall4(
        .openat2,
        raw(dir),
        @intFromPtr(path),
        @intFromPtr(&how),
        @sizeOf(OpenHow),
    );
}

pub fn openat(dir: i32, path: [*:0]const u8, flags: u64, mode: u32) usize {
    return linux.syscall4(.openat, raw(dir), @intFromPtr(path), flags, mode);
}

pub fn open_tree(dir: i32, path: [*:0]const u8, flags: u32) usize {
    return linux.syscall3(.open_tree, raw(dir), @intFromPtr(path), flags);
}

pub fn move_mount(
    from: i32,
    from_path: [*:0]const u8,
    to: i32,
    to_path: [*:0]const u8,
    flags: u32,
) usize {
    return linux.syscall5(
        .move_mount,
        raw(from),
        @intFromPtr(from_path),
        raw(to),
        @intFromPtr(to_path),
        flags,
    );
}

/// man 2 mount_setattr. Declared here because std 0.16 passes only three of its five arguments.
pub fn mount_setattr(dir: i32, path: [*:0]const u8, flags: u32, attr: MountAttr) usize {
    return linux.syscall5(
        .mount_setattr,
        raw(dir),
        @intFromPtr(path),
        flags,
        @intFromPtr(&attr),
        @sizeOf(MountAttr),
    );
}

pub fn fsopen(name: [*:0]const u8) usize {
    return linux.syscall2(.fsopen, @intFromPtr(name), FSOPEN_CLOEXEC);
}

pub fn fsconfig(
    fd: i32,
    command: u32,
    key: ?[*:0]const u8,
    value: ?*const anyopaque,
    aux: i32,
) usize {
    return linux.syscall5(
        .fsconfig,
        raw(fd),
        command,
        @intFromPtr(key),
        @intFromPtr(value),
        raw(aux),
    );
}

pub fn fsmount(fd: i32, attributes: u64) usize {
    return linux.syscall3(.fsmount, raw(fd), FSMOUNT_CLOEXEC, attributes);
}

pub fn clone3(args: *const CloneArgs) usize {
    return linux.syscall2(.clone3, @intFromPtr(args), @sizeOf(CloneArgs));
}

pub fn setns(fd: i32, flags: u64) usize {
    return linux.syscall2(.setns, raw(fd), flags);
}

pub fn unshare(flags: u64) usize {
    return syscall1(.unshare, flags);
}

pub fn close_range(first: u32, last: u32, flags: u32) usize {
    return linux.syscall3(.close_range, first, last, flags);
}

pub fn close(fd: i32) void {
    _ = syscall1(.close, raw(fd));
}

pub fn sethostname(name: []const u8) usize {
    return linux.syscall2(.sethostname, @intFromPtr(name.ptr), name.len);
}

pub fn umask(mask: u32) void {
    _ = syscall1(.umask, mask);
}

pub fn prctl(option: usize, a: usize, b: usize, c: usize, d: usize) usize {
    return linux.syscall5(.prctl, option, a, b, c, d);
}

pub fn pidfd_send_signal(pidfd: i32, signal: u32) usize {
    return linux.syscall4(.pidfd_send_signal, raw(pidfd), signal, 0, 0);
}

pub fn fchmod(fd: i32, mode: u32) usize {
    return linux.syscall2(.fchmod, raw(fd), mode);
}

pub fn fchmodat(dir: i32, path: [*:0]const u8, mode: u32) usize {
    return linux.syscall3(.fchmodat, raw(dir), @intFromPtr(path), mode);
}

pub fn symlinkat(target: [*:0]const u8, dir: i32, name: [*:0]const u8) usize {
    return linux.syscall3(.symlinkat, @intFromPtr(target), raw(dir), @intFromPtr(name));
}

pub fn readlinkat(dir: i32, name: [*:0]const u8, into: []u8) usize {
    return linux.syscall4(
        .readlinkat,
        raw(dir),
        @intFromPtr(name),
        @intFromPtr(into.ptr),
        into.len,
    );
}

pub fn renameat(dir: i32, from: [*:0]const u8, to: [*:0]const u8) usize {
    const flags = 0;
    return linux.syscall5(
        .renameat2,
        raw(dir),
        @intFromPtr(from),
        raw(dir),
        @intFromPtr(to),
        flags,
    );
}

pub fn fchownat(dir: i32, path: [*:0]const u8, uid: u32, gid: u32, flags: u32) usize {
    return linux.syscall5(.fchownat, raw(dir), @intFromPtr(path), uid, gid, flags);
}

pub fn mkdirat(dir: i32, name: [*:0]const u8, mode: u32) usize {
    return linux.syscall3(.mkdirat, raw(dir), @intFromPtr(name), mode);
}

pub fn unlinkat(dir: i32, name: [*:0]const u8, flags: u32) usize {
    return linux.syscall3(.unlinkat, raw(dir), @intFromPtr(name), flags);
}

/// The call itself: std's wrapper goes through the vDSO and needs libc's getauxval in a shared
/// library.
pub fn clock_gettime_ns(clock: usize) i64 {
    var time: linux.timespec = .{ .sec = 0, .nsec = 0 };
    _ = linux.syscall2(.clock_gettime, clock, @intFromPtr(&time));
    return @as(i64, time.sec) * std.time.ns_per_s + time.nsec;
}

pub const CLOCK_REALTIME: usize = 0;
pub const CLOCK_MONOTONIC: usize = 1;

pub fn futex_wait(word: *const u32, expected: u32) void {
    _ = linux.syscall4(.futex, @intFromPtr(word), 0, expected, 0);
}

pub fn futex_wait_ms(word: *const u32, expected: u32, timeout_ms: u32) void {
    const timeout: linux.timespec = .{ .sec = 0, .nsec = timeout_ms * std.time.ns_per_ms };
    _ = linux.syscall4(.futex, @intFromPtr(word), 0, expected, @intFromPtr(&timeout));
}

pub fn futex_wake(word: *const u32) void {
    _ = linux.syscall3(.futex, @intFromPtr(word), 1, std.math.maxInt(i32));
}

/// How a process ended. A signal's code is 128 and its number, as shells and the kubelet count.
pub const Exit = struct {
    code: i32 = 0,
    signal: i32 = 0,
    cpu_us: u64 = 0,
    resident_bytes_max: u64 = 0,
};

/// Null while the process runs.
pub fn reap(pidfd: i32) ?Exit {
    var info: [32]i32 align(8) = @splat(0);
    var usage: linux.rusage = undefined;
    while (true) {
        const rc = linux.syscall5(
            .waitid,
            P_PIDFD,
            raw(pidfd),
            @intFromPtr(&info),
            W_EXITED | W_NOHANG | W_ALL,
            @intFromPtr(&usage),
        );
        switch (linux.errno(rc)) {
            .SUCCESS => break,
            .INTR => continue,
            else => return .{ .code = 255 }, // Reaped already: cannot happen while we hold it.
        }
    }
    if (info[0] == 0) return null;

    const cld_exited = 1;
    const status = info[6];
    const times = [2]@TypeOf(usage.utime){ usage.utime, usage.stime };
    var cpu_us: u64 = 0;
    for (times) |time| cpu_us += @intCast(
        @as(i64, time.sec) * std.time.us_per_s + @as(i64, time.usec),
    );
    const signalled = info[2] != cld_exited;
    return .{
        .code = if (signalled) 128 + status else status,
        .signal = if (signalled) status else 0,
        .cpu_us = cpu_us,
        .resident_bytes_max = @as(u64, @intCast(usage.maxrss)) << 10,
    };
}

/// A clone that shares memory must not return into its parent's frames: it calls `entry` on a stack
/// of its own.
pub fn clone3_call(
    args: *const CloneArgs,
    entry: *const fn (usize) callconv(.c) noreturn,
    argument: usize,
) usize {
    switch (builtin.cpu.arch) {
        .x86_64 => return asm volatile (
            \\ syscall
            \\ testq %%rax, %%rax
            \\ jnz 1f
            \\ xorl %%ebp, %%ebp
            \\ movq %%r13, %%rdi
            \\ callq *%%r12
            \\ ud2
            \\1:
            : [ret] "={rax}" (-> usize),
            : [nr] "{rax}" (@as(usize, @intFromEnum(linux.SYS.clone3))),
              [args] "{rdi}" (@intFromPtr(args)),
              [size] "{rsi}" (@as(usize, @sizeOf(CloneArgs))),
              [entry] "{r12}" (@intFromPtr(entry)),
              [argument] "{r13}" (argument),
            : .{ .rcx = true, .r11 = true, .memory = true }),
        .aarch64 => return asm volatile (
            \\ svc #0
            \\ cbnz x0, 1f
            \\ mov x29, #0
            \\ mov x30, #0
            \\ mov x0, x20
            \\ blr x19
            \\ brk #1
            \\1:
            : [ret] "={x0}" (-> usize),
            : [nr] "{x8}" (@as(usize, @intFromEnum(linux.SYS.clone3))),
              [args] "{x0}" (@intFromPtr(args)),
              [size] "{x1}" (@as(usize, @sizeOf(CloneArgs))),
              [entry] "{x19}" (@intFromPtr(entry)),
              [argument] "{x20}" (argument),
            : .{ .memory = true }),
        else => @compileError("peapod runs on x86-64 and arm64"),
    }
}
