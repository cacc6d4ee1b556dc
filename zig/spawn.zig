//! Starting a keeper from Bun's process: a clone that shares its memory (a copy would cost
//! milliseconds with a large heap) and an exec from one sealed memfd that all keepers share.

const std = @import("std");
const calls = @import("kernel/calls.zig");
const linux = calls.linux;

const program_bytes = @embedFile("keeper");

/// `alloc`ated and laid out by src/native/keeper-process.ts.
pub const Request = extern struct {
    /// The keeper's end of the connection.
    socket: i32,
    /// A control group's directory, or -1.
    cgroup: i32,
    /// A living keeper's mount namespace, or -1.
    seed: i32,
    /// Filled in.
    pidfd: i32,
    errno: i32,
    _: i32 = 0,
};

/// Made by the first call, -1 until then. Two Workers may race: the loser closes its own.
var program: i32 = -1;

pub fn spawn(request: *Request) i32 {
    const file = programFile();
    if (file < 0) return file;
    const stack_bytes = 64 << 10;
    const stack = linux.mmap(
        null,
        stack_bytes,
        .{ .READ = true, .WRITE = true },
        .{ .TYPE = .PRIVATE, .ANONYMOUS = true },
        -1,
        0,
    );
    if (linux.errno(stack) != .SUCCESS) return -@as(i32, @intFromEnum(linux.errno(stack)));
    defer _ = linux.munmap(@ptrFromInt(stack), stack_bytes);

    request.pidfd = -1;
    request.errno = 0;
    var args: calls.CloneArgs = .{
        .flags = calls.CLONE_VM | calls.CLONE_VFORK | calls.CLONE_PIDFD | calls.CLONE_CLEAR_SIGHAND,
        .pidfd = @intFromPtr(&request.pidfd),
        .exit_signal = @intFromEnum(linux.SIG.CHLD),
        .stack = stack,
        .stack_size = stack_bytes,
    };
    if (request.cgroup >= 0) {
        args.flags |= calls.CLONE_INTO_CGROUP;
        args.cgroup = @intCast(request.cgroup);
    }
    var all: linux.sigset_t = @splat(std.math.maxInt(std.meta.Elem(linux.sigset_t)));
    var old: linux.sigset_t = undefined;
    // Bun's handlers must not run in the child.
    _ = linux.sigprocmask(linux.SIG.SETMASK, &all, &old);
    const rc = calls.clone3_call(&args, child, @intFromPtr(request));
    _ = linux.sigprocmask(linux.SIG.SETMASK, &old, null);
    if (linux.errno(rc) != .SUCCESS) return -@as(i32, @intFromEnum(linux.errno(rc)));
    if (request.errno == 0) return @intCast(rc);
    _ = calls.reap(request.pidfd);
    calls.close(request.pidfd);
    return -request.errno;
}

/// Runs on the caller's memory until exec: nothing here may touch more than its own stack and the
/// request.
fn child(argument: usize) callconv(.c) noreturn {
    const request: *Request = @ptrFromInt(argument);
    become(request) catch |err| switch (err) {
        error.Syscall => {},
    };
    linux.exit_group(127);
}

fn become(request: *Request) error{Syscall}!void {
    resetSignals();
    // Away from the numbers that are about to be given out.
    const first_free = 10;
    const sources = [_]i32{ request.socket, program, request.seed };
    var moved: [sources.len]i32 = @splat(-1);
    for (sources, &moved) |source, *target| {
        if (source >= 0) target.* = @intCast(
            try check(request, linux.fcntl(source, linux.F.DUPFD, first_free)),
        );
    }
    const null_device = calls.openat(calls.AT_FDCWD, "/dev/null", calls.O_RDWR, 0);
    const input: i32 = @intCast(try check(request, null_device));
    for (0..3) |number| _ = try check(request, linux.dup2(input, @intCast(number)));
    const first_passed = 3;
    var last: u32 = first_passed;
    for (moved, first_passed..) |source, number| {
        if (source < 0) continue;
        _ = try check(request, linux.dup2(source, @intCast(number)));
        last = @intCast(number);
    }
    if (request.seed < 0) last = 4;
    const close_on_exec = 4;
    _ = try check(request, calls.close_range(last + 1, std.math.maxInt(u32), close_on_exec));
    const none: linux.sigset_t = @splat(0);
    _ = linux.sigprocmask(linux.SIG.SETMASK, &none, null);
    const arguments = [_:null]?[*:0]const u8{"peapod-keeper"};
    const environment = [_:null]?[*:0]const u8{};
    _ = try check(request, linux.syscall5(
        .execveat,
        4,
        @intFromPtr(@as([*:0]const u8, "")),
        @intFromPtr(&arguments),
        @intFromPtr(&environment),
        calls.AT_EMPTY_PATH,
    ));
}

/// CLONE_CLEAR_SIGHAND leaves ignored signals ignored, and so does exec; Bun ignores SIGPIPE and
/// SIGXFSZ.
fn resetSignals() void {
    const default: linux.Sigaction = .{
        .handler = .{ .handler = linux.SIG.DFL },
        .mask = @splat(0),
        .flags = 0,
    };
    for (1..65) |number| {
        if (number == 9 or number == 19) continue;
        _ = linux.sigaction(@enumFromInt(number), &default, null);
    }
}

fn check(request: *Request, rc: usize) error{Syscall}!usize {
    const errno = linux.errno(rc);
    if (errno == .SUCCESS) return rc;
    request.errno = @intFromEnum(errno);
    return error.Syscall;
}

fn programFile() i32 {
    const known = @atomicLoad(i32, &program, .acquire);
    if (known >= 0) return known;
    const made = makeProgram();
    if (made < 0) return made;
    const other = @cmpxchgStrong(i32, &program, -1, made, .acq_rel, .acquire) orelse return made;
    calls.close(made);
    return other;
}

fn makeProgram() i32 {
    const cloexec = 1;
    const allow_sealing = 2;
    const executable = 0x10; // MFD_EXEC, since 6.3; before, every memfd is.
    var rc = linux.memfd_create("peapod-keeper", cloexec | allow_sealing | executable);
    if (linux.errno(rc) == .INVAL) rc = linux.memfd_create(
        "peapod-keeper",
        cloexec | allow_sealing,
    );
    if (linux.errno(rc) != .SUCCESS) return -@as(i32, @intFromEnum(linux.errno(rc)));
    const fd: i32 = @intCast(rc);
    const written = linux.write(fd, program_bytes, program_bytes.len);
    const add_seals = 1033;
    const all_seals = 0xf; // SEAL, SHRINK, GROW, WRITE
    const sealed = linux.fcntl(fd, add_seals, all_seals);
    const is_whole = linux.errno(written) == .SUCCESS and written == program_bytes.len;
    if (is_whole and linux.errno(sealed) == .SUCCESS) return fd;
    calls.close(fd);
    return -@as(i32, @intFromEnum(linux.E.IO));
}
