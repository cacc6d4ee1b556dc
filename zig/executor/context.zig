//! Everything one execution of a plan holds: slots, the root being built, the streams of the child.
//! No decisions.

const std = @import("std");
const calls = @import("../kernel/calls.zig");
const Fd = @import("../kernel/fd.zig").Fd;
const schema = @import("../plan/schema.zig");
const View = @import("../plan/view.zig").View;
const report_file = @import("report.zig");
const Report = report_file.Report;
const linux = calls.linux;
const check = report_file.check;

/// The keeper's fixed descriptors, opened once.
pub const Host = struct {
    mount_namespace: Fd = .none,
    root: Fd = .none,
    /// The host's procfs: identified as one when it was opened.
    proc: Fd = .none,
    /// The keeper's own lean namespace; none while the keeper still lives in the host's.
    lean: Fd = .none,
    self: Fd = .none,
    /// The keeper's own program, for pause.
    program: Fd = .none,
    /// CLONE_NEW* made before a plan asked for them: the first pod-wide namespaces are these.
    namespaces_made: u64 = 0,
    loopback_made_up: bool = false,
    /// The host's network namespace, once the keeper has left it for one with an interface there.
    network: Fd = .none,
    /// One word a process, in memory shared with all children: 1 once it is past its gate.
    turns: ?[*]u32 = null,
};

pub const Streams = struct {
    /// Become 0, 1 and 2 of the child. Borrowed.
    child: [3]i32 = .{ 0, 0, 0 },
    /// The child's end of the status socket; closed by exec.
    status: i32 = -1,
    terminal: bool = false,
};

pub const LogTarget = struct {
    file: Fd = .none,
    directory: i32 = -1,
    name: [96]u8 = @splat(0),
    bytes_max: u64 = 0,
    files_max: u32 = 0,
    drop_when_full: bool = false,
};

