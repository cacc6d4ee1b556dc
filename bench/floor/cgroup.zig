//! Control groups of pod and containers, with the limits that the hierarchy offers controllers for.
const sys = @import("sys.zig");
const protocol = @import("protocol.zig");

pub const Kind = enum { pod, container };

/// Makes a group and returns it opened.
pub fn make(
    trace: *const sys.Trace,
    options: protocol.Options,
    parent: i32,
    kind: Kind,
    number: u32,
) i32 {
    const name = nameOf(kind, number);
    const group = makeNamed(trace, parent, name.ptr());
    if (options.cpu) {
        write(trace, group, "cpu.weight", "20");
        write(trace, group, "cpu.max", "200000 100000");
    }
    if (options.memory) {
        write(trace, group, "memory.max", "268435456");
        write(trace, group, "memory.swap.max", "0");
        if (kind == .container) write(trace, group, "memory.oom.group", "1");
    }
    if (options.pids) write(trace, group, "pids.max", "1024");
    if (kind == .pod) delegate(trace, options, group);
    return group;
}

pub fn makeNamed(trace: *const sys.Trace, parent: i32, name: [*:0]const u8) i32 {
    _ = trace.call(.cgroup, .mkdirat, .{ parent, name, 0o755 });
    const flags = sys.O_PATH | sys.O_DIRECTORY | sys.O_CLOEXEC;
    return trace.fd(.cgroup, .openat, .{ parent, name, flags });
}

fn delegate(trace: *const sys.Trace, options: protocol.Options, group: i32) void {
    const wanted: sys.Text = .of(&.{
        if (options.cpu) "+cpu " else "",
        if (options.memory) "+memory " else "",
        if (options.pids) "+pids " else "",
    });
    if (wanted.length > 0) write(trace, group, "cgroup.subtree_control", wanted.slice());
}

pub fn remove(trace: *const sys.Trace, parent: i32, kind: Kind, number: u32) void {
    const name = nameOf(kind, number);
    _ = trace.call(.cgroup, .unlinkat, .{ parent, name.ptr(), sys.AT_REMOVEDIR });
}

fn nameOf(kind: Kind, number: u32) sys.Text {
    var name: sys.Text = .of(&.{if (kind == .pod) "pod" else "c"});
    name.addNumber(number);
    return name;
}

fn write(trace: *const sys.Trace, directory: i32, name: [*:0]const u8, content: []const u8) void {
    const file = trace.fd(.cgroup, .openat, .{ directory, name, sys.O_WRONLY | sys.O_CLOEXEC });
    _ = trace.call(.cgroup, .write, .{ file, content.ptr, content.len });
    _ = trace.call(.cgroup, .close, .{file});
}
