// Typed system calls: the few that TypeScript makes itself. Each returns the kernel's number or
// throws a SyscallError.

import { describeErrno } from "./errno.ts";
import { library } from "./library.ts";
import { addressOf, alloc, cString } from "./memory.ts";

/** arch/x86/entry/syscalls/syscall_64.tbl; include/uapi/asm-generic/unistd.h. */
const numbers = {
  x64: {
    read: 0,
    close: 3,
    poll: 7,
    ioctl: 16,
    socket: 41,
    connect: 42,
    bind: 49,
    getsockname: 51,
    sendmsg: 46,
    recvmsg: 47,
    socketpair: 53,
    setsockopt: 54,
    fcntl: 72,
    flock: 73,
    lsetxattr: 189,
    lgetxattr: 192,
    llistxattr: 195,
    getdents64: 217,
    openat: 257,
    mkdirat: 258,
    mknodat: 259,
    fchownat: 260,
    unlinkat: 263,
    linkat: 265,
    symlinkat: 266,
    fchmodat: 268,
    utimensat: 280,
    waitid: 247,
    clock_gettime: 228,
    pipe2: 293,
    memfd_create: 319,
    pidfd_open: 434,
    openat2: 437,
  },
  arm64: {
    read: 63,
    close: 57,
    poll: 73,
    ioctl: 29,
    socket: 198,
    connect: 203,
    bind: 200,
    getsockname: 204,
    sendmsg: 211,
    recvmsg: 212,
    socketpair: 199,
    setsockopt: 208,
    fcntl: 25,
    flock: 32,
    lsetxattr: 6,
    lgetxattr: 9,
    llistxattr: 12,
    getdents64: 61,
    openat: 56,
    mkdirat: 34,
    mknodat: 33,
    fchownat: 54,
    unlinkat: 35,
    linkat: 37,
    symlinkat: 36,
    fchmodat: 53,
    utimensat: 88,
    waitid: 95,
    clock_gettime: 113,
    pipe2: 59,
    memfd_create: 279,
    pidfd_open: 434,
    openat2: 437,
  },
} as const;

export type SyscallName = keyof (typeof numbers)["x64"];
type Argument = number | bigint | Uint8Array<ArrayBuffer>;

/** What the kernel said, before anybody has made a sentence of it. */
export class SyscallError extends Error {
  readonly call: SyscallName;
  readonly errno: number;

  constructor(call: SyscallName, errno: number) {
    super(`${call} failed with ${describeErrno(errno)}`);
    this.name = "SyscallError";
    this.call = call;
    this.errno = errno;
  }
}

const table: Readonly<Record<SyscallName, number>> =
  process.arch === "arm64" ? numbers.arm64 : numbers.x64;

/** The raw result: negative is an errno. Views must come from `alloc`. */
export function trySyscall(name: SyscallName, ...args: readonly Argument[]): number {
  const number = table[name];
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args;
  const [A, B, C, D, E, F] = [word(a), word(b), word(c), word(d), word(e), word(f)];
  // A poll or a signal handler may interrupt any of these; the kernel then wants them called again.
  const eintr = -4;
  for (;;) {
    const result = Number(library().peapod_syscall(number, A, B, C, D, E, F));
    if (result !== eintr) return result;
  }
}

export function syscall(name: SyscallName, ...args: readonly Argument[]): number {
  const result = trySyscall(name, ...args);
  if (result < 0) throw new SyscallError(name, -result);
  return result;
}

/** The ABI wants unsigned words; a negative descriptor (AT_FDCWD) wraps. */
function word(argument: Argument): number | bigint {
  if (argument instanceof Uint8Array) return addressOf(argument);
  return argument < 0 ? BigInt.asUintN(64, BigInt(argument)) : argument;
}

export const AT_FDCWD = -100;
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
/** These two differ between the architectures. */
export const O_DIRECTORY = process.arch === "arm64" ? 0o40000 : 0o200000;
export const O_NOFOLLOW = process.arch === "arm64" ? 0o100000 : 0o400000;

export function closeFd(fd: number): void {
  if (fd >= 0) trySyscall("close", fd);
}

