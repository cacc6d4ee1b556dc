//! The seccomp filter, computed while compiling: the syscalls that container engines allow by
//! default, as ranges of numbers. `balanced` is a binary tree over the ranges, `linear` one
//! comparison after another: the best twin's and the naive twin's.
const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;

pub const Instruction = extern struct { code: u16, yes: u8 = 0, no: u8 = 0, k: u32 };

const load: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const jump_if_equal: u16 = 0x15;
const jump_if_at_least: u16 = 0x35;
const jump_if_any_bit: u16 = 0x45;
const give: u16 = 0x06;

const allow: u32 = 0x7fff0000;
const not_permitted: u32 = 0x00050000 | 1;
const not_implemented: u32 = 0x00050000 | 38;
const kill_process: u32 = 0x80000000;

/// clone is refused when it asks for a namespace.
const namespaces: u32 = 0x7E020000;
const audit_arch: u32 = switch (builtin.cpu.arch) {
    .x86_64 => 0xC000003E,
    .aarch64 => 0xC00000B7,
    else => @compileError("unsupported CPU"),
};

/// A number up to the next leaf's first answers `verdict`.
const Leaf = struct { first: u32, verdict: Verdict };
const Verdict = enum { allow, not_permitted, not_implemented, clone, socket, personality };

const leaves = compute: {
    @setEvalBranchQuota(2_000_000);
    var verdicts: [512]Verdict = @splat(.not_implemented);
    for (@typeInfo(linux.SYS).@"enum".fields) |field| {
        if (field.value < verdicts.len) verdicts[field.value] = .not_permitted;
    }
    var names = std.mem.tokenizeAny(u8, allowed, " \n");
    while (names.next()) |name| {
        if (!@hasField(linux.SYS, name)) continue;
        verdicts[@intFromEnum(@field(linux.SYS, name))] = .allow;
    }
    verdicts[@intFromEnum(linux.SYS.clone)] = .clone;
    verdicts[@intFromEnum(linux.SYS.clone3)] = .not_implemented;
    verdicts[@intFromEnum(linux.SYS.socket)] = .socket;
    verdicts[@intFromEnum(linux.SYS.personality)] = .personality;
    var list: [512]Leaf = undefined;
    var count: usize = 0;
    for (verdicts, 0..) |verdict, number| {
        if (count > 0 and list[count - 1].verdict == verdict) continue;
        list[count] = .{ .first = number, .verdict = verdict };
        count += 1;
    }
    const final = list[0..count].*;
    break :compute final;
};

pub const leaf_count = leaves.len;

const head = [_]Instruction{
    .{ .code = load, .k = 4 }, // seccomp_data.arch
    .{ .code = jump_if_equal, .yes = 1, .k = audit_arch },
    .{ .code = give, .k = kill_process },
    .{ .code = load, .k = 0 }, // seccomp_data.nr
};

/// A comparison for every border between two leaves, then every answer once.
pub const balanced: []const Instruction = compute: {
    @setEvalBranchQuota(2_000_000);
    var nodes: [leaves.len - 1]Instruction = undefined;
    placeNodes(&nodes, 0, 0, leaves.len);
    var program: []const Instruction = &(head ++ nodes);
    for (std.enums.values(Verdict)) |verdict| program = program ++ answerOf(verdict);
    break :compute program;
};

/// One comparison for each number, as libseccomp writes it unless it is asked for a tree.
pub const linear: []const Instruction = compute: {
    @setEvalBranchQuota(2_000_000);
    var program: []const Instruction = &head;
    for ([_]Verdict{ .clone, .socket, .personality }) |verdict| {
        for (leaves) |leaf| {
            if (leaf.verdict != verdict) continue;
            const answer = answerOf(verdict);
            const compare = Instruction{ .code = jump_if_equal, .no = answer.len, .k = leaf.first };
            program = program ++ .{compare} ++ answer;
        }
    }
    for (leaves, 0..) |leaf, index| {
        const next = if (index + 1 < leaves.len) leaves[index + 1].first else leaf.first;
        if (leaf.verdict != .allow) continue;
        for (leaf.first..next) |number| {
            const yes = Instruction{ .code = jump_if_equal, .no = 1, .k = number };
            program = program ++ .{ yes, Instruction{ .code = give, .k = allow } };
        }
    }
    const unknown = leaves[leaves.len - 1].first;
    const last = [_]Instruction{
        .{ .code = jump_if_equal, .yes = 1, .k = @intFromEnum(linux.SYS.clone3) },
        .{ .code = jump_if_at_least, .no = 1, .k = unknown },
        .{ .code = give, .k = not_implemented },
        .{ .code = give, .k = not_permitted },
    };
    break :compute program ++ last;
};

