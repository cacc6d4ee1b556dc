//! The last operation: the process becomes the container's program.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const schema = @import("../plan/schema.zig");
const Context = @import("context.zig").Context;
const report_file = @import("report.zig");
const linux = calls.linux;
const check = report_file.check;

const Error = error{Syscall};

/// Arguments and environment together; their count is checked here because a pointer costs memory
/// that is fixed.
pub const strings_max = 8192;

pub fn exec(context: *Context, op: schema.Exec) Error!void {
    const report = context.report;
    const view = context.view;
    try enterDirectory(context, op);
    calls.umask(op.umask);
    if (op.arguments.count + op.environment.count + 2 > strings_max) return report_file.fail(
        report,
        .execve,
        .@"2BIG",
    );
    var pointers: [strings_max]?[*:0]const u8 = undefined;
    const arguments = fillPointers(context, op.arguments, pointers[0..]);
    const environment = fillPointers(context, op.environment, pointers[op.arguments.count + 1 ..]);

    // The search of execvp: what is not there is passed over, what may not be run is remembered.
    var denied = false;
    for (view.texts(op.candidates)) |candidate| {
        const rc = linux.execve(view.text(candidate), arguments, environment);
        switch (linux.errno(rc)) {
            .NOENT, .NOTDIR => continue,
            .ACCES => denied = true,
            else => |errno| return report_file.fail(report, .execve, errno),
        }
    }
    return report_file.fail(report, .execve, if (denied) .ACCES else .NOENT);
}

fn enterDirectory(context: *Context, op: schema.Exec) Error!void {
    const path = context.view.text(op.directory);
    const rc = linux.chdir(path);
    if (linux.errno(rc) != .NOENT or op.create_directory == 0) {
        _ = try check(context.report, .chdir, rc);
        return;
    }
    var end: usize = 0;
    while (end < path.len) {
        end = std.mem.findScalarPos(u8, path, end + 1, '/') orelse path.len;
        var prefix: [4096]u8 = undefined;
        if (end >= prefix.len) return report_file.fail(context.report, .chdir, .NAMETOOLONG);
        @memcpy(prefix[0..end], path[0..end]);
        prefix[end] = 0;
        const made = calls.mkdirat(calls.AT_FDCWD, prefix[0..end :0], 0o755);
        if (linux.errno(made) != .EXIST) _ = try check(context.report, .mkdirat, made);
    }
    _ = try check(context.report, .chdir, linux.chdir(path));
}

fn fillPointers(
    context: *Context,
    list: schema.TextList,
    pointers: []?[*:0]const u8,
) [*:null]const ?[*:0]const u8 {
    for (context.view.texts(list), 0..) |entry, index| pointers[index] = context.view.text(entry);
    pointers[list.count] = null;
    return @ptrCast(pointers.ptr);
}

/// An exec, not a fork: a fork would carry the keeper's memory into the pod's PID namespace.
pub fn execPause(context: *Context) Error!void {
    const arguments = [_:null]?[*:0]const u8{"pause"};
    const environment = [_:null]?[*:0]const u8{};
    const flags = calls.AT_EMPTY_PATH;
    const rc = linux.syscall5(
        .execveat,
        calls.raw(context.host.program.raw),
        @intFromPtr(@as([*:0]const u8, "")),
        @intFromPtr(&arguments),
        @intFromPtr(&environment),
        flags,
    );
    _ = try check(context.report, .execveat, rc);
}
