//! What lies in the file system, and what happens when one touches it. Paths are followed like
//! anyone's, except where a link itself is the question (`stat`, `readlink`).

const std = @import("std");
const sys = @import("sys.zig");
const json = @import("json.zig");
const linux = sys.linux;

pub const commands = .{
    .{ "mounts", 0, &mounts },
    .{ "ls", 1, &ls },
    .{ "stat", 1, &stat },
    .{ "statfs", 1, &statfs },
    .{ "readlink", 1, &readlink },
    .{ "read", 1, &read },
    .{ "head", 2, &head },
    .{ "write", 2, &write },
    .{ "append", 2, &append },
    .{ "create", 2, &create },
    .{ "mkdir", 1, &mkdir },
    .{ "unlink", 1, &unlink },
    .{ "await", 2, &awaitPath },
};

/// mountinfo in its own order, with the kernel's escapes (`\040`) left as they are.
fn mounts(_: sys.Words) sys.Error!void {
    const table = try sys.readFile("/proc/self/mountinfo", std.math.maxInt(usize));
    json.answer();
    json.arrayStart();
    var lines = std.mem.tokenizeScalar(u8, table, '\n');
    while (lines.next()) |line| {
        const dash = std.mem.indexOf(u8, line, " - ") orelse continue;
        var left = std.mem.tokenizeScalar(u8, line[0..dash], ' ');
        var right = std.mem.splitScalar(u8, line[dash + 3 ..], ' ');
        json.objectStart();
        for ([_][]const u8{ "id", "parent", "device", "root", "target", "options" }) |name| {
            json.field(name, left.next() orelse "");
        }
        json.field("propagation", std.mem.trim(u8, left.rest(), " "));
        for ([_][]const u8{ "fstype", "source", "superOptions" }) |name| {
            json.field(name, right.next() orelse "");
        }
        json.objectEnd();
    }
    json.arrayEnd();
}

/// Name to type, in the directory's own order.
fn ls(words: sys.Words) sys.Error!void {
    var names: sys.Names = try .init(words[0]);
    defer names.deinit();

    json.answer();
    json.objectStart();
    while (names.next()) |name| {
        json.field(std.mem.span(name.text), kindName(@as(u32, name.kind) << 12));
    }
    json.objectEnd();
}

/// The file type bits of a mode; the types in a directory are the same bits shifted down.
fn kindName(mode: u32) []const u8 {
    return switch (mode & linux.S.IFMT) {
        linux.S.IFREG => "file",
        linux.S.IFDIR => "directory",
        linux.S.IFLNK => "link",
        linux.S.IFCHR => "character",
        linux.S.IFBLK => "block",
        linux.S.IFIFO => "fifo",
        linux.S.IFSOCK => "socket",
        else => "unknown",
    };
}

fn stat(words: sys.Words) sys.Error!void {
    var info: linux.Statx = undefined;
    const follow_no_link = linux.AT.SYMLINK_NOFOLLOW;
    _ = try sys.check(sys.call(.statx, .{ sys.at_cwd, words[0], follow_no_link, 0x7ff, &info }));
    json.answer();
    json.objectStart();
    json.field("type", kindName(info.mode));
    json.key("mode");
    json.octal(info.mode & 0o7777);
    json.field("uid", info.uid);
    json.field("gid", info.gid);
    json.field("size", info.size);
    json.field("links", info.nlink);
    json.field("inode", info.ino & ((1 << 53) - 1));
    json.key("device");
    pair(info.dev_major, info.dev_minor);
    json.key("rdev");
    pair(info.rdev_major, info.rdev_minor);
    json.objectEnd();
}

fn pair(major: u32, minor: u32) void {
    json.arrayStart();
    json.number(major);
    json.number(minor);
    json.arrayEnd();
}

/// `flags` are the ST_ bits (1 is read-only, 2 nosuid, 4 nodev, 8 noexec).
fn statfs(words: sys.Words) sys.Error!void {
    var info: [15]u64 = @splat(0);
    _ = try sys.check(sys.call(.statfs, .{ words[0], &info }));
    json.answer();
    json.objectStart();
    json.field("type", info[0]);
    json.field("blockBytes", info[1]);
    json.field("blocks", info[2] & ((1 << 53) - 1));
    json.field("blocksFree", info[3] & ((1 << 53) - 1));
    json.field("files", info[5] & ((1 << 53) - 1));
    json.field("flags", info[10]);
    json.objectEnd();
}

fn readlink(words: sys.Words) sys.Error!void {
    var target: [4096]u8 = undefined;
    const asked = sys.call(.readlinkat, .{ sys.at_cwd, words[0], &target, target.len });
    const length = try sys.check(asked);
    json.answer();
    json.string(target[0..length]);
}

fn read(words: sys.Words) sys.Error!void {
    const content = try sys.readFile(words[0], 64 << 10);
    json.answer();
    json.string(content);
}

fn head(words: sys.Words) sys.Error!void {
    const content = try sys.readFile(words[0], try sys.parse(words[1]));
    json.answer();
    json.string(content);
}

fn write(words: sys.Words) sys.Error!void {
    try put(words, .{ .ACCMODE = .WRONLY });
}

fn append(words: sys.Words) sys.Error!void {
    try put(words, .{ .ACCMODE = .WRONLY, .APPEND = true, .CREAT = true });
}

fn create(words: sys.Words) sys.Error!void {
    try put(words, .{ .ACCMODE = .WRONLY, .CREAT = true, .EXCL = true });
}

/// One write, so that a control file sees one value. The answer is the number of bytes taken.
fn put(words: sys.Words, comptime how: linux.O) sys.Error!void {
    const fd = try sys.open(words[0], sys.flags(how), 0o644);
    defer sys.close(fd);

    const text = std.mem.span(words[1]);
    const count = try sys.check(sys.call(.write, .{ fd, text.ptr, text.len }));
    json.answer();
    json.number(count);
}

fn mkdir(words: sys.Words) sys.Error!void {
    _ = try sys.check(sys.call(.mkdirat, .{ sys.at_cwd, words[0], 0o755 }));
    json.answer();
    json.string("ok");
}

fn unlink(words: sys.Words) sys.Error!void {
    _ = try sys.check(sys.call(.unlinkat, .{ sys.at_cwd, words[0], 0 }));
    json.answer();
    json.string("ok");
}

/// How containers of one pod wait for each other in tests: looks every two milliseconds, ETIMEDOUT
/// at the end.
fn awaitPath(words: sys.Words) sys.Error!void {
    const started = sys.clockUs(.MONOTONIC);
    const limit = try sys.parse(words[1]) * 1000;
    while (linux.errno(sys.call(.faccessat, .{ sys.at_cwd, words[0], 0 })) != .SUCCESS) {
        if (sys.clockUs(.MONOTONIC) - started > limit) return sys.fail(.TIMEDOUT);
        sys.sleepMs(2);
    }
    json.answer();
    json.string("ok");
}
