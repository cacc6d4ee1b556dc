// Printed by zig/abi.zig from zig/plan/. Do not edit: scripts/abi.ts writes it anew.

export const layoutHash = 0xe7d5a8c162f7845an;
export const planMagic = 1313624144;
export const planBytesMax = 4194304;
export const operationsMax = 4096;
export const podSlots = 1056;
export const slotsMax = 2656;
export const slotNone = 4294967295;
export const slotTargetProcess = 1056;
export const slotTargetCgroup = 1057;
export const protocolVersion = 1;
export const frameBytesMax = 4198400;
export const processesMax = 2048;
export const noProcess = 4294967295;
export const networkTurn = 2047;
export const askBytesMax = 65536;
export const recordMagic = 1145259346;

export const stages = ["prepare", "build", "enter", "limit", "exec", "later"] as const;

export const planKinds = ["sandbox", "container", "exec", "update", "teardown", "network"] as const;

export const fileTypes = [
  "any",
  "directory",
  "file",
  "socket",
  "character_device",
  "block_device",
] as const;

export const statuses = [
  "ok",
  "failed",
  "no_such_process",
  "invalid",
  "refused",
  "timed_out",
  "layout",
  "no_owner",
  "busy",
  "stale",
] as const;

export const processStates = ["none", "starting", "running", "exited"] as const;

export const calls = [
  "none",
  "openat",
  "openat2",
  "mkdirat",
  "fchmod",
  "fchownat",
  "mknodat",
  "symlinkat",
  "write",
  "read",
  "unlinkat",
  "statx",
  "open_tree",
  "mount_setattr",
  "move_mount",
  "fsopen",
  "fsconfig",
  "fsmount",
  "mount",
  "umount2",
  "clone3",
  "unshare",
  "setns",
  "pidfd_open",
  "sethostname",
  "socket",
  "socketpair",
  "pipe2",
  "ioctl",
  "chroot",
  "chdir",
  "fchdir",
  "pivot_root",
  "setsid",
  "dup3",
  "prlimit64",
  "setgroups",
  "setresgid",
  "setresuid",
  "capset",
  "prctl",
  "seccomp",
  "execve",
  "execveat",
  "close_range",
  "sendmsg",
  "epoll_ctl",
  "memfd_create",
  "mmap",
  "bind",
  "listen",
  "verify",
  "injected",
  "connect",
  "bpf",
  "fchmodat",
  "readlinkat",
  "renameat2",
] as const;

export const roles = ["observer", "owner", "supervisor"] as const;

export const families = ["tcp4", "tcp6"] as const;

export const requestTags = {
  hello: 1,
  launch: 2,
  signal: 3,
  end: 4,
  hand_over: 5,
  subscribe: 6,
  resize: 7,
  attach: 8,
  kill_tree: 9,
  dial: 10,
  ask: 11,
  answer: 12,
  keep: 13,
  fetch: 14,
} as const;

export const answerTags = {
  welcome: 101,
  reply: 102,
  exited: 103,
  ended: 104,
  trace: 105,
  asked: 106,
  answered: 107,
  vacant: 108,
} as const;

export const namespaceFlags = {
  net: 1,
  ipc: 2,
  uts: 4,
  mnt: 8,
  pid: 16,
  cgroup: 32,
  user: 64,
} as const;

export const attributeFlags = {
  rdonly: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
} as const;

export const launchFlags = {
  streams_passed: 1,
  stdin: 2,
  terminal: 4,
  detached: 8,
  unrecorded: 16,
  stdin_once: 32,
  quiet: 64,
  when_alone: 128,
} as const;

export const planHeader = {
  size: 40,
  fields: {
    magic: { type: "u32", offset: 0 },
    bytes: { type: "u32", offset: 4 },
    operations: { type: "u32", offset: 8 },
    kind: { type: "u8", offset: 12 },
    flags: { type: "u8", offset: 13 },
    root_uid: { type: "u32", offset: 16 },
    root_gid: { type: "u32", offset: 20 },
    deadline_ms: { type: "u32", offset: 24 },
    fail_at: { type: "u32", offset: 28 },
    layout: { type: "u64", offset: 32 },
  },
} as const;

export const planRecord = {
  size: 8,
  fields: {
    tag: { type: "u16", offset: 0 },
    stage: { type: "u8", offset: 2 },
    bytes: { type: "u32", offset: 4 },
  },
} as const;

