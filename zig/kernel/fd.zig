//! An owned descriptor. Whoever holds an `Fd` closes it; a bare `i32` is borrowed.

const calls = @import("calls.zig");

pub const Fd = struct {
    raw: i32,

    pub const none: Fd = .{ .raw = -1 };

    pub fn from(rc: usize) Fd {
        return .{ .raw = @intCast(rc) };
    }

    pub fn isOpen(fd: Fd) bool {
        return fd.raw >= 0;
    }

    pub fn close(fd: Fd) void {
        if (fd.raw >= 0) calls.close(fd.raw);
    }

    /// Close and forget, for descriptors that live in a table.
    pub fn release(fd: *Fd) void {
        fd.close();
        fd.* = .none;
    }
};
