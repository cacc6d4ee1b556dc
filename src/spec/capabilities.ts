// The kernel's capabilities by name and bit, and the set a container gets when its manifest says
// nothing. Which of them a manifest adds or drops is decided elsewhere.

/**
 * All capabilities up to Linux 6.18, in the order of their bits (linux/capability.h), without
 * `CAP_`.
 */
export const capabilities = [
  "CHOWN",
  "DAC_OVERRIDE",
  "DAC_READ_SEARCH",
  "FOWNER",
  "FSETID",
  "KILL",
  "SETGID",
  "SETUID",
  "SETPCAP",
  "LINUX_IMMUTABLE",
  "NET_BIND_SERVICE",
  "NET_BROADCAST",
  "NET_ADMIN",
  "NET_RAW",
  "IPC_LOCK",
  "IPC_OWNER",
  "SYS_MODULE",
  "SYS_RAWIO",
  "SYS_CHROOT",
  "SYS_PTRACE",
  "SYS_PACCT",
  "SYS_ADMIN",
  "SYS_BOOT",
  "SYS_NICE",
  "SYS_RESOURCE",
  "SYS_TIME",
  "SYS_TTY_CONFIG",
  "MKNOD",
  "LEASE",
  "AUDIT_WRITE",
  "AUDIT_CONTROL",
  "SETFCAP",
  "MAC_OVERRIDE",
  "MAC_ADMIN",
  "SYSLOG",
  "WAKE_ALARM",
  "BLOCK_SUSPEND",
  "AUDIT_READ",
  "PERFMON",
  "BPF",
  "CHECKPOINT_RESTORE",
] as const;

/** A capability as a Pod manifest writes it. */
export type Capability = (typeof capabilities)[number];

/**
 * CRI-O's nine. Docker's further five are not needed by a service: no raw sockets (`ping` works
 * through net.ipv4.ping_group_range), no device nodes, no audit records, no chroot, no file
 * capabilities.
 */
export const defaultCapabilities: readonly Capability[] = [
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "NET_BIND_SERVICE",
  "SETGID",
  "SETPCAP",
  "SETUID",
];

const bits: ReadonlyMap<string, number> = new Map(capabilities.map((name, bit) => [name, bit]));

export function isCapability(name: string): name is Capability {
  return bits.has(name);
}

/**
 * The set as capset(2) takes it, bit 0 lowest. A name the kernel does not have is refused, never
 * skipped.
 */
export function capabilityMask(names: Iterable<string>): bigint {
  let mask = 0n;
  for (const name of names) {
    const bit = bits.get(name);
    if (bit === undefined) throw new Error(`there is no capability ${JSON.stringify(name)}`);
    mask |= 1n << BigInt(bit);
  }
  return mask;
}

/** The kernel passes over those that it does not have. */
export const allCapabilities = (1n << BigInt(capabilities.length)) - 1n;

/** The names of a mask in the order of their bits; `/proc/PID/status` prints such masks. */
export function capabilityNames(mask: bigint): Capability[] {
  if (mask < 0n || mask >> BigInt(capabilities.length) !== 0n) {
    throw new Error(`the mask 0x${mask.toString(16)} has bits that no capability has`);
  }
  return capabilities.filter((_, bit) => (mask & (1n << BigInt(bit))) !== 0n);
}
