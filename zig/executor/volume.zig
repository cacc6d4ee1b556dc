//! Opening what a user named on the host: looked up once, checked, and detached before any
//! container can act.

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

pub fn openVolume(context: *Context, op: schema.OpenVolume) Error!void {
    const report = context.report;
    // A mount of the keeper's own is only in its own namespace to be cloned.
    if (op.base == .none) try context.enterHost() else try context.leaveHost();
    var source = try openSource(context, op);
    defer source.close();

    const type_bits = try checkType(report, source.raw, op.expect);
    const sub_path = context.view.text(op.sub_path);
    if (sub_path.len > 0 and type_bits == calls.S_IFDIR) {
        const inner = try openSubPath(context, op, source.raw, sub_path);
        source.close();
        source = inner;
    }
    const tree = try mounts.clone(report, source.raw, "", op.recursive != 0);
    errdefer tree.close();

    try restrict(report, tree.raw, op);
    if (op.user_namespace != .none) try mapIds(context, tree.raw, op);
    context.fill(op.slot, tree);
}

/// A clone of a shared mount is a peer of the original until it is told otherwise.
fn restrict(report: *Report, tree: i32, op: schema.OpenVolume) Error!void {
    const propagation = if (op.sends != 0)
        calls.MS_SHARED
    else if (op.receives != 0) calls.MS_SLAVE else calls.MS_PRIVATE;
    try mounts.set(report, tree, .{
        .attr_set = @as(u32, @bitCast(op.attributes)),
        .propagation = propagation,
    }, op.recursive != 0);
    const top: u64 = @as(u32, @bitCast(op.top_attributes));
    if (top != 0) try mounts.set(report, tree, .{ .attr_set = top }, false);
}

fn openSource(context: *Context, op: schema.OpenVolume) Error!Fd {
    const report = context.report;
    const path = context.view.text(op.path);
    const base = if (op.base == .none) calls.AT_FDCWD else context.slot(op.base);
    const name: [*:0]const u8 = if (path.len == 0) "." else path;
    const flags = calls.O_PATH | calls.O_CLOEXEC;
    const rc = calls.openat(base, name, flags, 0);
    if (linux.errno(rc) != .NOENT or op.create_mode == 0) return .from(
        try check(report, .openat, rc),
    );

    if (op.expect == .directory) {
        try makeDirectories(report, path, op.create_mode);
    } else {
        const create = calls.O_CREAT | calls.O_EXCL | calls.O_WRONLY | calls.O_CLOEXEC;
        Fd.from(
            try check(report, .openat, calls.openat(base, name, create, op.create_mode)),
        ).close();
    }
    return .from(try check(report, .openat, calls.openat(base, name, flags, 0)));
}

/// `mkdir -p` of a path that the user wrote; Kubernetes leaves such directories in place
/// afterwards, and so do we.
fn makeDirectories(report: *Report, path: [:0]const u8, mode: u32) Error!void {
    var end: usize = 0;
    while (end < path.len) {
        end = std.mem.findScalarPos(u8, path, end + 1, '/') orelse path.len;
        var prefix: [4096]u8 = undefined;
        if (end >= prefix.len) return report_file.fail(report, .mkdirat, .NAMETOOLONG);
        @memcpy(prefix[0..end], path[0..end]);
        prefix[end] = 0;
        const rc = calls.mkdirat(calls.AT_FDCWD, prefix[0..end :0], mode);
        if (linux.errno(rc) != .EXIST) _ = try check(report, .mkdirat, rc);
    }
}

fn checkType(report: *Report, fd: i32, expect: schema.FileType) Error!u32 {
    const mode = try modeOf(report, fd);
    const bits = mode & calls.S_IFMT;
    const matches = switch (expect) {
        .any => true,
        .directory => bits == calls.S_IFDIR,
        .file => bits == calls.S_IFREG,
        .socket => bits == calls.S_IFSOCK,
        .character_device => bits == calls.S_IFCHR,
        .block_device => bits == calls.S_IFBLK,
    };
    if (!matches) return report_file.fail(
        report,
        .verify,
        if (expect == .directory) .NOTDIR else .INVAL,
    );
    return bits;
}

fn modeOf(report: *Report, fd: i32) Error!u32 {
    var stat: linux.Statx = undefined;
    const rc = linux.statx(fd, "", calls.AT_EMPTY_PATH, .{ .TYPE = true, .MODE = true }, &stat);
    _ = try check(report, .statx, rc);
    return stat.mode;
}

