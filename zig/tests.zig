//! The root of `zig build test`: the tests and compile-time checks of what is named here.

test {
    _ = @import("plan/view.zig");
    _ = @import("plan/describe.zig");
    _ = @import("plan/layout.zig");
    _ = @import("executor/executor.zig");
    _ = @import("executor/undo.zig");
    _ = @import("keeper/lines.zig");
}
