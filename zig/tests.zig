test {
    _ = @import("plan/view.zig");
    _ = @import("plan/describe.zig");
    _ = @import("plan/layout.zig");
    _ = @import("executor/executor.zig");
    _ = @import("executor/undo.zig");
}
