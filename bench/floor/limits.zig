//! The last steps of a container, the same in both twins: limits, capabilities, filter, standard
//! streams, gate, exec.
const sys = @import("sys.zig");
const pods = @import("pod.zig");
const filter = @import("filter.zig");

const PR_SET_PDEATHSIG = 1;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const SIGKILL = 9;
const RLIMIT_CORE = 4;
const RLIMIT_NOFILE = 7;
/// SECCOMP_FILTER_FLAG_SPEC_ALLOW: otherwise some CPUs pay for every branch of every program.
const SPEC_ALLOW = 4;

/// CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE: what CRI-O
/// leaves.
const kept: u64 = 0b101_1111_1011;
const capability_last = 40;

/// Sets the caller's score, which its children inherit. A child that shares its parent's memory
/// must not write it: the kernel would walk all processes of the host and change the parent's, too
/// (fs/proc/base.c, __set_oom_adj).
pub fn setOomScore(trace: *const sys.Trace, directory: i32, path: [*:0]const u8) void {
    const flags = sys.O_WRONLY | sys.O_CLOEXEC;
    const score = trace.fd(.limits, .openat, .{ directory, path, flags });
    _ = trace.call(.limits, .write, .{ score, "1000", 4 });
    _ = trace.call(.limits, .close, .{score});
}

pub fn dropBounding(trace: *const sys.Trace) void {
    for (0..capability_last + 1) |capability| {
        if (kept >> @intCast(capability) & 1 != 0) continue;
        _ = trace.call(.capabilities, .prctl, .{ PR_CAPBSET_DROP, capability });
    }
}

/// What comes after `dropBounding`.
pub fn apply(trace: *const sys.Trace) void {
    _ = trace.call(.limits, .umask, .{0o022});
    _ = trace.call(.limits, .setsid, .{});
    const groups = [1]u32{0};
    _ = trace.call(.limits, .setgroups, .{ groups.len, &groups });
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
    const no_cores = [2]u64{ 0, 0 };
    _ = trace.call(.limits, .prlimit64, .{ 0, RLIMIT_CORE, &no_cores, 0 });
}

pub const Last = struct {
    /// To be opened in the container when it is none.
    input: i32,
    output: i32,
    errors: i32,
    /// How many go on to their exec together; 0 where nobody waits for anybody.
    batch: u32,
    program: []const filter.Instruction,
};

/// Standard streams, the filter, the gate, and the container's program. Never returns.
pub fn exec(trace: *const sys.Trace, pod: *const pods.Pod, last: Last) noreturn {
    const input = if (last.input >= 0) last.input else trace.fd(.stdio, .openat, .{
        sys.AT_FDCWD, "/dev/null", sys.O_RDONLY | sys.O_CLOEXEC,
    });
    for ([_]i32{ input, last.output, last.errors }, 0..) |from, number| {
        _ = trace.call(.stdio, .dup3, .{ from, number, 0 });
    }
    _ = trace.call(.stdio, .close_range, .{ 3, 0xffff_ffff, 4 });
    if (pod.has(.full)) {
        // Only now: the keeper's descriptors came along, and above the limit nothing can be opened.
        const files_max = [2]u64{ 1024, @min(524288, pod.request.files_hard_max) };
        _ = trace.call(.limits, .prlimit64, .{ 0, RLIMIT_NOFILE, &files_max, 0 });
        const load = extern struct { length: u16, pointer: [*]const filter.Instruction }{
            .length = @intCast(last.program.len),
            .pointer = last.program.ptr,
        };
        _ = trace.call(.seccomp, .seccomp, .{ 1, SPEC_ALLOW, &load });
    }
    if (last.batch > 0) pods.passGate(trace, pod.shared, last.batch);
    var arguments: [65]?[*:0]const u8 = @splat(null);
    var at: usize = 0;
    for (arguments[0..pod.request.argument_count]) |*argument| {
        argument.* = @ptrCast(&pod.request.arguments[at]);
        while (pod.request.arguments[at] != 0) at += 1;
        at += 1;
    }
    const environment = [_:null]?[*:0]const u8{
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOSTNAME=floor",
        "HOME=/root",
    };
    const ends = trace.wakes(if (last.batch > 0) .execs else .exited);
    ends.last(.exec, .execve);
    const result = sys.raw(.execve, .{ "/stamp", &arguments, &environment });
    trace.fail(.exec, .execve, @intCast(-result));
}
