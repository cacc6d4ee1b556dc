//! The floor: the kernel work of a pod and nothing else, timed. See `arguments.usage`.
const std = @import("std");
const sys = @import("sys.zig");
const setup = @import("setup.zig");
const arguments_file = @import("arguments.zig");
const launcher = @import("launcher.zig");
const operations = @import("operations.zig");
const protocol = @import("protocol.zig");

pub const panic = std.debug.no_panic;
pub const _start = sys.start(entry);

comptime {
    @export(&_start, .{ .name = "_start" });
}

var arguments: arguments_file.Arguments = .{};
const trace: sys.Trace = .{ .who = "launcher" };

fn entry(stack: [*]const usize) callconv(.c) noreturn {
    const count = stack[0];
    const argv: [*]const [*:0]const u8 = @ptrCast(stack + 1);
    arguments = arguments_file.parse(argv[1..count]) orelse {
        sys.print(2, &.{arguments_file.usage});
        sys.exit(2);
    };
    // Descriptors 3 and 4 stay free for the keeper's end of the socket and for the log of calls.
    const placeholder = trace.fd(.setup, .openat, .{
        sys.AT_FDCWD, "/dev/null", sys.O_RDONLY | sys.O_CLOEXEC,
    });
    for ([_]i32{ protocol.socket, protocol.log }) |reserved| {
        _ = trace.attempt(.setup, .dup3, .{ placeholder, reserved, sys.O_CLOEXEC });
    }
    sys.exit(supervise());
}

/// The measuring process is a child, so that whatever happens to it, somebody is left to clean up.
fn supervise() usize {
    describeRun();
    // SIGINT and SIGTERM end the child; this process waits for that.
    const blocked = [1]u64{1 << 1 | 1 << 14};
    const fork: sys.CloneArgs = .{};
    const pid = trace.call(.setup, .clone3, .{ &fork, @sizeOf(sys.CloneArgs) });
    const run = &launcher.run;
    if (pid == 0) {
        _ = sys.raw(.prctl, .{ 1, 9 });
        const program = if (arguments.look) |path| readFile(path) else @embedFile("stamp");
        setup.prepare(run, @embedFile("keeper"), program);
        launcher.trace.log = run.log;
        measure();
        sys.exit(0);
    }
    _ = sys.raw(.rt_sigprocmask, .{ 0, &blocked, 0, 8 });
    // Orphaned keepers and containers become children of this process and are reaped by it.
    _ = sys.raw(.prctl, .{ 36, 1 });
    var status: u32 = 1;
    waitFor(pid, &status);
    setup.cleanUp(run);
    return if (status == 0) 0 else 1;
}

/// A terminating signal that comes to this process alone is passed on as SIGKILL.
fn waitFor(pid: usize, status: *u32) void {
    const signals = [1]u64{1 << 1 | 1 << 14 | 1 << 16};
    _ = sys.raw(.rt_sigprocmask, .{ 0, &signals, 0, 8 });
    while (true) {
        const done = sys.raw(.wait4, .{ pid, status, 1, 0 });
        if (done != 0) return;
        const signal = sys.raw(.rt_sigtimedwait, .{ &signals, 0, 0, 8 });
        if (signal == 2 or signal == 15) _ = sys.raw(.kill, .{ pid, 9 });
    }
}

fn describeRun() void {
    const pid = trace.call(.setup, .getpid, .{});
    var mountinfo: [65536]u8 = undefined;
    const cgroups = setup.cgroupRoot(&mountinfo) orelse {
        sys.print(2, &.{"floor: no cgroup2 mount\n"});
        sys.exit(1);
    };
    const run = &launcher.run;
    run.* = .{
        .directory = .of(&.{ arguments.directory, "/peapod-floor-" }),
        .cgroup = .of(&.{ cgroups, "/peapod-floor-" }),
        .options = arguments.options,
    };
    run.directory.addNumber(pid);
    run.cgroup.addNumber(pid);
    _ = trace.call(.setup, .mkdirat, .{ sys.AT_FDCWD, run.directory.ptr(), 0o700 });
}

var file: [8 << 20]u8 = undefined;

fn readFile(path: [*:0]const u8) []const u8 {
    const opened = trace.fd(.setup, .openat, .{ sys.AT_FDCWD, path, sys.O_RDONLY | sys.O_CLOEXEC });
    var length: usize = 0;
    while (length < file.len) {
        const size = trace.call(.setup, .read, .{ opened, file[length..].ptr, file.len - length });
        if (size == 0) break;
        length += size;
    }
    return file[0..length];
}

fn measure() void {
    operations.prepare(&arguments);
    if (arguments.look != null) return operations.look(arguments.words, arguments.containers);
    if (arguments.command) |command| {
        for (0..arguments.rounds) |_| operations.run(command);
        return operations.finish();
    }
    var line: [256]u8 = undefined;
    while (true) {
        // Whoever asks waits for the answer before the next line, so one read is one line.
        const size = trace.call(.wait, .read, .{ 0, &line, line.len });
        if (size == 0) break;
        const command = arguments_file.parseLine(line[0..size]) orelse {
            sys.print(2, &.{ "floor: no such command: ", line[0..size] });
            sys.exit(2);
        };
        operations.run(command);
    }
    operations.finish();
}
