//! What an attacker inside does while a runtime works: swaps names under it, and looks for whatever
//! it carries in.

const std = @import("std");
const sys = @import("sys.zig");
const json = @import("json.zig");
const linux = sys.linux;

pub const commands = .{
    .{ "flip", 3, &flip },
    .{ "hunt", 1, &hunt },
};

const exchange = 2;

/// `flip A B MS`: exchange the two names as fast as it goes; how often.
fn flip(words: sys.Words) sys.Error!void {
    const end = sys.clockUs(.MONOTONIC) + 1000 * try sys.parse(words[2]);
    var count: u64 = 0;
    while (sys.clockUs(.MONOTONIC) < end) : (count += 2) {
        for (0..2) |_| {
            const rc = sys.call(
                .renameat2,
                .{ sys.at_cwd, words[0], sys.at_cwd, words[1], exchange },
            );
            _ = try sys.check(rc);
        }
    }
    json.answer();
    json.number(count);
}

/// Distinct things seen, each as short text.
const Finds = struct {
    buffer: [64][96]u8 = undefined,
    lengths: [64]usize = @splat(0),
    count: usize = 0,

    fn add(finds: *Finds, kind: []const u8, target: []const u8) void {
        var text: [96]u8 = undefined;
        var writer: std.Io.Writer = .fixed(&text);
        writer.print("{s} ", .{kind}) catch {};
        // Numbers differ from one process to the next and say nothing.
        for (target) |byte| if (!std.ascii.isDigit(byte)) writer.writeByte(byte) catch break;
        for (finds.buffer[0..finds.count], finds.lengths[0..finds.count]) |known, length| {
            if (std.mem.eql(u8, known[0..length], writer.buffered())) return;
        }
        if (finds.count == finds.buffer.len) return;
        finds.buffer[finds.count] = text;
        finds.lengths[finds.count] = writer.end;
        finds.count += 1;
    }
};

var found: Finds = .{};

/// `hunt MS`: every process that appears is searched for what is not of this container: its root,
/// its working directory, its program, its descriptors, by name and by `pidfd_getfd`. Says how many
/// processes appeared, how many descriptors could be opened, and what was foreign.
fn hunt(words: sys.Words) sys.Error!void {
    const end = sys.clockUs(.MONOTONIC) + 1000 * try sys.parse(words[0]);
    const mounts = try sys.readFile("/proc/self/mountinfo", 1 << 20);
    const own: i32 = @intCast(sys.call(.getpid, .{}));
    var last: i32 = 0;
    var appeared: u64 = 0;
    var opened: u64 = 0;
    while (sys.clockUs(.MONOTONIC) < end) {
        var names: sys.Names = try .init("/proc");
        defer names.deinit();
        while (names.next()) |name| {
            const pid = std.fmt.parseInt(i32, std.mem.span(name.text), 10) catch continue;
            // The first is pause where it is not us: there for all to see, with nothing to take.
            if (pid == own or pid == 1) continue;
            if (pid > last) appeared += 1;
            last = @max(last, pid);
            opened += search(names.fd, name.text, pid, mounts);
        }
    }
    json.answer();
    json.objectStart();
    json.field("appeared", appeared);
    json.field("opened", opened);
    json.key("foreign");
    json.arrayStart();
    for (found.buffer[0..found.count], found.lengths[0..found.count]) |text, length| {
        json.string(text[0..length]);
    }
    json.arrayEnd();
    json.objectEnd();
}

fn search(proc: i32, digits: sys.Text, pid: i32, mounts: []const u8) u64 {
    const rc = sys.call(.openat, .{ proc, digits, sys.flags(.{ .DIRECTORY = true }), 0 });
    if (linux.errno(rc) != .SUCCESS) return 0;
    const process: i32 = @intCast(rc);
    defer sys.close(process);
    for ([_][:0]const u8{ "root", "cwd", "exe" }) |link| look(process, link, link, mounts);
    return searchDescriptors(process, mounts) + stealDescriptors(pid);
}

fn searchDescriptors(process: i32, mounts: []const u8) u64 {
    const rc = sys.call(.openat, .{ process, "fd", sys.flags(.{ .DIRECTORY = true }), 0 });
    if (linux.errno(rc) != .SUCCESS) return 0;
    var names: sys.Names = .{ .fd = @intCast(rc) };
    defer names.deinit();
    var opened: u64 = 0;
    while (names.next()) |name| {
        look(names.fd, name.text, "fd", mounts);
        opened += 1;
    }
    return opened;
}

fn look(directory: i32, name: sys.Text, kind: []const u8, mounts: []const u8) void {
    const rc = sys.call(.openat, .{ directory, name, sys.flags(.{ .PATH = true }), 0 });
    if (linux.errno(rc) != .SUCCESS) return;
    const fd: i32 = @intCast(rc);
    defer sys.close(fd);
    var stat: linux.Statx = undefined;
    const empty_path = 0x1000;
    const basic = 0x7ff;
    const asked = sys.call(.statx, .{ fd, "", empty_path, basic, &stat });
    if (linux.errno(asked) != .SUCCESS) return;
    if (isMounted(stat.dev_major, stat.dev_minor, mounts)) return;
    var target: [256]u8 = undefined;
    found.add(kind, nameOf(fd, &target));
}

/// By our own descriptor: whoever held it may be gone.
fn nameOf(fd: i32, buffer: *[256]u8) []const u8 {
    var path: [32]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&path);
    writer.print("/proc/self/fd/{d}\x00", .{fd}) catch unreachable;
    const link: sys.Text = @ptrCast(&path);
    const length = sys.call(.readlinkat, .{ sys.at_cwd, link, buffer, buffer.len });
    return if (linux.errno(length) == .SUCCESS) buffer[0..length] else "unknown";
}

/// Whether this container sees the file system: the third word of a line of mountinfo.
fn isMounted(major: u32, minor: u32, mounts: []const u8) bool {
    var text: [24]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&text);
    writer.print(" {d}:{d} ", .{ major, minor }) catch return false;
    return std.mem.indexOf(u8, mounts, writer.buffered()) != null;
}

fn stealDescriptors(pid: i32) u64 {
    const rc = sys.call(.pidfd_open, .{ pid, 0 });
    if (linux.errno(rc) != .SUCCESS) return 0;
    const pidfd: i32 = @intCast(rc);
    defer sys.close(pidfd);
    var stolen: u64 = 0;
    const most = 64;
    for (0..most) |number| {
        const taken = sys.call(.pidfd_getfd, .{ pidfd, number, 0 });
        if (linux.errno(taken) != .SUCCESS) continue;
        var target: [256]u8 = undefined;
        found.add("pidfd", nameOf(@intCast(taken), &target));
        sys.close(@intCast(taken));
        stolen += 1;
    }
    return stolen;
}