export function openDirectoryFd(path: string): number {
  return syscall("openat", AT_FDCWD, cString(path), O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}

/** An input without content that never ends the input of others. */
export function openNull(): number {
  return syscall("openat", AT_FDCWD, cString("/dev/null"), O_RDONLY | O_CLOEXEC, 0);
}

/** `[read end, write end]`, both close-on-exec. */
export function pipe(): readonly [number, number] {
  const ends = alloc(8);
  syscall("pipe2", ends, O_CLOEXEC);
  const view = new DataView(ends.buffer);
  return [view.getInt32(0, true), view.getInt32(4, true)];
}

/**
 * What is there to be read at this moment: a number of bytes at the start of `into`, 0 at the end,
 * `undefined` where a read would wait.
 */
export function readReady(fd: number, into: Uint8Array<ArrayBuffer>): number | undefined {
  const pollIn = 1;
  const entry = alloc(8);
  const view = new DataView(entry.buffer);
  view.setInt32(0, fd, true);
  view.setInt16(4, pollIn, true);
  if (syscall("poll", entry, 1, 0) === 0) return undefined;
  return syscall("read", fd, into, into.length);
}

/** As large as the host allows: a smaller pipe works too. */
export function setPipeSize(fd: number, bytes: number): void {
  const setSize = 1031;
  trySyscall("fcntl", fd, setSize, bytes);
}

/** A copy that its taker may close. */
export function duplicate(fd: number): number {
  const dupCloseOnExec = 1030;
  return syscall("fcntl", fd, dupCloseOnExec, 0);
}

/**
 * A name beneath a directory, as a process with that root would resolve it; links never lead out
 * (man 2 openat2).
 */
export function openBeneath(root: number, path: string, flags: number, mode: number): number {
  const [resolveNoMagicLinks, resolveInRoot] = [0x02n, 0x10n];
  const opened = tryOpenHow(root, path, flags, mode, resolveNoMagicLinks | resolveInRoot);
  if (opened < 0) throw new SyscallError("openat2", -opened);
  return opened;
}

function tryOpenHow(
  root: number,
  path: string,
  flags: number,
  mode: number,
  resolve: bigint,
): number {
  const how = alloc(24);
  const view = new DataView(how.buffer);
  view.setBigUint64(0, BigInt(flags | O_CLOEXEC), true);
  view.setBigUint64(8, BigInt(mode), true);
  view.setBigUint64(16, resolve, true);
  return trySyscall("openat2", root, cString(path), how, how.length);
}

/**
 * A name beneath a directory that no link may take part in, or a negative errno: for the files of
 * strangers.
 */
export function tryOpenStrictly(root: number, path: string, flags: number): number {
  const [noXdev, noMagicLinks, noSymlinks, beneath] = [1n, 2n, 4n, 8n];
  // A link at the end is opened itself with O_PATH and O_NOFOLLOW, which the kernel allows.
  return tryOpenHow(root, path, flags, 0, noXdev | noMagicLinks | noSymlinks | beneath);
}

/** A file that has no name and is on no disk. */
export function memoryFile(name: string): number {
  const [closeOnExec, allowSealing] = [1, 2];
  return syscall("memfd_create", cString(name), closeOnExec | allowSealing);
}

/** Nobody can change a memory file, or its size, from here on (man 2 F_ADD_SEALS). */
export function seal(fd: number): void {
  const addSeals = 1033;
  const [sealing, shrinking, growing, writing] = [1, 2, 4, 8];
  syscall("fcntl", fd, addSeals, sealing | shrinking | growing | writing);
}

/** An advisory lock that ends with the descriptor, and so with its process. False: it is held. */
export function tryLock(fd: number, kind: "shared" | "exclusive"): boolean {
  const [shared, exclusive, nonBlocking] = [1, 2, 4];
  const result = trySyscall("flock", fd, (kind === "shared" ? shared : exclusive) | nonBlocking);
  const wouldBlock = -11;
  if (result < 0 && result !== wouldBlock) throw new SyscallError("flock", -result);
  return result >= 0;
}

/** True once the child has been reaped, or was by somebody else. */
export function tryReap(pidfd: number): boolean {
  const [byPidfd, noHang, exited] = [3, 1, 4];
  const info = alloc(128);
  const result = trySyscall("waitid", byPidfd, pidfd, info, exited | noHang, 0);
  return result < 0 || new DataView(info.buffer).getInt32(0, true) !== 0;
}

/**
 * CLOCK_MONOTONIC in nanoseconds, the clock of the keeper's trace; Bun's own clocks start with the
 * process.
 */
export function monotonicNs(): bigint {
  const clockMonotonic = 1;
  const time = alloc(16);
  syscall("clock_gettime", clockMonotonic, time);
  const view = new DataView(time.buffer);
  return view.getBigInt64(0, true) * 1_000_000_000n + view.getBigInt64(8, true);
}
