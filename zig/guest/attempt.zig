//! Operations that a container should not be able to do. Each runs in a child of its own, which
//! undoes what it did where the kernel does not do that at its end, so that a success harms nobody.

const std = @import("std");
const sys = @import("sys.zig");
const json = @import("json.zig");
const linux = sys.linux;

/// Name, number of arguments, the deed.
const Attempt = struct { []const u8, usize, *const fn (sys.Words) usize };

/// `try NAME ARGUMENTS`. P is a path, N a number.
const attempts = [_]Attempt{
    .{ "mount", 1, &mount }, // P: a tmpfs there
    .{ "remount-rw", 1, &remountWritable }, // P
    .{ "umount", 1, &umount }, // P, in a copy of the mount namespace where that is allowed
    .{ "open-write", 1, &openWrite }, // P
    .{ "open-read", 1, &openRead }, // P
    .{ "mknod", 3, &mknod }, // P, major, minor: a character device, which is opened too
    .{ "chroot", 1, &chroot }, // P
    .{ "chmod-setuid", 1, &chmodSetuid }, // P
    .{ "unshare", 1, &unshare }, // N: CLONE_NEW… flags
    .{ "clone3", 1, &clone3 }, // N: flags
    .{ "clone-into-cgroup", 1, &cloneIntoCgroup }, // P: the cgroup's folder
    .{ "setns", 1, &setns }, // P
    .{ "setuid", 1, &setuid }, // N
    .{ "ptrace", 1, &ptrace }, // N: pid
    .{ "kill", 2, &kill }, // pid, signal
    .{ "sethostname", 1, &setHostname }, // name; the one before is put back
    .{ "socket", 3, &socket }, // family, type, protocol
    .{ "nofile", 1, &limitFiles }, // N: soft and hard limit of open files
    .{ "bpf", 0, &bpf },
    .{ "keyctl", 0, &keyctl },
    .{ "add-key", 0, &addKey },
    .{ "reboot", 0, &reboot }, // with a magic that no kernel takes
    .{ "dmesg", 0, &dmesg },
    .{ "fsopen", 0, &fsopen },
    .{ "userfaultfd", 0, &userfaultfd },
    .{ "io-uring", 0, &ioUring },
    .{ "perf-event", 0, &perfEvent },
    .{ "tiocsti", 0, &tiocsti }, // types a letter into the terminal on 0
    .{ "syscall", 1, &anyCall }, // N, with every argument an invalid pointer
};

pub fn countArguments(words: sys.Words) ?usize {
    const found = find(words) orelse return null;
    return found[1] + 1;
}

fn find(words: sys.Words) ?Attempt {
    if (words.len == 0) return null;
    for (attempts) |one| {
        if (std.mem.eql(u8, one[0], std.mem.span(words[0]))) return one;
    }
    return null;
}

/// The child says what happened with its exit status: an errno fits.
pub fn run(words: sys.Words) sys.Error!void {
    const found = find(words) orelse return sys.fail(.INVAL);
    const pid = try sys.fork();
    if (pid == 0) sys.exit(@intFromEnum(linux.errno(found[2](words[1..]))));

    const status = sys.wait(pid);
    json.answer();
    if (status & 0x7f != 0) {
        var text = "signal 00".*;
        text[7] += @intCast((status & 0x7f) / 10);
        text[8] += @intCast((status & 0x7f) % 10);
        return json.string(&text);
    }
    const errno: linux.E = @enumFromInt(status >> 8 & 0xff);
    if (errno == .SUCCESS) json.string("ok") else json.errorName(errno);
}

fn number(word: sys.Text) usize {
    return sys.parse(word) catch sys.exit(@intFromEnum(linux.E.INVAL));
}

fn mount(words: sys.Words) usize {
    const result = sys.call(.mount, .{ "tmpfs", words[0], "tmpfs", linux.MS.NOSUID, 0 });
    if (linux.errno(result) == .SUCCESS) _ = sys.call(.umount2, .{ words[0], linux.MNT.DETACH });
    return result;
}

fn remountWritable(words: sys.Words) usize {
    _ = sys.call(.unshare, .{linux.CLONE.NEWNS});
    return sys.call(.mount, .{ 0, words[0], 0, linux.MS.REMOUNT | linux.MS.BIND, 0 });
}

fn umount(words: sys.Words) usize {
    _ = sys.call(.unshare, .{linux.CLONE.NEWNS});
    return sys.call(.umount2, .{ words[0], linux.MNT.DETACH });
}

fn openWrite(words: sys.Words) usize {
    return sys.call(.openat, .{ sys.at_cwd, words[0], sys.flags(.{ .ACCMODE = .WRONLY }), 0 });
}

fn openRead(words: sys.Words) usize {
    return sys.call(.openat, .{ sys.at_cwd, words[0], 0, 0 });
}

fn mknod(words: sys.Words) usize {
    const device = number(words[1]) << 8 | number(words[2]);
    const made = sys.call(.mknodat, .{ sys.at_cwd, words[0], linux.S.IFCHR | 0o600, device });
    if (linux.errno(made) != .SUCCESS) return made;
    const opened = openRead(words);
    _ = sys.call(.unlinkat, .{ sys.at_cwd, words[0], 0 });
    return opened;
}