/// Component by component without following a link: other containers may write to the volume
/// meanwhile. A missing directory gets the mode of the volume's own root, as the kubelet does it.
fn openSubPath(
    context: *Context,
    op: schema.OpenVolume,
    volume: i32,
    path: [:0]const u8,
) Error!Fd {
    const report = context.report;
    // In a mapped volume the host's root is the pod's; elsewhere ids are the pod's own.
    const is_mapped = op.user_namespace != .none;
    const owner = if (is_mapped) 0 else context.view.header().root_uid;
    const mode = try modeOf(report, volume) & 0o7777;
    var current: Fd = .from(
        try check(
            report,
            .openat,
            calls.openat(volume, ".", calls.O_PATH | calls.O_DIRECTORY | calls.O_CLOEXEC, 0),
        ),
    );
    errdefer current.close();

    var components = std.mem.tokenizeScalar(u8, path, '/');
    while (components.next()) |component| {
        var name: [256]u8 = undefined;
        if (component.len >= name.len) return report_file.fail(report, .openat2, .NAMETOOLONG);
        @memcpy(name[0..component.len], component);
        name[component.len] = 0;
        const next = try openComponent(
            report,
            current.raw,
            name[0..component.len :0],
            mode,
            owner,
        );
        current.close();
        current = next;
    }
    return current;
}

fn openComponent(
    report: *Report,
    parent: i32,
    name: [:0]const u8,
    mode: u32,
    owner: u32,
) Error!Fd {
    const how: calls.OpenHow = .{
        .flags = calls.O_PATH | calls.O_NOFOLLOW | calls.O_CLOEXEC,
        .resolve = calls.RESOLVE_BENEATH | calls.RESOLVE_NO_SYMLINKS | calls.RESOLVE_NO_MAGICLINKS,
    };
    const rc = calls.openat2(parent, name, how);
    if (linux.errno(rc) != .NOENT) {
        const there: Fd = .from(try check(report, .openat2, rc));
        return refuseLink(report, there);
    }

    const made = calls.mkdirat(parent, name, mode);
    if (linux.errno(made) != .EXIST) _ = try check(report, .mkdirat, made);
    const opened: Fd = .from(try check(report, .openat2, calls.openat2(parent, name, how)));
    const found = try refuseLink(report, opened);
    errdefer found.close();

    if (linux.errno(made) == .SUCCESS) {
        // mkdir applied the umask; O_PATH descriptors are changed by name, which nobody can have
        // replaced unseen: the descriptor is compared by what it is, a directory that we own.
        const readable = calls.openat(
            found.raw,
            ".",
            calls.O_RDONLY | calls.O_DIRECTORY | calls.O_CLOEXEC,
            0,
        );
        const directory: Fd = .from(try check(report, .openat, readable));
        defer directory.close();

        if (owner != 0) {
            const flags = calls.AT_EMPTY_PATH;
            const rc_own = calls.fchownat(directory.raw, "", owner, owner, flags);
            _ = try check(report, .fchownat, rc_own);
        }
        _ = try check(report, .fchmod, calls.fchmod(directory.raw, mode));
    }
    return found;
}

/// With O_PATH and O_NOFOLLOW a link at the end of a name is opened itself rather than refused,
/// RESOLVE_NO_SYMLINKS or not (man 2 openat2).
fn refuseLink(report: *Report, fd: Fd) Error!Fd {
    errdefer fd.close();

    const bits = try modeOf(report, fd.raw) & calls.S_IFMT;
    if (bits == calls.S_IFLNK) return report_file.fail(report, .openat2, .LOOP);
    return fd;
}

/// Show the files with the ids of the pod's user namespace (man 2 mount_setattr, "ID-mapped
/// mounts").
fn mapIds(context: *Context, tree: i32, op: schema.OpenVolume) Error!void {
    const deep: u32 = if (op.recursive != 0) calls.AT_RECURSIVE else 0;
    const rc = calls.mount_setattr(tree, "", calls.AT_EMPTY_PATH | deep, .{
        .attr_set = calls.MOUNT_ATTR_IDMAP,
        .userns_fd = @intCast(context.slot(op.user_namespace)),
    });
    if (linux.errno(rc) == .INVAL) nameFileSystem(context.report, tree);
    _ = try check(context.report, .mount_setattr, rc);
}

/// Its magic number (man 2 statfs), for the sentence that says which one takes no id maps.
fn nameFileSystem(report: *Report, tree: i32) void {
    var buffer: [16]u64 = @splat(0);
    const rc = linux.syscall2(.fstatfs, calls.raw(tree), @intFromPtr(&buffer));
    if (linux.errno(rc) != .SUCCESS) return;
    var digits: [32]u8 = undefined;
    const number = mounts.format(&digits, buffer[0], 10);
    @memcpy(report.message[0..number.len], number);
    report.message[number.len] = 0;
}
