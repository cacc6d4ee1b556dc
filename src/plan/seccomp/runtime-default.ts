// The profile of a container that does not choose one: RuntimeDefault. It decides as the default
// profiles of Docker and containerd do; what no rule names (io_uring, keyrings, userfaultfd, kexec,
// swap, …) is refused.

import type { SeccompAction, SeccompProfile, SeccompRule } from "../../spec/seccomp.ts";
import { specAllow } from "../../spec/seccomp.ts";

const EPERM = 1;
const ENOSYS = 38;

const allow: SeccompAction = { kind: "allow" };
const answer = (errno: number): SeccompAction => ({ kind: "errno", errno });

/** Calls that are harmless, or harmless as long as the container's other walls stand. */
const always = `
  accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown
  clock_adjtime clock_getres clock_gettime clock_nanosleep close close_range connect
  copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old
  epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit
  exit_group faccessat faccessat2 fadvise64 fallocate fanotify_mark fchdir fchmod fchmodat
  fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr
  fstat fstatfs fsync ftruncate futex futex_requeue futex_wait futex_waitv futex_wake futimesat
  get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid
  getgroups getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid
  getresuid getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr
  getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy
  io_getevents io_pgetevents io_setup io_submit ioctl ioprio_get ioprio_set kill landlock_add_rule
  landlock_create_ruleset landlock_restrict_self lchown lgetxattr link linkat listen listmount
  listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat madvise map_shadow_stack
  membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall
  mmap mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink mremap
  mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep
  newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc
  pkey_free pkey_mprotect poll ppoll prctl pread64 preadv preadv2 prlimit64 process_mrelease
  pselect6 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recvfrom recvmmsg
  recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall
  rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
  rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
  sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
  sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select
  semctl semget semop semtimedop sendfile sendmmsg sendmsg sendto set_robust_list set_thread_area
  set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid
  setresgid setresuid setreuid setrlimit setsid setsockopt setuid setxattr setxattrat shmat shmctl
  shmdt shmget shutdown sigaltstack signalfd signalfd4 socketpair splice stat statfs statmount
  statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create
  timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime
  timerfd_settime times tkill truncate umask uname unlink unlinkat uretprobe utime utimensat
  utimes vfork vmsplice wait4 waitid write writev
`;

/** CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET. */
const cloneNamespaceFlags = 0x7e020000;
const AF_ALG = 38;
const AF_VSOCK = 40;
/** PER_LINUX, PER_LINUX32, each with UNAME26; and the question "which one?". */
const personalities = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

/** What opens with a capability: whoever was given it is meant to make these calls. */
const byCapability: Readonly<Record<string, string>> = {
  BPF: "bpf",
  DAC_READ_SEARCH: "open_by_handle_at",
  PERFMON: "perf_event_open",
  SYS_ADMIN: `
    bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
    lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open
    quotactl quotactl_fd setdomainname sethostname setns syslog umount2 unshare
  `,
  SYS_BOOT: "reboot",
  SYS_CHROOT: "chroot",
  SYS_MODULE: "delete_module finit_module init_module",
  SYS_NICE: "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
  SYS_PACCT: "acct",
  SYS_PTRACE: "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace",
  SYS_RAWIO: "ioperm iopl",
  SYS_TIME: "clock_settime settimeofday",
  SYS_TTY_CONFIG: "vhangup",
  SYSLOG: "syslog",
};

const rules: readonly SeccompRule[] = [
  { names: words(always), action: allow },
  // Before 4.8 a tracer could change a call after the filter had seen it.
  { names: words("process_vm_readv process_vm_writev ptrace"), action: allow, kernelMin: [4, 8] },
  { names: words("arch_prctl modify_ldt"), action: allow, arch: "x64" },
  // AF_ALG has written to page cache that it may only read; AF_VSOCK reaches the hypervisor around
  // every namespace.
  {
    names: ["socket"],
    action: allow,
    arguments: [{ index: 0, kind: "none-of", values: [AF_ALG, AF_VSOCK] }],
  },
  {
    names: ["personality"],
    action: allow,
    arguments: [{ index: 0, kind: "one-of", values: personalities }],
  },
  ...Object.entries(byCapability).map(([capability, names]) => ({
    names: words(names),
    action: allow,
    capability,
  })),
  {
    names: ["clone"],
    action: allow,
    withoutCapability: "SYS_ADMIN",
    arguments: [{ index: 0, kind: "masked", mask: cloneNamespaceFlags, equals: 0 }],
  },
  // Its flags lie in memory, where a filter cannot see them. ENOSYS makes libc fall back to clone.
  { names: ["clone3"], action: answer(ENOSYS), withoutCapability: "SYS_ADMIN" },
];

/**
 * Calls newer than our table get ENOSYS, because programs probe for new calls and take EPERM for a
 * verdict. Foreign ABIs get it too: this version promises no 32-bit programs, and their
 * `socketcall` would pass by the rule on socket families.
 */
export const runtimeDefault: SeccompProfile = {
  rules,
  otherwise: answer(EPERM),
  unknownNumber: answer(ENOSYS),
  foreignArch: answer(ENOSYS),
  flags: specAllow,
};

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}
