//! What the process itself is: namespaces, identity, rights, limits, descriptors, environment.

const std = @import("std");
const sys = @import("sys.zig");
const json = @import("json.zig");
const linux = sys.linux;

pub const commands = .{
    .{ "ns", 0, &ns },
    .{ "ids", 0, &ids },
    .{ "caps", 0, &caps },
    .{ "security", 0, &security },
    .{ "keyring", 0, &keyring },
    .{ "signals", 0, &signals },
    .{ "limits", 0, &limits },
    .{ "process", 0, &process },
    .{ "fds", 0, &fds },
    .{ "host", 0, &host },
    .{ "cwd", 0, &cwd },
    .{ "env", 0, &env },
    .{ "argv", 0, &argv },
    .{ "umask", 0, &umask },
    .{ "clock", 0, &clock },
    .{ "terminal", 0, &terminal },
    .{ "pids", 0, &pids },
    .{ "links", 0, &links },
};

var arguments: sys.Words = &.{};
var environment: [*]const ?sys.Text = undefined;
var started_monotonic_us: u64 = 0;
var started_realtime_us: u64 = 0;

/// The first thing the program does: the times of its start are measurements.
pub fn start(words: sys.Words, environ: [*]const ?sys.Text) void {
    started_monotonic_us = sys.clockUs(.MONOTONIC);
    started_realtime_us = sys.clockUs(.REALTIME);
    arguments = words;
    environment = environ;
}

/// Inode numbers of /proc/self/ns, as `lsns` shows them.
fn ns(_: sys.Words) sys.Error!void {
    const names = [_][:0]const u8{
        "cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "user", "uts",
    };
    const fd = try sys.open("/proc/self/ns", sys.flags(.{ .DIRECTORY = true, .CLOEXEC = true }), 0);
    defer sys.close(fd);

    json.answer();
    json.objectStart();
    for (names) |name| {
        var stat: linux.Statx = undefined;
        json.key(name);
        if (sys.check(sys.call(.statx, .{ fd, name.ptr, 0, 0x7ff, &stat }))) |_| {
            json.number(stat.ino);
        } else |_| json.nothing();
    }
    json.objectEnd();
}

fn ids(_: sys.Words) sys.Error!void {
    json.answer();
    json.objectStart();
    json.field("pid", sys.call(.getpid, .{}));
    json.field("ppid", sys.call(.getppid, .{}));
    json.field("pgid", sys.call(.getpgid, .{0}));
    json.field("sid", sys.call(.getsid, .{0}));
    var real: u32 = 0;
    var effective: u32 = 0;
    var saved: u32 = 0;
    _ = sys.call(.getresuid, .{ &real, &effective, &saved });
    json.key("uid");
    numbers(&.{ real, effective, saved });
    _ = sys.call(.getresgid, .{ &real, &effective, &saved });
    json.key("gid");
    numbers(&.{ real, effective, saved });
    var groups: [1024]u32 = undefined;
    const count = sys.check(sys.call(.getgroups, .{ groups.len, &groups })) catch 0;
    json.key("groups");
    numbers(groups[0..count]);
    json.objectEnd();
}

fn numbers(list: []const u32) void {
    json.arrayStart();
    for (list) |one| json.number(one);
    json.arrayEnd();
}

/// Sixteen hexadecimal digits each, as the kernel prints them.
fn caps(_: sys.Words) sys.Error!void {
    try statusLines(.{
        .{ "inheritable", "CapInh", false },
        .{ "permitted", "CapPrm", false },
        .{ "effective", "CapEff", false },
        .{ "bounding", "CapBnd", false },
        .{ "ambient", "CapAmb", false },
    });
}

fn security(_: sys.Words) sys.Error!void {
    try statusLines(.{
        .{ "noNewPrivs", "NoNewPrivs", true },
        .{ "seccomp", "Seccomp", true },
        .{ "seccompFilters", "Seccomp_filters", true },
    });
}

/// Number of the session keyring, without making one.
fn keyring(_: sys.Words) sys.Error!void {
    const id = try sys.check(sys.call(.keyctl, .{ 0, -3, 0 }));
    json.answer();
    json.number(id);
}

fn signals(_: sys.Words) sys.Error!void {
    try statusLines(.{
        .{ "pending", "SigPnd", false },
        .{ "blocked", "SigBlk", false },
        .{ "ignored", "SigIgn", false },
        .{ "caught", "SigCgt", false },
    });
}

