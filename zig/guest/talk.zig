//! TCP over IPv4 on the pod's own addresses: enough to prove who reaches whom, and to be probed.

const std = @import("std");
const sys = @import("sys.zig");
const json = @import("json.zig");
const linux = sys.linux;

pub const commands = .{
    .{ "tcp-listen", 1, &tcpListen },
    .{ "tcp-ignore", 1, &tcpIgnore },
    .{ "tcp-connect", 1, &tcpConnect },
    .{ "tcp-await", 2, &tcpAwait },
    .{ "http-serve", 2, &httpServe },
};

/// Answers "listening", then greets one connection with the host's name.
fn tcpListen(words: sys.Words) sys.Error!void {
    const fd = try listenOn(try sys.parseSmall(words[0]), 16);
    defer sys.close(fd);

    const connection = try accept(fd);
    defer sys.close(connection);

    var names: linux.utsname = undefined;
    _ = sys.call(.uname, .{&names});
    sys.writeAll(connection, "hello from ");
    sys.writeAll(connection, std.mem.sliceTo(&names.nodename, 0));
    sys.writeAll(connection, "\n");
}

/// Answers "listening" and takes nobody: when the one place is full, nobody gets an answer.
fn tcpIgnore(words: sys.Words) sys.Error!void {
    _ = try listenOn(try sys.parseSmall(words[0]), 0);
}

/// The answer is what the other side says before it closes.
fn tcpConnect(words: sys.Words) sys.Error!void {
    try hear(try connectTo(try sys.parseSmall(words[0])));
}

/// As `tcp-connect`, but tries for so long.
fn tcpAwait(words: sys.Words) sys.Error!void {
    const port = try sys.parseSmall(words[0]);
    const limit_us = try sys.parse(words[1]) * 1000;
    const started = sys.clockUs(.MONOTONIC);
    while (true) {
        if (connectTo(port)) |fd| return hear(fd) else |err| {
            if (sys.clockUs(.MONOTONIC) - started > limit_us) return err;
        }
        sys.sleepMs(5);
    }
}

/// Gives every request the same status, until a signal ends it.
fn httpServe(words: sys.Words) sys.Error!void {
    const fd = try listenOn(try sys.parseSmall(words[0]), 16);
    const status = std.mem.span(words[1]);
    while (true) {
        const connection = try accept(fd);
        defer sys.close(connection);

        var request: [4096]u8 = undefined;
        _ = sys.readSome(connection, &request) catch 0;
        sys.writeAll(connection, "HTTP/1.1 ");
        sys.writeAll(connection, status);
        sys.writeAll(connection, " Probe\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
}

const Address = extern struct { family: u16, port: [2]u8, host: [4]u8, _: [8]u8 = @splat(0) };

fn address(host: [4]u8, port: u16) Address {
    const port_bytes = [2]u8{ @intCast(port >> 8), @truncate(port) };
    return .{ .family = linux.AF.INET, .port = port_bytes, .host = host };
}

fn listenOn(port: u16, backlog: u32) sys.Error!i32 {
    const fd = try sys.openSocket(linux.SOCK.STREAM);
    errdefer sys.close(fd);

    const one: u32 = 1;
    _ = sys.call(.setsockopt, .{ fd, linux.SOL.SOCKET, linux.SO.REUSEADDR, &one, 4 });
    const everywhere = address(.{ 0, 0, 0, 0 }, port);
    _ = try sys.check(sys.call(.bind, .{ fd, &everywhere, @sizeOf(Address) }));
    _ = try sys.check(sys.call(.listen, .{ fd, backlog }));
    json.answer();
    json.string("listening");
    json.finish();
    return fd;
}

fn accept(fd: i32) sys.Error!i32 {
    while (true) {
        const result = sys.call(.accept4, .{ fd, 0, 0, linux.SOCK.CLOEXEC });
        if (linux.errno(result) != .INTR) return @intCast(try sys.check(result));
    }
}

fn connectTo(port: u16) sys.Error!i32 {
    const fd = try sys.openSocket(linux.SOCK.STREAM);
    errdefer sys.close(fd);

    const target = address(.{ 127, 0, 0, 1 }, port);
    _ = try sys.check(sys.call(.connect, .{ fd, &target, @sizeOf(Address) }));
    return fd;
}

fn hear(fd: i32) sys.Error!void {
    defer sys.close(fd);

    var said: [4096]u8 = undefined;
    var used: usize = 0;
    while (used < said.len) {
        const count = try sys.readSome(fd, said[used..]);
        if (count == 0) break;
        used += count;
    }
    json.answer();
    json.string(said[0..used]);
}
