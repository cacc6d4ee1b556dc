//! The last steps of a container, the same in both twins: limits, capabilities, filter, standard
//! streams, gate, exec.
const sys = @import("sys.zig");
const pods = @import("pod.zig");
const filter = @import("filter.zig");

const PR_SET_PDEATHSIG = 1;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const SIGKILL = 9;

/// CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE: what CRI-O
/// leaves.
const kept: u64 = 0b101_1111_1011;
const capability_last = 40;

/// Sets the caller's score, which its children inherit. A child that shares its parent's memory
/// must not write it: the kernel would walk all processes of the host and change the parent's, too
/// (fs/proc/base.c, __set_oom_adj).
pub fn setOomScore(trace: *const sys.Trace) void {
    const flags = sys.O_WRONLY | sys.O_CLOEXEC;
    const score = trace.fd(.limits, .openat, .{ sys.AT_FDCWD, "/proc/self/oom_score_adj", flags });
    _ = trace.call(.limits, .write, .{ score, "1000", 4 });
    _ = trace.call(.limits, .close, .{score});
}

pub fn apply(trace: *const sys.Trace) void {
    _ = trace.call(.limits, .umask, .{0o022});
    for (0..capability_last + 1) |capability| {
        if (kept >> @intCast(capability) & 1 != 0) continue;
        _ = trace.call(.capabilities, .prctl, .{ PR_CAPBSET_DROP, capability });
    }
    const header = extern struct { version: u32 = 0x20080522, pid: i32 = 0 }{};
    const half = extern struct { effective: u32, permitted: u32, inheritable: u32 };
    const sets = [2]half{
        .{ .effective = kept, .permitted = kept, .inheritable = 0 },
        .{ .effective = 0, .permitted = 0, .inheritable = 0 },
    };
    _ = trace.call(.capabilities, .capset, .{ &header, &sets });
    _ = trace.call(.capabilities, .prctl, .{ PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0 });
    // After the last change of credentials, which would clear it.
    _ = trace.call(.limits, .prctl, .{ PR_SET_PDEATHSIG, SIGKILL });
}

/// Standard streams, the filter, the gate, and the container's program. Never returns.
pub fn exec(
    trace: *const sys.Trace,
    pod: *const pods.Pod,
    container: *const pods.Container,
    slot: *pods.Slot,
    batch: u32,
    program: []const filter.Instruction,
) noreturn {
    const null_device = trace.fd(.stdio, .openat, .{
        sys.AT_FDCWD, "/dev/null", sys.O_RDONLY | sys.O_CLOEXEC,
    });
    _ = trace.call(.stdio, .dup3, .{ null_device, 0, 0 });
    _ = trace.call(.stdio, .dup3, .{ container.stdout[1], 1, 0 });
    _ = trace.call(.stdio, .dup3, .{ container.stderr[1], 2, 0 });
    _ = trace.call(.stdio, .close_range, .{ 3, 0xffff_ffff, 4 });
    // Only now: the keeper's descriptors came along, and above the limit nothing can be opened.
    const files_max = [2]u64{ 1024, @min(524288, pod.request.files_hard_max) };
    _ = trace.call(.limits, .prlimit64, .{ 0, 7, &files_max, 0 });
    const load = extern struct { length: u16, pointer: [*]const filter.Instruction }{
        .length = @intCast(program.len),
        .pointer = program.ptr,
    };
    _ = trace.call(.seccomp, .seccomp, .{ 1, 0, &load });
    pods.passGate(trace, pod.shared, batch);
    const arguments = [_:null]?[*:0]const u8{"stamp"};
    const environment = [_:null]?[*:0]const u8{"PATH=/usr/bin:/bin"};
    slot.exec_at = sys.nanoseconds();
    const result = sys.raw(.execve, .{ "/stamp", &arguments, &environment });
    trace.fail(.wait, .execve, @intCast(-result));
}