/// Rows of field name, name in /proc/self/status, is it a number.
fn statusLines(comptime rows: anytype) sys.Error!void {
    const status = try sys.readFile("/proc/self/status", 64 << 10);
    json.answer();
    json.objectStart();
    inline for (rows) |row| {
        json.key(row[0]);
        if (statusLine(status, row[1])) |content| {
            const is_number = row[2];
            if (is_number) json.number(std.fmt.parseInt(u32, content, 10) catch 0);
            if (!is_number) json.string(content);
        } else json.nothing();
    }
    json.objectEnd();
}

fn statusLine(status: []const u8, name: []const u8) ?[]const u8 {
    var lines = std.mem.splitScalar(u8, status, '\n');
    while (lines.next()) |line| {
        if (line.len > name.len and std.mem.startsWith(u8, line, name) and line[name.len] == ':') {
            return std.mem.trim(u8, line[name.len + 1 ..], " \t");
        }
    }
    return null;
}

/// Soft and hard limit of each resource; `null` is unlimited.
fn limits(_: sys.Words) sys.Error!void {
    const names = [_][]const u8{
        "CPU",     "FSIZE", "DATA",  "STACK",      "CORE",     "RSS",  "NPROC",  "NOFILE",
        "MEMLOCK", "AS",    "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
    };
    json.answer();
    json.objectStart();
    for (names, 0..) |name, resource| {
        var pair: [2]u64 = @splat(0);
        _ = sys.call(.prlimit64, .{ 0, resource, 0, &pair });
        json.key(name);
        json.arrayStart();
        for (pair) |one| if (one == std.math.maxInt(u64)) json.nothing() else json.number(one);
        json.arrayEnd();
    }
    json.objectEnd();
}

/// What prctl and getpriority say of the process; `null` where the call is refused.
fn process(_: sys.Words) sys.Error!void {
    const questions = .{
        .{ "dumpable", linux.PR.GET_DUMPABLE },
        .{ "keepCapabilities", linux.PR.GET_KEEPCAPS },
        .{ "secureBits", linux.PR.GET_SECUREBITS },
        .{ "timerSlackNs", linux.PR.GET_TIMERSLACK },
        .{ "hugePagesOff", linux.PR.GET_THP_DISABLE },
    };
    json.answer();
    json.objectStart();
    inline for (questions) |question| {
        json.key(question[0]);
        const asked = sys.call(.prctl, .{ @intFromEnum(question[1]), 0, 0, 0, 0 });
        if (sys.check(asked)) |value| json.number(value) else |_| json.nothing();
    }
    var signal: i32 = 0;
    _ = sys.call(.prctl, .{ @intFromEnum(linux.PR.GET_PDEATHSIG), &signal });
    json.field("parentDeathSignal", signal);
    // The system call's answer counts from 1 (the highest niceness) to 40.
    json.field("priority", sys.call(.getpriority, .{ 0, 0 }));
    json.objectEnd();
}

/// Every open descriptor and where it leads, without the one used to look.
fn fds(_: sys.Words) sys.Error!void {
    var names: sys.Names = try .init("/proc/self/fd");
    defer names.deinit();

    json.answer();
    json.objectStart();
    while (names.next()) |name| {
        if (std.fmt.parseInt(i32, std.mem.span(name.text), 10) catch -1 == names.fd) continue;
        var target: [4096]u8 = undefined;
        const asked = sys.call(.readlinkat, .{ names.fd, name.text, &target, target.len });
        const length = sys.check(asked) catch 0;
        json.field(std.mem.span(name.text), target[0..length]);
    }
    json.objectEnd();
}

fn host(_: sys.Words) sys.Error!void {
    var names: linux.utsname = undefined;
    _ = try sys.check(sys.call(.uname, .{&names}));
    json.answer();
    json.objectStart();
    json.field("hostname", std.mem.sliceTo(&names.nodename, 0));
    json.field("domainname", std.mem.sliceTo(&names.domainname, 0));
    json.field("release", std.mem.sliceTo(&names.release, 0));
    json.field("machine", std.mem.sliceTo(&names.machine, 0));
    json.objectEnd();
}

fn cwd(_: sys.Words) sys.Error!void {
    var path: [4096]u8 = undefined;
    _ = try sys.check(sys.call(.getcwd, .{ &path, path.len }));
    json.answer();
    json.string(std.mem.sliceTo(&path, 0));
}

/// A list, because an environment may name a variable twice.
fn env(_: sys.Words) sys.Error!void {
    json.answer();
    json.arrayStart();
    var at: usize = 0;
    while (environment[at]) |variable| : (at += 1) json.string(std.mem.span(variable));
    json.arrayEnd();
}