export const frameHead = {
  size: 16,
  fields: {
    bytes: { type: "u32", offset: 0 },
    tag: { type: "u32", offset: 4 },
    request: { type: "u32", offset: 8 },
    fds: { type: "u32", offset: 12 },
  },
} as const;

export const hello = {
  size: 16,
  fields: {
    version: { type: "u32", offset: 0 },
    role: { type: "u32", offset: 4 },
    layout: { type: "u64", offset: 8 },
  },
} as const;

export const welcome = {
  size: 16,
  fields: {
    version: { type: "u32", offset: 0 },
    keeper_pid: { type: "u32", offset: 4 },
    layout: { type: "u64", offset: 8 },
  },
} as const;

export const launch = {
  size: 32,
  fields: {
    process: { type: "u32", offset: 0 },
    target: { type: "u32", offset: 4 },
    after: { type: "u32", offset: 8 },
    flags: { type: "u32", offset: 12 },
    stop_signal: { type: "u32", offset: 16 },
    grace_ms: { type: "u32", offset: 20 },
    attempt: { type: "u32", offset: 24 },
  },
} as const;

export const signal = {
  size: 8,
  fields: {
    process: { type: "u32", offset: 0 },
    signal: { type: "u32", offset: 4 },
  },
} as const;

export const end = {
  size: 8,
  fields: {
    grace_ms: { type: "u32", offset: 0 },
  },
} as const;

export const resize = {
  size: 8,
  fields: {
    process: { type: "u32", offset: 0 },
    rows: { type: "u16", offset: 4 },
    columns: { type: "u16", offset: 6 },
  },
} as const;

export const attach = {
  size: 8,
  fields: {
    process: { type: "u32", offset: 0 },
    flags: { type: "u32", offset: 4 },
  },
} as const;

export const killTree = {
  size: 8,
  fields: {
    process: { type: "u32", offset: 0 },
  },
} as const;

export const dial = {
  size: 32,
  fields: {
    family: { type: "u32", offset: 0 },
    port: { type: "u32", offset: 4 },
    address_head: { type: "u64", offset: 8 },
    address_tail: { type: "u64", offset: 16 },
    timeout_ms: { type: "u32", offset: 24 },
  },
} as const;

export const askedHead = {
  size: 16,
  fields: {
    connection: { type: "u32", offset: 0 },
    generation: { type: "u32", offset: 4 },
    request: { type: "u32", offset: 8 },
  },
} as const;

export const keep = {
  size: 8,
  fields: {
    place: { type: "u32", offset: 0 },
  },
} as const;

export const reply = {
  size: 32,
  fields: {
    status: { type: "u32", offset: 0 },
    process: { type: "u32", offset: 4 },
    pid: { type: "u32", offset: 8 },
    operation: { type: "u32", offset: 12 },
    call: { type: "u32", offset: 16 },
    errno: { type: "u32", offset: 20 },
    elapsed_ns: { type: "u64", offset: 24 },
  },
} as const;

export const exited = {
  size: 56,
  fields: {
    process: { type: "u32", offset: 0 },
    code: { type: "i32", offset: 4 },
    signal: { type: "u32", offset: 8 },
    oom_kills: { type: "u32", offset: 12 },
    cpu_us: { type: "u64", offset: 16 },
    memory_peak_bytes: { type: "u64", offset: 24 },
    started_ns: { type: "i64", offset: 32 },
    ended_ns: { type: "i64", offset: 40 },
    attempt: { type: "u32", offset: 48 },
  },
} as const;

export const recordHead = {
  size: 64,
  fields: {
    magic: { type: "u32", offset: 0 },
    version: { type: "u32", offset: 4 },
    layout: { type: "u64", offset: 8 },
    keeper_pid: { type: "u32", offset: 16 },
    mount_namespace: { type: "u32", offset: 20 },
    started_ns: { type: "i64", offset: 24 },
    detached: { type: "u32", offset: 32 },
    pristine: { type: "u32", offset: 36 },
  },
} as const;

export const recordEntry = {
  size: 72,
  fields: {
    sequence: { type: "u32", offset: 0 },
    process: { type: "u32", offset: 4 },
    state: { type: "u32", offset: 8 },
    pid: { type: "u32", offset: 12 },
    started_ns: { type: "i64", offset: 16 },
    ended_ns: { type: "i64", offset: 24 },
    code: { type: "i32", offset: 32 },
    signal: { type: "u32", offset: 36 },
    oom_kills: { type: "u32", offset: 40 },
    lines_dropped: { type: "u32", offset: 44 },
    cpu_us: { type: "u64", offset: 48 },
    memory_peak_bytes: { type: "u64", offset: 56 },
    attempt: { type: "u32", offset: 64 },
    sequence_end: { type: "u32", offset: 68 },
  },
} as const;

