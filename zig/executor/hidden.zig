//! Joining a PID namespace where somebody may trace others, whatever they do against it
//! (CVE-2016-9962): whoever holds CAP_SYS_PTRACE in the host's user namespace is not held back by
//! a process that is not dumpable. So all that needs rights happens outside, and who appears inside
//! is a second clone with the container's own rights and nothing open but its streams.

const calls = @import("../kernel/calls.zig");
const schema = @import("../plan/schema.zig");
const Context = @import("context.zig").Context;
const executor = @import("executor.zig");
const report_file = @import("report.zig");
const linux = calls.linux;
const check = report_file.check;

const Error = error{Syscall};

/// The `limit` stage, with the second clone where only the filter is missing, which might refuse
/// it.
pub fn limit(context: *Context) Error!void {
    var has_appeared = false;
    var steps = context.view.steps();
    while (steps.next()) |step| {
        if (step.stage != .limit or step.op == .open_terminal) continue;
        if (step.op == .set_seccomp) {
            try appear(context);
            has_appeared = true;
        }
        try executor.run(context, step);
    }
    if (!has_appeared) try appear(context);
}

fn appear(context: *Context) Error!void {
    const report = context.report;
    // CLONE_PARENT wants no exit signal (man 2 clone3).
    const args: calls.CloneArgs = .{ .flags = calls.CLONE_PARENT };
    const pid = try check(report, .clone3, calls.clone3(&args));
    if (pid != 0) {
        @atomicStore(u32, &report.inner_pid, @intCast(pid), .release);
        linux.exit_group(0);
    }
    executor.dieWithKeeper(context);
    _ = try check(report, .setsid, linux.syscall0(.setsid));
    // Its session has to be ours.
    var steps = context.view.steps();
    while (steps.next()) |step| {
        if (step.stage == .limit and step.op == .open_terminal) try executor.run(context, step);
    }
}