fn argv(_: sys.Words) sys.Error!void {
    json.answer();
    json.arrayStart();
    for (arguments) |word| json.string(std.mem.span(word));
    json.arrayEnd();
}

fn umask(_: sys.Words) sys.Error!void {
    const mask = sys.call(.umask, .{0});
    _ = sys.call(.umask, .{mask});
    json.answer();
    json.octal(@intCast(mask));
}

/// When the program's first instruction ran, in microseconds.
fn clock(_: sys.Words) sys.Error!void {
    json.answer();
    json.objectStart();
    json.field("monotonicUs", started_monotonic_us);
    json.field("realtimeUs", started_realtime_us);
    json.objectEnd();
}

/// Which of 0, 1, 2 are terminals, and the size of the first that is.
fn terminal(_: sys.Words) sys.Error!void {
    var size: [4]u16 = @splat(0);
    var found = false;
    json.answer();
    json.objectStart();
    json.key("isTerminal");
    json.arrayStart();
    for (0..3) |fd| {
        var settings: [256]u8 = undefined;
        const asked = sys.call(.ioctl, .{ fd, linux.T.CGETS, &settings });
        const is_terminal = linux.errno(asked) == .SUCCESS;
        if (is_terminal and !found) _ = sys.call(.ioctl, .{ fd, linux.T.IOCGWINSZ, &size });
        found = found or is_terminal;
        json.boolean(is_terminal);
    }
    json.arrayEnd();
    json.field("rows", size[0]);
    json.field("columns", size[1]);
    json.objectEnd();
}

/// The processes that /proc shows, with the name of each.
fn pids(_: sys.Words) sys.Error!void {
    var names: sys.Names = try .init("/proc");
    defer names.deinit();

    json.answer();
    json.objectStart();
    while (names.next()) |name| {
        const digits = std.mem.span(name.text);
        _ = std.fmt.parseInt(u32, digits, 10) catch continue;
        var path: [32]u8 = undefined;
        var writer: std.Io.Writer = .fixed(&path);
        for ([_][]const u8{ "/proc/", digits, "/comm", "\x00" }) |part| {
            writer.writeAll(part) catch unreachable;
        }
        const comm = sys.readFile(@ptrCast(&path), 64) catch continue;
        json.field(digits, std.mem.trimEnd(u8, comm, "\n"));
    }
    json.objectEnd();
}

/// `struct ifreq`: a name and 24 bytes that each request fills in its own way.
const InterfaceRequest = extern struct { name: [16]u8, content: [24]u8 };

/// Names come from /proc/self/net, because SIOCGIFCONF leaves out interfaces without an address.
fn links(_: sys.Words) sys.Error!void {
    const table = try sys.readFile("/proc/self/net/dev", 1 << 20);
    const fd = try sys.openSocket(linux.SOCK.DGRAM);
    defer sys.close(fd);

    json.answer();
    json.objectStart();
    var lines = std.mem.splitScalar(u8, table, '\n');
    while (lines.next()) |line| {
        const colon = std.mem.indexOfScalar(u8, line, ':') orelse continue;
        const name = std.mem.trim(u8, line[0..colon], " ");
        json.key(name);
        json.objectStart();
        const interface_flags = std.mem.readInt(u16, interface(fd, name, 0x8913)[0..2], .little);
        json.field("up", interface_flags & 1 != 0);
        json.field("running", interface_flags & 0x40 != 0);
        json.field("flags", interface_flags);
        json.field("mtu", std.mem.readInt(u32, interface(fd, name, 0x8921)[0..4], .little));
        const address = interface(fd, name, 0x8915)[4..8].*;
        var text: [16]u8 = undefined;
        var writer: std.Io.Writer = .fixed(&text);
        for (address, 0..) |byte, index| {
            if (index > 0) writer.writeByte('.') catch unreachable;
            writer.printInt(byte, 10, .lower, .{}) catch unreachable;
        }
        json.field("ipv4", writer.buffered());
        json.objectEnd();
    }
    json.objectEnd();
}

/// One SIOCGIF… request; zeros when the kernel refuses it.
fn interface(fd: i32, name: []const u8, request: u32) [24]u8 {
    var asked: InterfaceRequest = .{ .name = @splat(0), .content = @splat(0) };
    @memcpy(asked.name[0..@min(name.len, 15)], name[0..@min(name.len, 15)]);
    _ = sys.call(.ioctl, .{ fd, request, &asked });
    return asked.content;
}
