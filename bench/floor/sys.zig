//! What the kernel takes and gives: numbers, structs, the call itself, clocks, texts. Nothing here
//! knows about pods.
const std = @import("std");
const builtin = @import("builtin");
pub const linux = std.os.linux;
pub const SYS = linux.SYS;
pub const Trace = @import("trace.zig").Trace;

pub const AT_FDCWD: i32 = -100;
pub const AT_EMPTY_PATH = 0x1000;
pub const AT_RECURSIVE = 0x8000;
pub const AT_REMOVEDIR = 0x200;
pub const O_RDONLY = 0;
pub const O_WRONLY = 1;
pub const O_RDWR = 2;
pub const O_CREAT = 0o100;
pub const O_APPEND = 0o2000;
pub const O_CLOEXEC = 0o2000000;
pub const O_DIRECTORY: u32 = if (builtin.cpu.arch == .aarch64) 0o40000 else 0o200000;
pub const O_NOFOLLOW: u32 = if (builtin.cpu.arch == .aarch64) 0o100000 else 0o400000;
pub const O_PATH = 0o10000000;

pub const CLONE_VM = 0x100;
pub const CLONE_FILES = 0x400;
pub const CLONE_PIDFD = 0x1000;
pub const CLONE_VFORK = 0x4000;
pub const CLONE_PARENT = 0x8000;
pub const CLONE_NEWNS = 0x20000;
pub const CLONE_NEWCGROUP = 0x2000000;
pub const CLONE_NEWUTS = 0x4000000;
pub const CLONE_NEWIPC = 0x8000000;
pub const CLONE_NEWUSER = 0x10000000;
pub const CLONE_NEWPID = 0x20000000;
pub const CLONE_NEWNET = 0x40000000;
pub const CLONE_INTO_CGROUP = 0x200000000;

pub const OPEN_TREE_CLONE = 1;
pub const MOVE_MOUNT_F_EMPTY_PATH = 4;
pub const MOVE_MOUNT_T_EMPTY_PATH = 0x40;
pub const FSCONFIG_SET_FLAG = 0;
pub const FSCONFIG_SET_STRING = 1;
pub const FSCONFIG_SET_FD = 5;
pub const FSCONFIG_CMD_CREATE = 6;
pub const MOUNT_ATTR_RDONLY = 1;
pub const MOUNT_ATTR_NOSUID = 2;
pub const MOUNT_ATTR_NODEV = 4;
pub const MOUNT_ATTR_NOEXEC = 8;
pub const MOUNT_ATTR_IDMAP = 0x100000;

pub const MS_RDONLY = 1;
pub const MS_NOSUID = 2;
pub const MS_NODEV = 4;
pub const MS_NOEXEC = 8;
pub const MS_REMOUNT = 32;
pub const MS_BIND = 4096;
pub const MS_REC = 16384;
pub const MS_PRIVATE = 1 << 18;
pub const MNT_DETACH = 2;

pub const CloneArgs = extern struct {
    flags: u64 = 0,
    pidfd: u64 = 0,
    child_tid: u64 = 0,
    parent_tid: u64 = 0,
    exit_signal: u64 = 17,
    stack: u64 = 0,
    stack_size: u64 = 0,
    tls: u64 = 0,
    set_tid: u64 = 0,
    set_tid_size: u64 = 0,
    cgroup: u64 = 0,
};

/// man 2 mount_setattr; also the argument of open_tree_attr (Linux 6.15).
pub const MountAttr = extern struct {
    set: u64 = 0,
    clear: u64 = 0,
    propagation: u64 = 0,
    userns_fd: u64 = 0,
};

pub fn exit(code: usize) noreturn {
    _ = raw(.exit_group, .{code});
    unreachable;
}

pub inline fn raw(number: SYS, arguments: anytype) isize {
    return sixWords(number, &words(arguments));
}

