//! Starting a keeper from Bun's process: a clone that shares its memory (a copy would cost
//! milliseconds with a large heap) and an exec from one sealed memfd that all keepers share. Nobody
//! waits for the exec (docs/decisions/0017).

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
    /// CLONE_NEW* that the keeper makes before it reads its first plan.
    namespaces: u32,
    /// Filled in.
    pidfd: i32,
    /// 1 for a keeper that will reach back into the host's network namespace.
    links: u32,
};

/// Made by the first call, -1 until then. Two Workers may race: the loser closes its own.
var program: i32 = -1;

/// What a child uses until its exec: its stack, and its own copy of the request, since Bun goes on.
const Place = extern struct {
    /// Not 0 while in use. The kernel clears it when the child has let go of our memory, by exec or
    /// by its end (man 2 clone, CLONE_CHILD_CLEARTID).
    taken: u32 = 0,
    request: Request = undefined,
    stack: [16 << 10]u8 align(64) = undefined,
};

/// As many as may be between clone and exec at once, about a third of a millisecond each.
var places: [32]Place = @splat(.{});

pub fn spawn(request: *Request) i32 {
    const file = programFile();
    if (file < 0) return file;
    const place = takePlace();
    place.request = request.*;
    request.pidfd = -1;
    var args: calls.CloneArgs = .{
        .flags = calls.CLONE_VM | calls.CLONE_PIDFD | calls.CLONE_CLEAR_SIGHAND |
            calls.CLONE_CHILD_CLEARTID,
        .pidfd = @intFromPtr(&request.pidfd),
        .child_tid = @intFromPtr(&place.taken),
        .exit_signal = @intFromEnum(linux.SIG.CHLD),
        .stack = @intFromPtr(&place.stack),
        .stack_size = place.stack.len,
    };
    if (request.cgroup >= 0) {
        args.flags |= calls.CLONE_INTO_CGROUP;
        args.cgroup = @intCast(request.cgroup);
    }
    var all: linux.sigset_t = @splat(std.math.maxInt(std.meta.Elem(linux.sigset_t)));
    var old: linux.sigset_t = undefined;
    // Bun's handlers must not run in the child.
    _ = linux.sigprocmask(linux.SIG.SETMASK, &all, &old);
    const rc = calls.clone3_call(&args, child, @intFromPtr(&place.request));
    _ = linux.sigprocmask(linux.SIG.SETMASK, &old, null);
    if (linux.errno(rc) == .SUCCESS) return @intCast(rc);
    @atomicStore(u32, &place.taken, 0, .release);
    return -@as(i32, @intFromEnum(linux.errno(rc)));
}

/// Workers may race for one; when all are taken, one will be free in a moment.
fn takePlace() *Place {
    while (true) {
        for (&places) |*place| {
            if (@cmpxchgStrong(u32, &place.taken, 0, 1, .acq_rel, .monotonic) == null) return place;
        }
        const moment: linux.timespec = .{ .sec = 0, .nsec = 50 * std.time.ns_per_us };
        _ = linux.nanosleep(&moment, null);
    }
}

/// Runs beside Bun on Bun's memory until exec: nothing here may touch more than its own place. An
/// errno that stops it is its exit status.
fn child(argument: usize) callconv(.c) noreturn {
    const request: *const Request = @ptrFromInt(argument);
    linux.exit_group(@intFromEnum(become(request)));
}

/// Returns only with what went wrong.
fn become(request: *const Request) linux.E {
    resetSignals();
    // Away from the numbers that are about to be given out.
    const first_free = 10;
    const sources = [_]i32{ request.socket, program, request.seed };
    var moved: [sources.len]i32 = @splat(-1);
    for (sources, &moved) |source, *target| if (source >= 0) {
        const copy = linux.fcntl(source, linux.F.DUPFD, first_free);
        if (linux.errno(copy) != .SUCCESS) return linux.errno(copy);
        target.* = @intCast(copy);
    };
    const input = calls.openat(calls.AT_FDCWD, "/dev/null", calls.O_RDWR, 0);
    if (linux.errno(input) != .SUCCESS) return linux.errno(input);
    for (0..3) |number| if (duplicate(@intCast(input), number)) |errno| return errno;
    const first_passed = 3;
    var last: u32 = first_passed;
    for (moved, first_passed..) |source, number| if (source >= 0) {
        if (duplicate(source, number)) |errno| return errno;
        last = @intCast(number);
    };
    if (request.seed < 0) last = 4;
    const close_on_exec = 4;
    const marked = calls.close_range(last + 1, std.math.maxInt(u32), close_on_exec);
    if (linux.errno(marked) != .SUCCESS) return linux.errno(marked);
    const none: linux.sigset_t = @splat(0);
    _ = linux.sigprocmask(linux.SIG.SETMASK, &none, null);
    var namespaces: [16]u8 = undefined;
    const digits = std.fmt.bufPrintZ(&namespaces, "{d}", .{request.namespaces}) catch unreachable;
    const links = if (request.links != 0) "1" else "0";
    const arguments = [_:null]?[*:0]const u8{ "peapod-keeper", digits.ptr, links };
    const environment = [_:null]?[*:0]const u8{};
    return linux.errno(linux.syscall5(
        .execveat,
        4,
        @intFromPtr(@as([*:0]const u8, "")),
        @intFromPtr(&arguments),
        @intFromPtr(&environment),
        calls.AT_EMPTY_PATH,
    ));
}

fn duplicate(source: i32, number: usize) ?linux.E {
    const errno = linux.errno(linux.dup2(source, @intCast(number)));
    return if (errno == .SUCCESS) null else errno;
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
