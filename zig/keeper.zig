//! The keeper's program: shim and pause in one. Executed from a sealed memfd with
//!   0, 1, 2  /dev/null
//!   3        the client's connection
//!   4        this program
//!   5        the seed namespace, where there is one,
//! and as arguments the CLONE_NEW* that it is to make before it reads its first plan, and 1 where
//! it will have to reach back into the host's network namespace.
//! Called as `pause` it reaps the orphans of a shared PID namespace and does nothing else.

const std = @import("std");
const builtin = @import("builtin");
const calls = @import("kernel/calls.zig");
const Fd = @import("kernel/fd.zig").Fd;
const Keeper = @import("keeper/keeper.zig").Keeper;
const loop = @import("keeper/loop.zig");
const lean = @import("keeper/lean.zig");
const namespaces = @import("executor/namespaces.zig");
const Report = @import("executor/report.zig").Report;
const linux = calls.linux;

pub const panic = std.debug.no_panic;

/// Its tables are large, untouched pages cost nothing, and there is no allocator to ask.
var keeper: Keeper = undefined;

pub export fn _start() callconv(.naked) noreturn {
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
        else => @compileError("peapod runs on x86-64 and arm64"),
    }
}

/// `stack` holds argc, then argv.
fn entry(stack: [*]const usize) callconv(.c) noreturn {
    if (std.mem.eql(u8, std.mem.span(argument(stack, 0)), "pause")) pause();

    beQuickToWake();
    useEveryProcessor();
    keeper.init();
    lean.openHost(&keeper) catch linux.exit_group(1);
    // While the client plans. A failure is met again, and told, when the sandbox is made.
    var report: Report = .{};
    lean.enter(&keeper, &report) catch {};
    const flags = std.fmt.parseInt(u32, std.mem.span(argument(stack, 1)), 10) catch 0;
    if (argument(stack, 2)[0] == '1') namespaces.keepHostNetwork(&keeper.host);
    namespaces.makeAhead(&keeper.host, flags);
    loop.run(&keeper);
}

/// A short slice: the keeper's bursts are short, and a wake-up with a shorter slice goes before one
/// who runs (kernel/sched/fair.c, PREEMPT_SHORT, since 6.12; ignored before). Not for its children.
fn beQuickToWake() void {
    const Attributes = extern struct {
        size: u32 = @sizeOf(@This()),
        policy: u32 = 0,
        flags: u64 = reset_on_fork,
        nice: i32,
        priority: u32 = 0,
        runtime: u64 = 100 * std.time.ns_per_us,
        deadline: u64 = 0,
        period: u64 = 0,

        const reset_on_fork = 1;
    };
    const process = 0;
    const own = 0;
    const highest: isize = @bitCast(linux.syscall2(.getpriority, process, own));
    const attributes: Attributes = .{ .nice = @intCast(20 - highest) };
    _ = linux.syscall3(.sched_setattr, own, @intFromPtr(&attributes), 0);
}

/// Who started the pod may be tied to a few; its containers are not. The kernel leaves out those
/// that the control group has not.
fn useEveryProcessor() void {
    const processors_max = 8192;
    const every: [processors_max / 8]u8 align(8) = @splat(0xff);
    _ = linux.syscall3(.sched_setaffinity, 0, every.len, @intFromPtr(&every));
}

fn argument(stack: [*]const usize, index: usize) [*:0]const u8 {
    return if (index < stack[0]) @ptrFromInt(stack[1 + index]) else "";
}

/// Signals are taken one by one; only SIGCHLD means something, and only SIGKILL ends it.
fn pause() noreturn {
    var all: linux.sigset_t = undefined;
    @memset(std.mem.asBytes(&all), 0xff);
    _ = linux.sigprocmask(linux.SIG.SETMASK, &all, null);
    _ = calls.prctl(@intFromEnum(linux.PR.SET_DUMPABLE), 0, 0, 0, 0);
    _ = calls.prctl(
        @intFromEnum(linux.PR.SET_NAME),
        @intFromPtr(@as([*:0]const u8, "pause")),
        0,
        0,
        0,
    );
    _ = calls.close_range(0, std.math.maxInt(u32), 0);
    while (true) {
        _ = linux.syscall4(.rt_sigtimedwait, @intFromPtr(&all), 0, 0, 8);
        while (true) {
            var status: u32 = 0;
            const rc: isize = @bitCast(
                linux.syscall4(.wait4, calls.raw(-1), @intFromPtr(&status), calls.W_NOHANG, 0),
            );
            if (rc <= 0) break;
        }
    }
}
