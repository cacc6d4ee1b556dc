//! What Bun loads. Thin exports with numbers only: no callbacks, threads, thread-locals or
//! allocator (docs/decisions/0010).

const std = @import("std");
const calls = @import("kernel/calls.zig");
const layout = @import("plan/layout.zig");
const View = @import("plan/view.zig").View;
const describe = @import("plan/describe.zig");
const spawn = @import("spawn.zig");
const linux = calls.linux;

pub const panic = std.debug.FullPanic(onPanic);

/// Unwinding into Bun would be worse than ending: say why, and end.
fn onPanic(message: []const u8, _: ?usize) noreturn {
    const stderr = 2;
    const prefix = "peapod: internal error: ";
    _ = linux.write(stderr, prefix, prefix.len);
    _ = linux.write(stderr, message.ptr, message.len);
    _ = linux.write(stderr, "\n", 1);
    linux.exit_group(134);
}

export fn peapod_layout() u64 {
    return layout.hash;
}

/// Any system call, as the kernel returns it. Its pointers must stay valid until it returns.
export fn peapod_syscall(number: u64, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) i64 {
    const rc = linux.syscall6(@enumFromInt(number), a, b, c, d, e, f);
    return @bitCast(rc);
}

/// Start a keeper; its pid, or a negative errno. `request.pidfd` is the caller's.
export fn peapod_spawn(request: *spawn.Request) i32 {
    return spawn.spawn(request);
}

/// A plan's text; its length, -EINVAL for a plan that does not check out, -ENOSPC when `text` is
/// too short.
export fn peapod_describe(
    plan: [*]align(8) const u8,
    plan_bytes: u64,
    text: [*]u8,
    text_bytes: u64,
) i64 {
    const view = View.init(plan[0..plan_bytes]) catch return -@as(i64, @intFromEnum(linux.E.INVAL));
    var writer: std.Io.Writer = .fixed(text[0..text_bytes]);
    describe.print(view, &writer) catch return -@as(i64, @intFromEnum(linux.E.NOSPC));
    return @intCast(writer.end);
}