fn chroot(words: sys.Words) usize {
    return sys.call(.chroot, .{words[0]});
}

fn chmodSetuid(words: sys.Words) usize {
    return sys.call(.fchmodat, .{ sys.at_cwd, words[0], 0o4755 });
}

fn unshare(words: sys.Words) usize {
    return sys.call(.unshare, .{number(words[0])});
}

fn clone3(words: sys.Words) usize {
    return cloneWith(number(words[0]), 0);
}

fn cloneIntoCgroup(words: sys.Words) usize {
    const folder = openRead(words);
    if (linux.errno(folder) != .SUCCESS) return folder;
    return cloneWith(linux.CLONE.INTO_CGROUP, folder);
}

/// `struct clone_args` of man 2 clone, in its third version.
fn cloneWith(flags: u64, cgroup: u64) usize {
    const exit_signal = @intFromEnum(linux.SIG.CHLD);
    const arguments = [11]u64{ flags, 0, 0, 0, exit_signal, 0, 0, 0, 0, 0, cgroup };
    const result = sys.call(.clone3, .{ &arguments, @sizeOf(@TypeOf(arguments)) });
    if (result == 0) sys.exit(0);
    return result;
}

fn setns(words: sys.Words) usize {
    const fd = sys.call(.openat, .{ sys.at_cwd, words[0], 0, 0 });
    if (linux.errno(fd) != .SUCCESS) return fd;
    return sys.call(.setns, .{ fd, 0 });
}

fn setuid(words: sys.Words) usize {
    return sys.call(.setresuid, .{ number(words[0]), number(words[0]), number(words[0]) });
}

/// The kernel detaches when this child ends.
fn ptrace(words: sys.Words) usize {
    return sys.call(.ptrace, .{ 0x4206, number(words[0]), 0, 0 }); // PTRACE_SEIZE
}

fn kill(words: sys.Words) usize {
    return sys.call(.kill, .{ number(words[0]), number(words[1]) });
}

fn setHostname(words: sys.Words) usize {
    var before: linux.utsname = undefined;
    _ = sys.call(.uname, .{&before});
    const result = sys.call(.sethostname, .{ words[0], std.mem.len(words[0]) });
    const name = std.mem.sliceTo(&before.nodename, 0);
    if (linux.errno(result) == .SUCCESS) _ = sys.call(.sethostname, .{ name.ptr, name.len });
    return result;
}

fn socket(words: sys.Words) usize {
    return sys.call(.socket, .{ number(words[0]), number(words[1]), number(words[2]) });
}

fn limitFiles(words: sys.Words) usize {
    const pair = [2]u64{ number(words[0]), number(words[0]) };
    return sys.call(.prlimit64, .{ 0, @intFromEnum(linux.rlimit_resource.NOFILE), &pair, 0 });
}

fn bpf(_: sys.Words) usize {
    const attributes = [4]u32{ 2, 4, 4, 1 }; // BPF_MAP_TYPE_ARRAY of one u32
    return sys.call(.bpf, .{ 0, &attributes, @sizeOf(@TypeOf(attributes)) });
}

/// KEYCTL_GET_KEYRING_ID of the session, without making one.
fn keyctl(_: sys.Words) usize {
    return sys.call(.keyctl, .{ 0, -3, 0 });
}

/// Into the process's own keyring, which ends with it.
fn addKey(_: sys.Words) usize {
    return sys.call(.add_key, .{ "user", "peapod-probe", "x", 1, -2 });
}

fn reboot(_: sys.Words) usize {
    return sys.call(.reboot, .{ 0, 0, 0, 0 });
}

fn dmesg(_: sys.Words) usize {
    var text: [256]u8 = undefined;
    return sys.call(.syslog, .{ 3, &text, text.len }); // SYSLOG_ACTION_READ_ALL
}

fn fsopen(_: sys.Words) usize {
    return sys.call(.fsopen, .{ "tmpfs", 0 });
}

fn userfaultfd(_: sys.Words) usize {
    return sys.call(.userfaultfd, .{0});
}

fn ioUring(_: sys.Words) usize {
    var parameters: [120]u8 = @splat(0);
    return sys.call(.io_uring_setup, .{ 1, &parameters });
}

fn perfEvent(_: sys.Words) usize {
    var attributes: [112]u8 = @splat(0);
    std.mem.writeInt(u32, attributes[0..4], 1, .little); // PERF_TYPE_SOFTWARE
    std.mem.writeInt(u32, attributes[4..8], attributes.len, .little);
    return sys.call(.perf_event_open, .{ &attributes, 0, -1, -1, 0 });
}

fn tiocsti(_: sys.Words) usize {
    return sys.call(.ioctl, .{ 0, 0x5412, "x" });
}

fn anyCall(words: sys.Words) usize {
    const bad: usize = @bitCast(@as(isize, -1));
    return linux.syscall6(@enumFromInt(number(words[0])), bad, bad, bad, bad, bad, bad);
}
