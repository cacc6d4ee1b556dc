//! The kernel's own language for interfaces, addresses, routes and packet rules (man 7 netlink).
//! The planner wrote the requests; here they are sent, all at once, and their answers read.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const schema = @import("../plan/schema.zig");
const Context = @import("context.zig").Context;
const report_file = @import("report.zig");
const Report = report_file.Report;
const linux = calls.linux;
const check = report_file.check;

const Error = error{Syscall};

pub fn sendNetlink(context: *Context, op: schema.Netlink) Error!void {
    const socket = try open(context, op);
    defer socket.close();

    try send(context, socket, op);
    readAnswers(context, socket, op) catch |err| {
        if (op.may_fail == 0) return err;
    };
}

fn open(context: *Context, op: schema.Netlink) Error!Fd {
    const report = context.report;
    const host = context.host.network;
    if (op.in_pod != 0 or !host.isOpen()) return openHere(report, op.family);
    const flags = calls.O_RDONLY | calls.O_CLOEXEC;
    const opened = calls.openat(context.host.proc.raw, "self/ns/net", flags, 0);
    const own: Fd = .from(try check(report, .openat, opened));
    defer own.close();

    // A socket belongs to the namespace that it was made in, whoever uses it.
    _ = try check(report, .setns, calls.setns(host.raw, calls.CLONE_NEWNET));
    const socket = openHere(report, op.family);
    _ = try check(report, .setns, calls.setns(own.raw, calls.CLONE_NEWNET));
    return socket;
}

fn openHere(report: *Report, family: u32) Error!Fd {
    const flags = linux.SOCK.RAW | linux.SOCK.CLOEXEC;
    const rc = linux.socket(linux.AF.NETLINK, flags, family);
    const socket: Fd = .from(try check(report, .socket, rc));
    // The kernel's sentence where it has one, and not our request over again.
    const sol_netlink = 270;
    for ([_]u32{ cap_ack, ext_ack }) |option| {
        const on: u32 = 1;
        _ = linux.setsockopt(socket.raw, sol_netlink, option, @ptrCast(&on), @sizeOf(u32));
    }
    return socket;
}

const cap_ack = 10;
const ext_ack = 11;

/// In three parts where the middle one is the keeper's own pid: a planner cannot know it, and by it
/// the kernel finds the namespace that an interface is to be born in (IFLA_NET_NS_PID).
fn send(context: *Context, socket: Fd, op: schema.Netlink) Error!void {
    const messages = context.view.slice(op.messages);
    const pid: u32 = @intCast(linux.getpid());
    const at = @min(op.pid_at, messages.len);
    const after = if (at == 0) 0 else @min(at + @sizeOf(u32), messages.len);
    const parts = [_]std.posix.iovec_const{
        .{ .base = messages.ptr, .len = at },
        .{ .base = @ptrCast(&pid), .len = after - at },
        .{ .base = messages[after..].ptr, .len = messages.len - after },
    };
    const rc = linux.syscall3(.writev, calls.raw(socket.raw), @intFromPtr(&parts), parts.len);
    _ = try check(context.report, .sendmsg, rc);
}

const Head = extern struct { bytes: u32, type: u16, flags: u16, sequence: u32, port: u32 };
const Answer = extern struct { head: Head, errno: i32, request: Head };

/// The kernel answers while it is being written to, so what there is to read is there. It tells
/// each failure, and of what went well only the last.
fn readAnswers(context: *Context, socket: Fd, op: schema.Netlink) Error!void {
    const report = context.report;
    while (true) {
        var buffer: [4096]u8 align(8) = undefined;
        const rc = linux.read(socket.raw, &buffer, buffer.len);
        var rest: []align(4) const u8 = buffer[0..try check(report, .read, rc)];
        while (rest.len >= @sizeOf(Answer)) {
            const answer: *const Answer = @ptrCast(rest.ptr);
            const message = rest[0..@min(answer.head.bytes, rest.len)];
            if (answer.errno != 0) return fail(context, op, answer, message[@sizeOf(Answer)..]);
            if (answer.request.sequence == op.labels.count) return;
            const next = std.mem.alignForward(usize, message.len, 4);
            if (next == 0 or next >= rest.len) break;
            rest = @alignCast(rest[next..]);
        }
    }
}

fn fail(
    context: *Context,
    op: schema.Netlink,
    answer: *const Answer,
    attributes: []const u8,
) Error {
    const report = context.report;
    const labels = context.view.texts(op.labels);
    const number = answer.request.sequence;
    var writer = std.Io.Writer.fixed(report.message[0 .. report.message.len - 1]);
    if (number >= 1 and number <= labels.len) {
        writer.writeAll(context.view.text(labels[number - 1])) catch {};
    }
    const said = sentence(attributes);
    if (said.len > 0) writer.print(": {s}", .{said}) catch {};
    report.message[writer.end] = 0;
    return report_file.fail(report, .sendmsg, @enumFromInt(@as(u16, @intCast(-answer.errno))));
}

/// NLMSGERR_ATTR_MSG, a text that ends in NUL.
fn sentence(attributes: []const u8) []const u8 {
    const attr_message = 1;
    var rest = attributes;
    while (rest.len > 4) {
        const bytes = std.mem.readInt(u16, rest[0..2], .little);
        if (bytes < 4 or bytes > rest.len) return "";
        if (std.mem.readInt(u16, rest[2..4], .little) == attr_message) {
            return std.mem.trimEnd(u8, rest[4..bytes], "\x00");
        }
        rest = rest[@min(std.mem.alignForward(usize, bytes, 4), rest.len)..];
    }
    return "";
}