pub const Context = struct {
    view: View,
    report: *Report,
    host: *Host,
    pod: *[schema.pod_slots]Fd,
    plan: [schema.slots_max - schema.pod_slots]Fd = @splat(.none),
    /// One past the highest plan slot ever filled.
    plan_used: u32 = 0,
    /// The keeper has many: the child starts with the keeper's own table and copies what it needs.
    shares_descriptors: bool = false,
    streams: Streams = .{},
    log: LogTarget = .{},
    /// Operations of `prepare` that have been carried out, for undo.
    prepared: u32 = 0,
    /// One past the last operation of `later` that has been carried out.
    reached_later: u32 = 0,
    in_host: bool = false,
    /// The word to wait for before exec, and the one to set then. A child tells the next itself: by
    /// way of the keeper each would wait for two wake-ups more.
    turn_before: ?*u32 = null,
    turn: ?*u32 = null,
    root: Fd = .none,
    /// The empty directory that masks others, once it is attached somewhere.
    mask: Fd = .none,
    /// Opened and checked once, for masks of files. Like `mask` it closes with the child's others.
    null_device: Fd = .none,
    pid: u32 = 0,
    process: Fd = .none,

    pub fn slot(context: *const Context, number: schema.Slot) i32 {
        const index = @intFromEnum(number);
        if (number == .none) return -1;
        if (index < schema.pod_slots) return context.pod[index].raw;
        return context.plan[index - schema.pod_slots].raw;
    }

    pub fn fill(context: *Context, number: schema.Slot, fd: Fd) void {
        if (number == .none) return fd.close();
        const index = @intFromEnum(number);
        const place = if (index < schema.pod_slots)
            &context.pod[index]
        else
            &context.plan[index - schema.pod_slots];
        if (index >= schema.pod_slots) context.plan_used = @max(
            context.plan_used,
            index - schema.pod_slots + 1,
        );
        place.release();
        place.* = fd;
    }

    /// One past the highest descriptor that the child of this launch uses.
    pub fn descriptorsEnd(context: *const Context) u32 {
        const host = context.host;
        var highest: i32 = context.streams.status;
        for ([_]Fd{ host.mount_namespace, host.root, host.proc, host.lean, host.self }) |fd| {
            highest = @max(highest, fd.raw);
        }
        highest = @max(highest, @max(host.program.raw, host.network.raw));
        for (context.streams.child) |fd| highest = @max(highest, fd);
        for (context.pod) |fd| highest = @max(highest, fd.raw);
        for (context.plan[0..context.plan_used]) |fd| highest = @max(highest, fd.raw);
        return @intCast(highest + 1);
    }

    pub fn closePlanSlots(context: *Context) void {
        for (context.plan[0..context.plan_used]) |*fd| fd.release();
    }

    /// setns lands on the namespace's root, so the saved root is entered again (man 2 setns).
    pub fn enterHost(context: *Context) error{Syscall}!void {
        if (context.in_host or !context.host.lean.isOpen()) return;
        const report = context.report;
        _ = try check(
            report,
            .setns,
            calls.setns(context.host.mount_namespace.raw, calls.CLONE_NEWNS),
        );
        context.in_host = true;
        _ = try check(report, .fchdir, linux.fchdir(context.host.root.raw));
        _ = try check(report, .chroot, linux.chroot("."));
    }

    pub fn leaveHost(context: *Context) error{Syscall}!void {
        if (!context.in_host) return;
        _ = try check(
            context.report,
            .setns,
            calls.setns(context.host.lean.raw, calls.CLONE_NEWNS),
        );
        context.in_host = false;
    }

    pub const Missing = enum { fail, make_directory, make_file };

    /// A name inside the root, as the container would resolve it. The image controls every name in
    /// there, so the kernel keeps the walk inside, and magic links are not followed.
    pub fn beneathRoot(
        context: *Context,
        target: [:0]const u8,
        missing: Missing,
    ) error{Syscall}!Fd {
        return context.find(target, missing, .follow);
    }

    /// Where the runtime's own mounts go: a link there is never followed, not even within the root,
    /// for it may lead into a volume where others swap what the next step would meet.
    pub fn kernelPlace(
        context: *Context,
        target: [:0]const u8,
        missing: Missing,
    ) error{Syscall}!Fd {
        return context.find(target, missing, .refuse);
    }

    fn find(
        context: *Context,
        target: [:0]const u8,
        missing: Missing,
        links: Links,
    ) error{Syscall}!Fd {
        const report = context.report;
        const root = context.root.raw;
        const rc = openInRoot(root, target, links);
        if (linux.errno(rc) != .NOENT or missing == .fail) return .from(
            try check(report, .openat2, rc),
        );

        try context.makeParents(target, missing == .make_directory);
        if (missing == .make_file) try context.makeFile(target);
        return .from(try check(report, .openat2, openInRoot(root, target, links)));
    }

    /// Each missing directory on the way, owned by the pod's root user.
    pub fn makeParents(
        context: *Context,
        target: [:0]const u8,
        last_too: bool,
    ) error{Syscall}!void {
        const report = context.report;
        var end: usize = 0;
        while (end < target.len) {
            end = std.mem.findScalarPos(u8, target, end + 1, '/') orelse target.len;
            if (end == target.len and !last_too) return;
            var prefix: [4096]u8 = undefined;
            if (end >= prefix.len) return report_file.fail(report, .openat2, .NAMETOOLONG);
            @memcpy(prefix[0..end], target[0..end]);
            prefix[end] = 0;
            const path = prefix[0..end :0];
            const found = openInRoot(context.root.raw, path, .follow);
            if (linux.errno(found) == .SUCCESS) {
                Fd.from(found).close();
                continue;
            }

            const parent: Fd, const name = try context.parentOf(path);
            defer parent.close();

            const rc = calls.mkdirat(parent.raw, name, 0o755);
            if (linux.errno(rc) == .OVERFLOW) {
                context.beRootInside();
                defer beRoot();
                _ = try check(report, .mkdirat, calls.mkdirat(parent.raw, name, 0o755));
                continue;
            }
            _ = try check(report, .mkdirat, rc);
            try context.own(parent.raw, name);
        }
    }

    fn makeFile(context: *Context, target: [:0]const u8) error{Syscall}!void {
        const report = context.report;
        const parent: Fd, const name = try context.parentOf(target);
        defer parent.close();

        const flags = calls.O_CREAT | calls.O_EXCL | calls.O_WRONLY |
            calls.O_CLOEXEC | calls.O_NOFOLLOW;
        const rc = calls.openat(parent.raw, name, flags, 0o644);
        if (linux.errno(rc) == .OVERFLOW) {
            context.beRootInside();
            defer beRoot();
            const made = calls.openat(parent.raw, name, flags, 0o644);
            return Fd.from(try check(report, .openat, made)).close();
        }
        Fd.from(try check(report, .openat, rc)).close();
        try context.own(parent.raw, name);
    }

    /// A mount with an id map of the pod's takes new files only from ids that the map has
    /// (Documentation/filesystems/idmappings.rst): until `beRoot`, the pod's root makes them.
    fn beRootInside(context: *const Context) void {
        const head = context.view.header();
        _ = linux.syscall1(.setfsgid, head.root_gid);
        _ = linux.syscall1(.setfsuid, head.root_uid);
    }

    fn own(context: *Context, parent: i32, name: [*:0]const u8) error{Syscall}!void {
        const head = context.view.header();
        if (head.root_uid == 0 and head.root_gid == 0) return;
        const rc = calls.fchownat(
            parent,
            name,
            head.root_uid,
            head.root_gid,
            calls.AT_SYMLINK_NOFOLLOW,
        );
        // Inside the user namespace the maker is the owner already, and may not name ids it has no
        // map for.
        if (linux.errno(rc) != .INVAL) _ = try check(context.report, .fchownat, rc);
    }

    pub fn parentOf(
        context: *Context,
        path: [:0]const u8,
    ) error{Syscall}!struct { Fd, [*:0]const u8 } {
        const cut = std.mem.findScalarLast(u8, path, '/') orelse 0;
        var parent: [4096]u8 = undefined;
        if (cut >= parent.len) return report_file.fail(context.report, .openat2, .NAMETOOLONG);
        @memcpy(parent[0..cut], path[0..cut]);
        parent[cut] = 0;
        const name = path[@min(cut + 1, path.len)..];
        const rc = openInRoot(context.root.raw, if (cut == 0) "/" else parent[0..cut :0], .follow);
        return .{ .from(try check(context.report, .openat2, rc)), name };
    }
};

fn beRoot() void {
    _ = linux.syscall1(.setfsuid, 0);
    _ = linux.syscall1(.setfsgid, 0);
}

const Links = enum { follow, refuse };

fn openInRoot(root: i32, path: [*:0]const u8, links: Links) usize {
    const how: calls.OpenHow = .{
        .flags = calls.O_PATH | calls.O_CLOEXEC,
        .resolve = calls.RESOLVE_IN_ROOT | switch (links) {
            .follow => calls.RESOLVE_NO_MAGICLINKS,
            .refuse => calls.RESOLVE_NO_SYMLINKS,
        },
    };
    // A rename on the way makes the kernel give up with EAGAIN (man 2 openat2); nobody else is in
    // there for long.
    for (0..32) |_| {
        const rc = calls.openat2(root, path, how);
        if (linux.errno(rc) != .AGAIN and linux.errno(rc) != .INTR) return rc;
    }
    return @bitCast(-@as(isize, @intFromEnum(linux.E.AGAIN)));
}
