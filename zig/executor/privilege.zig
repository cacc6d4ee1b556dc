//! Privileges that are set from outside a container: through the host's procfs, on its control
//! group, on its streams.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const schema = @import("../plan/schema.zig");
const Context = @import("context.zig").Context;
const mounts = @import("mounts.zig");
const report_file = @import("report.zig");
const Report = report_file.Report;
const linux = calls.linux;
const check = report_file.check;

const Error = error{Syscall};

/// The host's procfs shows the sysctls of who looks: those of the pod's namespaces, as the keeper
/// is a member of them (fs/proc/proc_sysctl.c, `is_seen`).
pub fn writeSysctl(context: *Context, op: schema.WriteSysctl) Error!void {
    const report = context.report;
    const sys: Fd = .from(try check(report, .openat, calls.openat(
        context.host.proc.raw,
        "sys",
        calls.O_PATH | calls.O_DIRECTORY | calls.O_CLOEXEC | calls.O_NOFOLLOW,
        0,
    )));
    defer sys.close();

    const how: calls.OpenHow = .{
        .flags = calls.O_WRONLY | calls.O_CLOEXEC,
        .resolve = calls.RESOLVE_BENEATH | calls.RESOLVE_NO_SYMLINKS | calls.RESOLVE_NO_MAGICLINKS,
    };
    const name = context.view.text(op.path);
    const value = context.view.text(op.value);
    const rc = calls.openat2(sys.raw, name, how);
    if (linux.errno(rc) != .ACCES or op.uid == 0) {
        return writeWhole(report, .from(try check(report, .openat2, rc)), value);
    }
    try act(report, op.uid);
    defer {
        act(report, 0) catch {};
        // A change of ids may have given that back.
        _ = calls.prctl(@intFromEnum(linux.PR.SET_DUMPABLE), 0, 0, 0, 0);
    }

    const file = try check(report, .openat2, calls.openat2(sys.raw, name, how));
    try writeWhole(report, .from(file), value);
}

/// The effective id alone: the saved one leads back.
fn act(report: *Report, uid: u32) Error!void {
    const same = std.math.maxInt(u32);
    _ = try check(report, .setresuid, linux.syscall3(.setresuid, same, uid, same));
}

/// "self" in the host's procfs is this child, whatever its PID namespace.
pub fn setLabel(context: *Context, op: schema.SetLabel) Error!void {
    const report = context.report;
    const attr: Fd = .from(try check(report, .openat, calls.openat(
        context.host.proc.raw,
        "self/attr",
        calls.O_PATH | calls.O_DIRECTORY | calls.O_CLOEXEC,
        0,
    )));
    defer attr.close();

    const flags = calls.O_WRONLY | calls.O_CLOEXEC | calls.O_NOFOLLOW;
    const rc = calls.openat(attr.raw, context.view.text(op.file), flags, 0);
    try writeWhole(report, .from(try check(report, .openat, rc)), context.view.text(op.label));
}

/// In one write, as these files want it.
fn writeWhole(report: *Report, file: Fd, text: []const u8) Error!void {
    defer file.close();

    _ = try check(report, .write, linux.write(file.raw, text.ptr, text.len));
}

pub fn setOomScore(context: *Context, op: schema.SetOomScore) Error!void {
    const report = context.report;
    const flags = calls.O_RDWR | calls.O_CLOEXEC;
    const rc = calls.openat(context.host.proc.raw, "self/oom_score_adj", flags, 0);
    const file: Fd = .from(try check(report, .openat, rc));
    defer file.close();

    var text: [16]u8 = undefined;
    const wanted = decimal(&text, op.value);
    const written = linux.write(file.raw, wanted.ptr, wanted.len);
    // Lowering it needs CAP_SYS_RESOURCE; without, what we inherited is the lowest the kernel
    // allows.
    if (linux.errno(written) != .ACCES) _ = try check(report, .write, written);
}

fn decimal(buffer: *[16]u8, value: i32) []const u8 {
    const digits = mounts.format(buffer, @abs(value), 10);
    if (value >= 0) return digits;
    const start = buffer.len - 1 - digits.len - 1;
    buffer[start] = '-';
    return buffer[start .. buffer.len - 1];
}

/// Nothing but pipes and terminals: a stream may be a device of the host. What cannot be given
/// still works as it is open.
pub fn giveStreams(context: *Context, op: schema.GiveStreams, stage: schema.Stage) void {
    const settled = [_]i32{ 0, 1, 2 };
    const streams = if (stage == .limit) settled else context.streams.child;
    for (streams) |fd| {
        var stat: linux.Statx = undefined;
        const rc = linux.statx(fd, "", calls.AT_EMPTY_PATH, .{ .TYPE = true }, &stat);
        if (linux.errno(rc) != .SUCCESS) continue;
        const kind = stat.mode & calls.S_IFMT;
        const unix98_first = 136;
        const unix98_last = 143;
        const is_terminal = kind == calls.S_IFCHR and
            stat.rdev_major >= unix98_first and stat.rdev_major <= unix98_last;
        if (kind != calls.S_IFIFO and !is_terminal) continue;
        const same_group = std.math.maxInt(u32);
        _ = calls.fchownat(fd, "", op.uid, same_group, calls.AT_EMPTY_PATH);
    }
}

/// man 2 bpf. The attributes are passed in full and zeroed: kernels read, and some write, fields
/// that others do not have.
pub fn attachDeviceFilter(context: *Context, op: schema.AttachDeviceFilter) Error!void {
    const report = context.report;
    const prog_load = 5;
    const prog_attach = 8;
    const prog_type_cgroup_device = 15;
    const attach_type_cgroup_device = 6;
    const allow_multi = 2;

    const program = context.view.slice(op.program);
    var load: [128]u8 align(8) = @splat(0);
    put(u32, &load, 0, prog_type_cgroup_device);
    put(u32, &load, 4, @intCast(program.len / 8));
    put(u64, &load, 8, @intFromPtr(program.ptr));
    put(u64, &load, 16, @intFromPtr(@as([*:0]const u8, "MIT")));
    const loaded: Fd = .from(try check(report, .bpf, bpf(prog_load, &load)));
    defer loaded.close();

    var attach: [128]u8 align(8) = @splat(0);
    put(u32, &attach, 0, @intCast(context.slot(op.cgroup)));
    put(u32, &attach, 4, @intCast(loaded.raw));
    put(u32, &attach, 8, attach_type_cgroup_device);
    put(u32, &attach, 12, allow_multi);
    _ = try check(report, .bpf, bpf(prog_attach, &attach));
}

fn put(comptime T: type, bytes: []u8, offset: usize, value: T) void {
    std.mem.writeInt(T, bytes[offset..][0..@sizeOf(T)], value, .little);
}

/// The kernel gives up loading while others load (EAGAIN).
fn bpf(command: usize, attributes: *align(8) [128]u8) usize {
    for (0..30) |_| {
        const rc = linux.syscall3(.bpf, command, @intFromPtr(attributes), attributes.len);
        if (linux.errno(rc) != .AGAIN) return rc;
    }
    return @bitCast(-@as(isize, @intFromEnum(linux.E.AGAIN)));
}
