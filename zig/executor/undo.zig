//! Taking back what `prepare` did, newest first. Every operation of that stage stands here, or is
//! undone by closing its slot.

const calls = @import("../kernel/calls.zig");
const schema = @import("../plan/schema.zig");
const Context = @import("context.zig").Context;
const Report = @import("report.zig").Report;
const cgroup = @import("cgroup.zig");
const tree = @import("tree.zig");
const linux = calls.linux;

/// The child, if there was one, has been reaped; `failed` is the operation that it failed at. What
/// can't be taken back is left to `down`, which computes the same from the pod's id.
pub fn undo(context: *Context, failed: u32) void {
    context.leaveHost() catch {};
    var remaining = context.view.header().operations;
    while (remaining > 0) {
        remaining -= 1;
        var steps = context.view.steps();
        while (steps.next()) |step| {
            if (step.index != remaining) continue;
            const was_done = switch (step.stage) {
                .prepare => step.index < context.prepared,
                .build => step.index < failed,
                .later => step.index < context.reached_later,
                .enter, .limit, .exec => false,
            };
            if (was_done) undoOne(context, step.op);
        }
    }
    context.prepared = 0;
    context.reached_later = 0;
}

fn undoOne(context: *Context, op: schema.Op) void {
    var report: Report = .{};
    switch (op) {
        .make_cgroup => |made| removeCgroup(context, made),
        .make_directory => |made| tree.remove(
            &report,
            context.slot(made.parent),
            context.view.text(made.name),
        ) catch {},
        .write_file => |made| if (made.replace == 0) {
            _ = calls.unlinkat(context.slot(made.directory), context.view.text(made.name), 0);
        },
        .make_link => |made| _ = calls.unlinkat(
            context.slot(made.directory),
            context.view.text(made.name),
            0,
        ),
        .open_log => |made| _ = calls.unlinkat(
            context.slot(made.directory),
            context.view.text(made.name),
            0,
        ),
        // Gone with their descriptors, or with the keeper, which does not outlive a sandbox that
        // failed.
        .open_directory,
        .write_cgroup,
        .make_tmpfs,
        .make_hugetlbfs,
        .clone_tree,
        .open_volume,
        .make_overlay,
        .show_trees,
        .make_user_namespace,
        .enter_namespaces,
        .loopback_up,
        .netlink,
        .set_hostname,
        .write_sysctl,
        .attach_device_filter,
        .show_proc,
        .spawn,
        => {},
        // Whose a claim's files are stays as the manifest wants it, and a volume's new files stay.
        .give_group,
        .swap_files,
        => {},
        // Removals are what undo does; the other stages leave nothing on the host.
        .remove_cgroup, .remove_tree, .place_root, .make_devices, .make_device, .mount => {},
        .attach, .mask, .make_read_only, .enter_by_move, .enter_by_pivot, .set_rlimit => {},
        .set_oom_score, .set_label, .give_streams, .open_terminal, .drop_bounding => {},
        .set_user, .set_capabilities, .set_no_new_privileges, .set_seccomp, .exec => {},
        .exec_pause, .keep_message => {},
    }
}

fn removeCgroup(context: *Context, made: schema.MakeCgroup) void {
    var report: Report = .{};
    for (0..50) |_| {
        cgroup.remove(&report, context.slot(made.parent), context.view.text(made.name)) catch {
            // Processes that were killed just now are still leaving.
            const pause: linux.timespec = .{ .sec = 0, .nsec = 2_000_000 };
            _ = linux.nanosleep(&pause, null);
            continue;
        };
        return;
    }
}
