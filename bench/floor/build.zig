//! `zig build` here makes zig-out/bin/floor: one static program that carries the keeper and the
//! container's program inside.
const std = @import("std");

pub fn build(b: *std.Build) void {
    // Any CPU of the architecture: a program built on one machine is measured on another.
    const target = b.standardTargetOptions(.{ .default_target = .{ .cpu_model = .baseline } });
    const floor = program(b, target, "floor");
    for ([_][]const u8{ "keeper", "stamp" }) |name| {
        const inner = program(b, target, name);
        // Installed, too: the containers of other runtimes run the same program.
        if (std.mem.eql(u8, name, "stamp")) b.installArtifact(inner);
        floor.root_module.addAnonymousImport(name, .{ .root_source_file = inner.getEmittedBin() });
    }
    b.installArtifact(floor);
}

fn program(
    b: *std.Build,
    target: std.Build.ResolvedTarget,
    name: []const u8,
) *std.Build.Step.Compile {
    const made = b.addExecutable(.{
        .name = name,
        .linkage = .static,
        .use_llvm = true,
        .root_module = b.createModule(.{
            .root_source_file = b.path(b.fmt("{s}.zig", .{name})),
            .target = target,
            .optimize = .ReleaseSmall,
            .strip = true,
            .single_threaded = true,
            .unwind_tables = .none,
            .stack_protector = false,
            .stack_check = false,
            .error_tracing = false,
        }),
    });
    made.pie = false;
    made.build_id = .none;
    return made;
}
