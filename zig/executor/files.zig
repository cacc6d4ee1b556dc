//! Writing the files of volumes: contents, links, and the swap to a new set of them.

const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const schema = @import("../plan/schema.zig");
const Context = @import("context.zig").Context;
const mounts = @import("mounts.zig");
const prepare = @import("prepare.zig");
const tree = @import("tree.zig");
const report_file = @import("report.zig");
const Report = report_file.Report;
const linux = calls.linux;
const check = report_file.check;

const Error = error{Syscall};

pub fn makeHugetlbfs(context: *Context, op: schema.MakeHugetlbfs) Error!void {
    const config: mounts.Config = try .open(context.report, "hugetlbfs");
    defer config.close();

    try config.number("pagesize", op.page_bytes, 10);
    try config.number("size", op.bytes_max, 10);
    try config.number("mode", op.mode, 8);
    if (op.uid != 0) try config.number("uid", op.uid, 10);
    if (op.gid != 0) try config.number("gid", op.gid, 10);
    const mount = try config.create(op.attributes);
    try prepare.keepMount(context, mount, op.attached != 0, op.slot);
}

pub fn writeFile(context: *Context, op: schema.WriteFile) Error!void {
    const report = context.report;
    const how = if (op.replace != 0) calls.O_TRUNC else calls.O_EXCL;
    const flags = calls.O_CREAT | calls.O_WRONLY | calls.O_CLOEXEC | calls.O_NOFOLLOW | how;
    const rc = calls.openat(context.slot(op.directory), context.view.text(op.name), flags, op.mode);
    const file: Fd = .from(try check(report, .openat, rc));
    defer file.close();

    if (op.uid != 0 or op.gid != 0) {
        const owned = calls.fchownat(file.raw, "", op.uid, op.gid, calls.AT_EMPTY_PATH);
        _ = try check(report, .fchownat, owned);
    }
    var rest: []const u8 = context.view.slice(op.content);
    while (rest.len > 0) {
        const written = linux.write(file.raw, rest.ptr, rest.len);
        rest = rest[try check(report, .write, written)..];
    }
}

pub fn makeLink(context: *Context, op: schema.MakeLink) Error!void {
    const directory = context.slot(op.directory);
    const name = context.view.text(op.name);
    const target = context.view.text(op.target);
    try link(context.report, directory, name, target, op.uid, op.gid);
}

const data = "..data";
/// Where the next `..data` stands for a moment; one that a keeper left when it died is in the way.
const data_next = "..data_tmp";

pub fn swapFiles(context: *Context, op: schema.SwapFiles) Error!void {
    const report = context.report;
    const directory = context.slot(op.directory);
    const target = context.view.text(op.target);
    var before: [256]u8 = undefined;
    const rc = calls.readlinkat(directory, data, before[0 .. before.len - 1]);
    const length = try check(report, .readlinkat, rc);
    before[length] = 0;
    _ = calls.unlinkat(directory, data_next, 0);
    try link(report, directory, data_next, target, op.uid, op.gid);
    _ = try check(report, .renameat2, calls.renameat(directory, data_next, data));

    // The new files are in place: what of the old ones stays is in nobody's way.
    var ignored: Report = .{};
    for (context.view.texts(op.stale)) |name| {
        _ = calls.unlinkat(directory, context.view.text(name), 0);
    }
    tree.remove(&ignored, directory, before[0..length :0]) catch {};
}

fn link(
    report: *Report,
    directory: i32,
    name: [*:0]const u8,
    target: [*:0]const u8,
    uid: u32,
    gid: u32,
) Error!void {
    _ = try check(report, .symlinkat, calls.symlinkat(target, directory, name));
    if (uid == 0 and gid == 0) return;
    const rc = calls.fchownat(directory, name, uid, gid, calls.AT_SYMLINK_NOFOLLOW);
    _ = try check(report, .fchownat, rc);
}
