const std = @import("std");

pub fn build(b: *std.Build) void {
    // The builder's own CPU would be the default, and its instructions would end a process on an
    // older one.
    const target = b.standardTargetOptions(.{ .default_target = .{ .cpu_model = .baseline } });
    const optimize = b.option(
        std.builtin.OptimizeMode,
        "optimize",
        "mode of the library",
    ) orelse .ReleaseSafe;

    const keeper = addStatic(b, target, "peapod-keeper", "zig/keeper.zig");
    const library = b.addLibrary(.{
        .name = "peapod",
        .linkage = .dynamic,
        .use_llvm = true,
        .root_module = b.createModule(.{
            .root_source_file = b.path("zig/lib.zig"),
            .target = target,
            .optimize = optimize,
            .strip = optimize != .Debug,
            .pic = true,
            .unwind_tables = if (optimize != .Debug) .none else null,
            .stack_protector = false,
            .stack_check = false,
        }),
    });
    library.root_module.addAnonymousImport("keeper", .{
        .root_source_file = keeper.getEmittedBin(),
    });
    b.installArtifact(library);
    b.installArtifact(keeper);

    const probe = addStatic(b, target, "peapod-probe", "zig/guest/probe.zig");
    const install_probe = b.addInstallArtifact(probe, .{});
    const probe_step = b.step("probe", "the program that tests run inside containers");
    probe_step.dependOn(&install_probe.step);

    const native = b.resolveTargetQuery(.{ .cpu_model = .baseline });
    const tests = b.addTest(.{ .root_module = b.createModule(.{
        .root_source_file = b.path("zig/tests.zig"),
        .target = native,
        .optimize = .Debug,
    }) });
    b.step("test", "unit tests").dependOn(&b.addRunArtifact(tests).step);
    const format = b.addFmt(.{ .paths = &.{ "zig", "build.zig" }, .check = true });
    b.step("fmt", "formatting").dependOn(&format.step);
}

/// A static program without libc, as small as its work: the keeper stays in memory once for every
/// pod.
fn addStatic(
    b: *std.Build,
    target: std.Build.ResolvedTarget,
    name: []const u8,
    root: []const u8,
) *std.Build.Step.Compile {
    const program = b.addExecutable(.{
        .name = name,
        .linkage = .static,
        .use_llvm = true,
        .root_module = b.createModule(.{
            .root_source_file = b.path(root),
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
    program.pie = false;
    program.build_id = .none;
    return program;
}