/// The kernel reads no more arguments than a call has, so all six are always passed.
pub inline fn sixWords(number: SYS, a: *const [6]usize) isize {
    return @bitCast(linux.syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

pub inline fn words(arguments: anytype) [6]usize {
    var all: [6]usize = @splat(0);
    inline for (arguments, 0..) |argument, index| all[index] = word(argument);
    return all;
}

inline fn word(value: anytype) usize {
    return switch (@typeInfo(@TypeOf(value))) {
        .comptime_int => if (value < 0) @bitCast(@as(isize, value)) else value,
        .int => |int| if (int.signedness == .signed) @bitCast(@as(isize, value)) else value,
        .pointer => |pointer| @intFromPtr(if (pointer.size == .slice) value.ptr else value),
        else => @compileError("not a word"),
    };
}

/// A counter that costs no system call; `nanoseconds` tells how long one of its ticks is.
pub inline fn now() u64 {
    return switch (builtin.cpu.arch) {
        .x86_64 => blk: {
            var low: u64 = undefined;
            var high: u64 = undefined;
            asm volatile ("rdtsc"
                : [low] "={rax}" (low),
                  [high] "={rdx}" (high),
            );
            break :blk high << 32 | low;
        },
        .aarch64 => asm volatile ("mrs %[out], cntvct_el0"
            : [out] "=r" (-> u64),
        ),
        else => @compileError("unsupported CPU"),
    };
}

/// CLOCK_MONOTONIC.
pub fn nanoseconds() u64 {
    return clock(1);
}

pub fn clock(number: u32) u64 {
    var time: [2]u64 = undefined;
    _ = raw(.clock_gettime, .{ number, &time });
    return time[0] * 1_000_000_000 + time[1];
}

/// clone3 whose child runs `entry(context)` on its own stack, as CLONE_VM demands.
pub fn cloneOnto(
    arguments: *const CloneArgs,
    entry: *const fn (usize) callconv(.c) noreturn,
    context: usize,
) isize {
    return switch (builtin.cpu.arch) {
        .x86_64 => asm volatile (
            \\ syscall
            \\ testq %%rax, %%rax
            \\ jnz 1f
            \\ xorl %%ebp, %%ebp
            \\ movq %%r12, %%rdi
            \\ callq *%%r13
            \\ ud2
            \\1:
            : [out] "={rax}" (-> isize),
            : [number] "{rax}" (@intFromEnum(SYS.clone3)),
              [arguments] "{rdi}" (arguments),
              [size] "{rsi}" (@as(usize, @sizeOf(CloneArgs))),
              [context] "{r12}" (context),
              [entry] "{r13}" (entry),
            : .{ .rcx = true, .r11 = true, .memory = true }),
        .aarch64 => asm volatile (
            \\ svc #0
            \\ cbnz x0, 1f
            \\ mov x29, #0
            \\ mov x0, x20
            \\ blr x21
            \\ brk #1
            \\1:
            : [out] "={x0}" (-> isize),
            : [number] "{x8}" (@intFromEnum(SYS.clone3)),
              [arguments] "{x0}" (arguments),
              [size] "{x1}" (@as(usize, @sizeOf(CloneArgs))),
              [context] "{x20}" (context),
              [entry] "{x21}" (entry),
            : .{ .memory = true }),
        else => @compileError("unsupported CPU"),
    };
}

/// Every program here starts like this: no libc, no std start code. `entry` gets argc, argv, envp
/// as the kernel laid them out.
pub fn start(
    comptime entry: fn ([*]const usize) callconv(.c) noreturn,
) fn () callconv(.naked) noreturn {
    return struct {
        fn run() callconv(.naked) noreturn {
            switch (builtin.cpu.arch) {
                .x86_64 => asm volatile (
                    \\ xorl %%ebp, %%ebp
                    \\ movq %%rsp, %%rdi
                    \\ andq $-16, %%rsp
                    \\ callq %[entry:P]
                    \\ ud2
                    :
                    : [entry] "X" (&entry),
                ),
                .aarch64 => asm volatile (
                    \\ mov x29, #0
                    \\ mov x30, #0
                    \\ mov x0, sp
                    \\ and sp, x0, #-16
                    \\ b %[entry]
                    :
                    : [entry] "X" (&entry),
                ),
                else => @compileError("unsupported CPU"),
            }
        }
    }.run;
}

/// One write for the whole line, so that lines of several processes do not mix.
pub fn print(out: i32, parts: []const []const u8) void {
    var line: [512]u8 = undefined;
    var length: usize = 0;
    for (parts) |part| {
        const size = @min(part.len, line.len - length);
        @memcpy(line[length..][0..size], part[0..size]);
        length += size;
    }
    _ = raw(.write, .{ out, &line, length });
}

pub fn decimal(buffer: *[20]u8, value: u64) []const u8 {
    var rest = value;
    var at: usize = buffer.len;
    while (true) {
        at -= 1;
        buffer[at] = '0' + @as(u8, @intCast(rest % 10));
        rest /= 10;
        if (rest == 0) return buffer[at..];
    }
}

/// Files that will not go (those of a control group) go with their directory.
pub fn removeTree(parent: i32, path: [*:0]const u8) void {
    const flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
    const opened = raw(.openat, .{ parent, path, flags });
    if (opened < 0) return;
    const directory: i32 = @intCast(opened);
    var buffer: [8192]u8 align(8) = undefined;
    while (true) {
        const size = raw(.getdents64, .{ directory, &buffer, buffer.len });
        if (size <= 0) break;
        var at: usize = 0;
        while (at < size) {
            const record = buffer[at..].ptr;
            const entry: *align(8) const linux.dirent64 = @ptrCast(@alignCast(record));
            at += entry.reclen;
            const name: [*:0]const u8 = @ptrCast(@as([*]const u8, @ptrCast(entry)) + 19);
            if (name[0] == '.' and (name[1] == 0 or (name[1] == '.' and name[2] == 0))) continue;
            if (entry.type == 4) removeTree(directory, name) else _ = raw(.unlinkat, .{
                directory, name, 0,
            });
        }
    }
    _ = raw(.close, .{directory});
    _ = raw(.unlinkat, .{ parent, path, AT_REMOVEDIR });
}

/// A NUL-terminated text in a fixed buffer.
pub const Text = struct {
    bytes: [512]u8 = undefined,
    length: usize = 0,

    pub fn of(parts: []const []const u8) Text {
        var text: Text = .{};
        for (parts) |part| text.add(part);
        return text;
    }

    pub fn add(text: *Text, part: []const u8) void {
        std.debug.assert(text.length + part.len < text.bytes.len);
        @memcpy(text.bytes[text.length..][0..part.len], part);
        text.length += part.len;
        text.bytes[text.length] = 0;
    }

    pub fn addNumber(text: *Text, value: u64) void {
        var digits: [20]u8 = undefined;
        text.add(decimal(&digits, value));
    }

    pub fn ptr(text: *const Text) [*:0]const u8 {
        return @ptrCast(&text.bytes);
    }

    pub fn slice(text: *const Text) []const u8 {
        return text.bytes[0..text.length];
    }
};
