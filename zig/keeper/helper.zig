//! Preparing beside the keeper: a source that never answers holds up its own launch and nothing
//! else.

const calls = @import("../kernel/calls.zig");
const executor = @import("../executor/executor.zig");
const keeper_file = @import("keeper.zig");
const launch_file = @import("launch.zig");
const report_file = @import("../executor/report.zig");
const Keeper = keeper_file.Keeper;
const Process = keeper_file.Process;
const linux = calls.linux;
const check = report_file.check;

/// Untouched pages cost nothing, and too few end in SIGSEGV.
const stack_bytes = 256 << 10;

/// Shares the keeper's memory and descriptors, so slots land where they belong; not its root, so it
/// may switch namespaces. No CLONE_VFORK: the keeper goes on, and hears of the end through the
/// pidfd.
pub fn start(keeper: *Keeper, process: *Process) error{Syscall}!void {
    const launch = process.launch.?;
    const stack = keeper_file.map(stack_bytes, false) orelse return report_file.fail(
        launch.report,
        .mmap,
        .NOMEM,
    );
    errdefer keeper_file.unmap(stack);

    var pidfd: i32 = -1;
    const args: calls.CloneArgs = .{
        .flags = calls.CLONE_VM | calls.CLONE_FILES | calls.CLONE_PIDFD,
        .pidfd = @intFromPtr(&pidfd),
        .exit_signal = @intFromEnum(linux.SIG.CHLD),
        .stack = @intFromPtr(stack.ptr),
        .stack_size = stack.len,
    };
    _ = try check(launch.report, .clone3, calls.clone3_call(&args, run, @intFromPtr(process)));
    process.pidfd = .{ .raw = pidfd };
    process.helper_stack = stack;
    keeper_file.watch(keeper, pidfd, .pidfd, keeper.indexOf(process), linux.EPOLL.IN);
}

fn run(argument: usize) callconv(.c) noreturn {
    const process: *Process = @ptrFromInt(argument);
    const launch = process.launch.?;
    executor.runPrepare(&launch.context) catch {
        launch.report.failed = 1;
    };
    linux.exit_group(0);
}

/// The helper has been reaped.
pub fn finished(keeper: *Keeper, process: *Process, exit: calls.Exit) void {
    const launch = process.launch.?;
    keeper_file.unwatch(keeper, process.pidfd.raw);
    process.pidfd.release();
    keeper_file.unmap(process.helper_stack);
    process.helper_stack = &.{};
    launch.context.in_host = false; // That was the helper's place, not ours.
    if (exit.signal != 0 and launch.report.errno == 0) {
        // It did not live to say what it was doing.
        launch.report.call = .clone3;
        launch.report.errno = @intFromEnum(linux.E.CHILD);
    }
    if (exit.signal != 0 or launch.report.failed != 0 or process.failed != .ok) {
        const status = if (process.failed == .ok) .failed else process.failed;
        return launch_file.fail(keeper, process, status);
    }
    launch_file.continueWithSpawn(keeper, process);
}