export const ops = {
  open_directory: {
    tag: 0,
    stages: ["prepare", "later"],
    size: 16,
    fields: {
      path: { type: "text", offset: 0 },
      slot: { type: "slot", offset: 8 },
    },
  },
  make_directory: {
    tag: 1,
    stages: ["prepare", "build", "later"],
    size: 32,
    fields: {
      name: { type: "text", offset: 0 },
      parent: { type: "slot", offset: 8 },
      slot: { type: "slot", offset: 12 },
      mode: { type: "u32", offset: 16 },
      uid: { type: "u32", offset: 20 },
      gid: { type: "u32", offset: 24 },
    },
  },
  make_cgroup: {
    tag: 2,
    stages: ["prepare"],
    size: 16,
    fields: {
      name: { type: "text", offset: 0 },
      parent: { type: "slot", offset: 8 },
      slot: { type: "slot", offset: 12 },
    },
  },
  write_cgroup: {
    tag: 3,
    stages: ["prepare"],
    size: 24,
    fields: {
      file: { type: "text", offset: 0 },
      value: { type: "text", offset: 8 },
      cgroup: { type: "slot", offset: 16 },
    },
  },
  make_tmpfs: {
    tag: 4,
    stages: ["prepare"],
    size: 48,
    fields: {
      bytes_max: { type: "u64", offset: 0 },
      inodes_max: { type: "u64", offset: 8 },
      slot: { type: "slot", offset: 16 },
      mode: { type: "u32", offset: 20 },
      uid: { type: "u32", offset: 24 },
      gid: { type: "u32", offset: 28 },
      attributes: { type: "attributes", offset: 32 },
      attached: { type: "u32", offset: 36 },
      no_swap: { type: "u32", offset: 40 },
    },
  },
  make_hugetlbfs: {
    tag: 5,
    stages: ["prepare"],
    size: 40,
    fields: {
      page_bytes: { type: "u64", offset: 0 },
      bytes_max: { type: "u64", offset: 8 },
      slot: { type: "slot", offset: 16 },
      mode: { type: "u32", offset: 20 },
      uid: { type: "u32", offset: 24 },
      gid: { type: "u32", offset: 28 },
      attributes: { type: "attributes", offset: 32 },
      attached: { type: "u32", offset: 36 },
    },
  },
  write_file: {
    tag: 6,
    stages: ["prepare"],
    size: 40,
    fields: {
      name: { type: "text", offset: 0 },
      content: { type: "bytes", offset: 8 },
      directory: { type: "slot", offset: 16 },
      mode: { type: "u32", offset: 20 },
      uid: { type: "u32", offset: 24 },
      gid: { type: "u32", offset: 28 },
      replace: { type: "u32", offset: 32 },
    },
  },
  make_link: {
    tag: 7,
    stages: ["prepare"],
    size: 32,
    fields: {
      name: { type: "text", offset: 0 },
      target: { type: "text", offset: 8 },
      directory: { type: "slot", offset: 16 },
      uid: { type: "u32", offset: 20 },
      gid: { type: "u32", offset: 24 },
    },
  },
  swap_files: {
    tag: 8,
    stages: ["prepare"],
    size: 32,
    fields: {
      target: { type: "text", offset: 0 },
      stale: { type: "texts", offset: 8 },
      directory: { type: "slot", offset: 16 },
      uid: { type: "u32", offset: 20 },
      gid: { type: "u32", offset: 24 },
    },
  },
  give_group: {
    tag: 9,
    stages: ["prepare"],
    size: 24,
    fields: {
      path: { type: "text", offset: 0 },
      gid: { type: "u32", offset: 8 },
      unless_given: { type: "u32", offset: 12 },
      read_only: { type: "u32", offset: 16 },
    },
  },
  clone_tree: {
    tag: 10,
    stages: ["prepare", "build"],
    size: 24,
    fields: {
      name: { type: "text", offset: 0 },
      source: { type: "slot", offset: 8 },
      slot: { type: "slot", offset: 12 },
      attributes: { type: "attributes", offset: 16 },
    },
  },
  open_volume: {
    tag: 11,
    stages: ["prepare"],
    size: 56,
    fields: {
      path: { type: "text", offset: 0 },
      sub_path: { type: "text", offset: 8 },
      base: { type: "slot", offset: 16 },
      slot: { type: "slot", offset: 20 },
      attributes: { type: "attributes", offset: 24 },
      user_namespace: { type: "slot", offset: 28 },
      expect: { type: "fileType", offset: 32 },
      create_mode: { type: "u32", offset: 36 },
      recursive: { type: "u32", offset: 40 },
      top_attributes: { type: "attributes", offset: 44 },
      receives: { type: "u32", offset: 48 },
      sends: { type: "u32", offset: 52 },
    },
  },
  make_overlay: {
    tag: 12,
    stages: ["prepare", "build"],
    size: 32,
    fields: {
      names: { type: "texts", offset: 0 },
      lower: { type: "slot", offset: 8 },
      lower_count: { type: "u32", offset: 12 },
      upper: { type: "slot", offset: 16 },
      work: { type: "slot", offset: 20 },
      slot: { type: "slot", offset: 24 },
      attributes: { type: "attributes", offset: 28 },
    },
  },
  show_trees: {
    tag: 13,
    stages: ["prepare"],
    size: 8,
    fields: {
      first: { type: "slot", offset: 0 },
      count: { type: "u32", offset: 4 },
    },
  },
  open_log: {
    tag: 14,
    stages: ["later"],
    size: 32,
    fields: {
      name: { type: "text", offset: 0 },
      bytes_max: { type: "u64", offset: 8 },
      directory: { type: "slot", offset: 16 },
      files_max: { type: "u32", offset: 20 },
      drop_when_full: { type: "u32", offset: 24 },
    },
  },
  make_user_namespace: {
    tag: 15,
    stages: ["prepare"],
    size: 16,
    fields: {
      first_id: { type: "u32", offset: 0 },
      count: { type: "u32", offset: 4 },
      slot: { type: "slot", offset: 8 },
      namespaces: { type: "namespaces", offset: 12 },
    },
  },
  enter_namespaces: {
    tag: 16,
    stages: ["prepare"],
    size: 8,
    fields: {
      namespaces: { type: "namespaces", offset: 0 },
    },
  },
  loopback_up: {
    tag: 17,
    stages: ["prepare"],
    size: 8,
    fields: {},
  },
  netlink: {
    tag: 18,
    stages: ["prepare"],
    size: 32,
    fields: {
      labels: { type: "texts", offset: 0 },
      messages: { type: "bytes", offset: 8 },
      family: { type: "u32", offset: 16 },
      in_pod: { type: "u32", offset: 20 },
      pid_at: { type: "u32", offset: 24 },
      may_fail: { type: "u32", offset: 28 },
    },
  },
  set_hostname: {
    tag: 19,
    stages: ["prepare"],
    size: 8,
    fields: {
      name: { type: "text", offset: 0 },
    },
  },
  write_sysctl: {
    tag: 20,
    stages: ["prepare"],
    size: 24,
    fields: {
      path: { type: "text", offset: 0 },
      value: { type: "text", offset: 8 },
      uid: { type: "u32", offset: 16 },
    },
  },
  attach_device_filter: {
    tag: 21,
    stages: ["prepare"],
    size: 16,
    fields: {
      program: { type: "bytes", offset: 0 },
      cgroup: { type: "slot", offset: 8 },
    },
  },
  show_proc: {
    tag: 22,
    stages: ["prepare"],
    size: 8,
    fields: {},
  },
  spawn: {
    tag: 23,
    stages: ["prepare"],
    size: 32,
    fields: {
      namespaces: { type: "namespaces", offset: 0 },
      cgroup: { type: "slot", offset: 4 },
      pid_namespace: { type: "slot", offset: 8 },
      user_namespace: { type: "slot", offset: 12 },
      target: { type: "slot", offset: 16 },
      join: { type: "namespaces", offset: 20 },
      keep_process: { type: "slot", offset: 24 },
      hidden: { type: "u32", offset: 28 },
    },
  },
  remove_cgroup: {
    tag: 24,
    stages: ["prepare"],
    size: 16,
    fields: {
      name: { type: "text", offset: 0 },
      parent: { type: "slot", offset: 8 },
    },
  },
  remove_tree: {
    tag: 25,
    stages: ["prepare"],
    size: 16,
    fields: {
      name: { type: "text", offset: 0 },
      parent: { type: "slot", offset: 8 },
      while_leaving: { type: "u32", offset: 12 },
    },
  },
  place_root: {
    tag: 26,
    stages: ["build"],
    size: 8,
    fields: {
      tree: { type: "slot", offset: 0 },
    },
  },
  make_devices: {
    tag: 27,
    stages: ["build"],
    size: 16,
    fields: {
      bytes_max: { type: "u64", offset: 0 },
      target: { type: "text", offset: 8 },
    },
  },
  make_device: {
    tag: 28,
    stages: ["build"],
    size: 32,
    fields: {
      target: { type: "text", offset: 0 },
      type: { type: "fileType", offset: 8 },
      major: { type: "u32", offset: 12 },
      minor: { type: "u32", offset: 16 },
      mode: { type: "u32", offset: 20 },
      uid: { type: "u32", offset: 24 },
      gid: { type: "u32", offset: 28 },
    },
  },
  mount: {
    tag: 29,
    stages: ["build", "enter"],
    size: 32,
    fields: {
      type: { type: "text", offset: 0 },
      target: { type: "text", offset: 8 },
      options: { type: "texts", offset: 16 },
      attributes: { type: "attributes", offset: 24 },
    },
  },
  attach: {
    tag: 30,
    stages: ["build"],
    size: 16,
    fields: {
      target: { type: "text", offset: 0 },
      tree: { type: "slot", offset: 8 },
    },
  },
  mask: {
    tag: 31,
    stages: ["enter"],
    size: 8,
    fields: {
      target: { type: "text", offset: 0 },
    },
  },
  make_read_only: {
    tag: 32,
    stages: ["enter"],
    size: 8,
    fields: {
      target: { type: "text", offset: 0 },
    },
  },
  enter_by_move: {
    tag: 33,
    stages: ["enter"],
    size: 8,
    fields: {},
  },
  enter_by_pivot: {
    tag: 34,
    stages: ["enter"],
    size: 8,
    fields: {},
  },
  set_rlimit: {
    tag: 35,
    stages: ["limit"],
    size: 24,
    fields: {
      soft: { type: "u64", offset: 0 },
      hard: { type: "u64", offset: 8 },
      resource: { type: "u32", offset: 16 },
    },
  },
  set_oom_score: {
    tag: 36,
    stages: ["build"],
    size: 8,
    fields: {
      value: { type: "i32", offset: 0 },
    },
  },
  set_label: {
    tag: 37,
    stages: ["build"],
    size: 16,
    fields: {
      file: { type: "text", offset: 0 },
      label: { type: "text", offset: 8 },
    },
  },
  give_streams: {
    tag: 38,
    stages: ["build", "limit"],
    size: 8,
    fields: {
      uid: { type: "u32", offset: 0 },
    },
  },
  open_terminal: {
    tag: 39,
    stages: ["limit"],
    size: 8,
    fields: {
      rows: { type: "u32", offset: 0 },
      columns: { type: "u32", offset: 4 },
    },
  },
  drop_bounding: {
    tag: 40,
    stages: ["limit"],
    size: 8,
    fields: {
      keep: { type: "u64", offset: 0 },
    },
  },
  set_user: {
    tag: 41,
    stages: ["limit"],
    size: 16,
    fields: {
      groups: { type: "bytes", offset: 0 },
      uid: { type: "u32", offset: 8 },
      gid: { type: "u32", offset: 12 },
    },
  },
  set_capabilities: {
    tag: 42,
    stages: ["limit"],
    size: 24,
    fields: {
      permitted: { type: "u64", offset: 0 },
      inheritable: { type: "u64", offset: 8 },
      ambient: { type: "u64", offset: 16 },
    },
  },
  set_no_new_privileges: {
    tag: 43,
    stages: ["limit"],
    size: 8,
    fields: {},
  },
  set_seccomp: {
    tag: 44,
    stages: ["limit"],
    size: 16,
    fields: {
      program: { type: "bytes", offset: 0 },
      flags: { type: "u32", offset: 8 },
    },
  },
  exec: {
    tag: 45,
    stages: ["exec"],
    size: 40,
    fields: {
      candidates: { type: "texts", offset: 0 },
      arguments: { type: "texts", offset: 8 },
      environment: { type: "texts", offset: 16 },
      directory: { type: "text", offset: 24 },
      create_directory: { type: "u32", offset: 32 },
      umask: { type: "u32", offset: 36 },
    },
  },
  exec_pause: {
    tag: 46,
    stages: ["exec"],
    size: 8,
    fields: {},
  },
  keep_message: {
    tag: 47,
    stages: ["build"],
    size: 8,
    fields: {
      target: { type: "text", offset: 0 },
    },
  },
} as const;
