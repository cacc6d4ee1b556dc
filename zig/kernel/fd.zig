//! An owned descriptor. Whoever holds an `Fd` closes it; a bare `i32` is borrowed.

const calls = @import("calls.zig");
const linux = calls.linux;

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

    const dup_cloexec = 1030;

    pub fn copyOf(fd: i32) Fd {
        const rc = linux.fcntl(fd, dup_cloexec, 0);
        return if (linux.errno(rc) == .SUCCESS) .from(rc) else .none;
    }

    /// To the first free number from `lowest` on. Where the limit on descriptors does not allow it
    /// the number stays what it is.
    pub fn raise(fd: *Fd, lowest: u32) void {
        if (!fd.isOpen()) return;
        const rc = linux.fcntl(fd.raw, dup_cloexec, lowest);
        if (linux.errno(rc) != .SUCCESS) return;
        fd.release();
        fd.* = .from(rc);
    }
};