/// A node is followed by those of the lower half, then by those of the upper one.
fn placeNodes(
    comptime nodes: *[leaves.len - 1]Instruction,
    comptime at: usize,
    comptime from: usize,
    comptime to: usize,
) void {
    const middle = middleOf(from, to);
    const lower = middle - from - 1;
    nodes[at] = .{
        .code = jump_if_at_least,
        .yes = if (to - middle == 1) distance(at, leaves[middle].verdict) else lower,
        .no = if (middle - from == 1) distance(at, leaves[from].verdict) else 0,
        .k = leaves[middle].first,
    };
    if (lower > 0) placeNodes(nodes, at + 1, from, middle);
    if (to - middle > 1) placeNodes(nodes, at + 1 + lower, middle, to);
}

/// Installing a filter runs it for every number (kernel/seccomp.c, seccomp_cache_prepare): what
/// counts is how many numbers lie on each side, not how many leaves.
fn middleOf(comptime from: usize, comptime to: usize) usize {
    const half = (startOf(from) + startOf(to)) / 2;
    var middle = from + 1;
    while (middle + 1 < to and startOf(middle) < half) middle += 1;
    const before = half -| startOf(middle - 1);
    const nearer = middle - 1 > from and before < startOf(middle) -| half;
    return if (nearer) middle - 1 else middle;
}

fn startOf(comptime leaf: usize) u32 {
    return if (leaf < leaves.len) leaves[leaf].first else leaves[leaves.len - 1].first + 1;
}

fn distance(comptime at: usize, comptime verdict: Verdict) u8 {
    var end: usize = leaves.len - 1;
    for (std.enums.values(Verdict)) |earlier| {
        if (earlier == verdict) break;
        end += answerOf(earlier).len;
    }
    return end - at - 1;
}

fn answerOf(comptime verdict: Verdict) []const Instruction {
    const low = struct {
        fn argument(comptime index: u32) Instruction {
            return .{ .code = load, .k = 16 + 8 * index };
        }
    };
    return switch (verdict) {
        .allow => &.{.{ .code = give, .k = allow }},
        .not_permitted => &.{.{ .code = give, .k = not_permitted }},
        .not_implemented => &.{.{ .code = give, .k = not_implemented }},
        .clone => &.{
            low.argument(0),
            .{ .code = jump_if_any_bit, .yes = 1, .k = namespaces },
            .{ .code = give, .k = allow },
            .{ .code = give, .k = not_permitted },
        },
        // AF_ALG is 38, AF_VSOCK is 40.
        .socket => &.{
            low.argument(0),
            .{ .code = jump_if_equal, .yes = 2, .k = 38 },
            .{ .code = jump_if_equal, .yes = 1, .k = 40 },
            .{ .code = give, .k = allow },
            .{ .code = give, .k = not_permitted },
        },
        .personality => &.{
            low.argument(0),
            .{ .code = jump_if_equal, .yes = 5, .k = 0 },
            .{ .code = jump_if_equal, .yes = 4, .k = 8 },
            .{ .code = jump_if_equal, .yes = 3, .k = 0x20000 },
            .{ .code = jump_if_equal, .yes = 2, .k = 0x20008 },
            .{ .code = jump_if_equal, .yes = 1, .k = 0xffffffff },
            .{ .code = give, .k = not_permitted },
            .{ .code = give, .k = allow },
        },
    };
}

/// moby/profiles, seccomp/default.json (Apache-2.0): what it allows without a condition, and ptrace
/// and its kin as on kernels since 4.8.
const allowed =
    \\arch_prctl modify_ldt process_vm_readv process_vm_writev ptrace
    \\accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown
    \\chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime
    \\clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect
    \\copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old
    \\epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit
    \\exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod
    \\fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr
    \\flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate
    \\ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat
    \\getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32
    \\getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority
    \\getrandom getresgid getresgid32 getresuid getresuid32 getrlimit get_robust_list getrusage
    \\getsid getsockname getsockopt get_thread_area gettid gettimeofday getuid getuid32 getxattr
    \\getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel ioctl
    \\io_destroy io_getevents io_pgetevents io_pgetevents_time64 ioprio_get ioprio_set io_setup
    \\io_submit ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown
    \\lchown32 lgetxattr link linkat listen listmount listxattr listxattrat llistxattr _llseek
    \\lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create
    \\memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect
    \\mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
    \\mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock
    \\munlockall munmap name_to_handle_at nanosleep newfstatat _newselect open openat openat2 pause
    \\pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll
    \\ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6 pselect6_time64
    \\pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg
    \\recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2
    \\restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask
    \\rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64
    \\rt_tgsigqueueinfo sched_getaffinity sched_getattr sched_getparam sched_get_priority_max
    \\sched_get_priority_min sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
    \\sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select
    \\semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg
    \\sendto setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32
    \\setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32
    \\setreuid setreuid32 setrlimit set_robust_list setsid setsockopt set_thread_area
    \\set_tid_address setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown
    \\sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64
    \\statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee
    \\tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64
    \\timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64
    \\timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname
    \\unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid
    \\waitpid write writev
;
