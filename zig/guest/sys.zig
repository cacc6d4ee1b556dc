//! System calls without a libc: one door for all of them, what their results mean, and the few
//! helpers that every command needs. Nothing here knows what is asked.

const std = @import("std");
pub const linux = std.os.linux;

pub const Text = [*:0]const u8;
pub const Words = []const Text;
pub const Error = error{Syscall};

pub const at_cwd: isize = linux.AT.FDCWD;

/// The errno behind the most recent `error.Syscall`.
pub var last_error: linux.E = .SUCCESS;

/// The raw result. Arguments are integers or pointers; signed ones keep their sign.
pub inline fn call(comptime number: linux.SYS, arguments: anytype) usize {
    var raw: [6]usize = @splat(0);
    inline for (arguments, 0..) |argument, index| raw[index] = toWord(argument);
    return linux.syscall6(number, raw[0], raw[1], raw[2], raw[3], raw[4], raw[5]);
}

inline fn toWord(argument: anytype) usize {
    return switch (@typeInfo(@TypeOf(argument))) {
        .pointer => @intFromPtr(argument),
        .comptime_int => @bitCast(@as(isize, argument)),
        .int => |int| if (int.signedness == .signed) @bitCast(@as(isize, argument)) else argument,
        else => @compileError("neither an integer nor a pointer"),
    };
}

pub fn check(result: usize) Error!usize {
    const errno = linux.errno(result);
    if (errno == .SUCCESS) return result;
    last_error = errno;
    return error.Syscall;
}

pub fn fail(errno: linux.E) Error {
    last_error = errno;
    return error.Syscall;
}

/// The name as errno.h has it, without the leading E that std leaves off too.
pub fn errorName(errno: linux.E) []const u8 {
    return std.enums.tagName(linux.E, errno) orelse "UNKNOWN";
}

pub fn flags(comptime value: linux.O) u32 {
    return @bitCast(value);
}

pub fn open(path: Text, open_flags: u32, mode: u32) Error!i32 {
    return @intCast(try check(call(.openat, .{ at_cwd, path, open_flags, mode })));
}

pub fn close(fd: i32) void {
    _ = call(.close, .{fd});
}

pub fn exit(code: u32) noreturn {
    _ = call(.exit_group, .{code});
    unreachable;
}

pub fn openSocket(kind: u32) Error!i32 {
    const asked = call(.socket, .{ linux.AF.INET, kind | linux.SOCK.CLOEXEC, 0 });
    return @intCast(try check(asked));
}

/// A plain fork: `clone` exists on both architectures, `fork` does not.
pub fn fork() Error!i32 {
    return @intCast(try check(call(.clone, .{@intFromEnum(linux.SIG.CHLD)})));
}

/// The wait status of one child; a child that is gone already counts as success.
pub fn wait(pid: i32) u32 {
    var status: u32 = 0;
    while (linux.errno(call(.wait4, .{ pid, &status, 0, 0 })) == .INTR) {}
    return status;
}

pub fn writeAll(fd: i32, bytes: []const u8) void {
    var rest = bytes;
    while (rest.len > 0) {
        const result = call(.write, .{ fd, rest.ptr, rest.len });
        switch (linux.errno(result)) {
            .SUCCESS => rest = rest[result..],
            .INTR => {},
            .AGAIN => waitUntil(fd, linux.POLL.OUT),
            else => return,
        }
    }
}

/// Descriptors may arrive non-blocking: they are shared with whoever made them.
pub fn waitUntil(fd: i32, events: i16) void {
    var one = [1]linux.pollfd{.{ .fd = fd, .events = events, .revents = 0 }};
    _ = call(.ppoll, .{ &one, 1, 0, 0, 0 });
}

pub fn readSome(fd: i32, buffer: []u8) Error!usize {
    while (true) {
        const result = call(.read, .{ fd, buffer.ptr, buffer.len });
        switch (linux.errno(result)) {
            .INTR => {},
            .AGAIN => waitUntil(fd, linux.POLL.IN),
            else => return check(result),
        }
    }
}

/// Room for the largest mountinfo a test makes. It costs nothing until it is used.
const file_bytes_max = 4 << 20;
var file_buffer: [file_bytes_max]u8 = undefined;

/// The file's first `bytes_max` bytes, until the next call.
pub fn readFile(path: Text, bytes_max: usize) Error![]const u8 {
    const fd = try open(path, flags(.{ .CLOEXEC = true }), 0);
    defer close(fd);

    const limit = @min(bytes_max, file_bytes_max);
    var used: usize = 0;
    while (used < limit) {
        const count = try readSome(fd, file_buffer[used..limit]);
        if (count == 0) break;
        used += count;
    }
    return file_buffer[0..used];
}

pub fn sleepMs(ms: u64) void {
    var left: linux.timespec = .{
        .sec = @intCast(ms / 1000),
        .nsec = @intCast(ms % 1000 * 1_000_000),
    };
    while (linux.errno(call(.nanosleep, .{ &left, &left })) == .INTR) {}
}

pub fn clockUs(clock: linux.CLOCK) u64 {
    var now: linux.timespec = undefined;
    _ = call(.clock_gettime, .{ @intFromEnum(clock), &now });
    return @as(u64, @intCast(now.sec)) * 1_000_000 + @as(u64, @intCast(now.nsec)) / 1000;
}

pub fn parse(word: Text) Error!u64 {
    return std.fmt.parseInt(u64, std.mem.span(word), 0) catch fail(.INVAL);
}

pub fn parseSmall(word: Text) Error!u16 {
    return std.fmt.parseInt(u16, std.mem.span(word), 0) catch fail(.INVAL);
}

/// The names in an open directory, without `.` and `..`.
pub const Names = struct {
    fd: i32,
    used: usize = 0,
    at: usize = 0,
    buffer: [8192]u8 align(8) = undefined,

    pub const Name = struct { text: Text, kind: u8 };

    pub fn init(path: Text) Error!Names {
        return .{ .fd = try open(path, flags(.{ .DIRECTORY = true, .CLOEXEC = true }), 0) };
    }

    pub fn deinit(names: *const Names) void {
        close(names.fd);
    }

    pub fn next(names: *Names) ?Name {
        while (true) {
            if (names.at == names.used) {
                const asked = call(.getdents64, .{ names.fd, &names.buffer, names.buffer.len });
                names.used = check(asked) catch return null;
                names.at = 0;
                if (names.used == 0) return null;
            }
            const entry: *align(1) const linux.dirent64 = @ptrCast(&names.buffer[names.at]);
            names.at += entry.reclen;
            const text: Text = @ptrCast(&entry.name);
            const name = std.mem.span(text);
            if (std.mem.eql(u8, name, ".") or std.mem.eql(u8, name, "..")) continue;
            return .{ .text = text, .kind = entry.type };
        }
    }
};
