//! Closed loops that make and end pods, each in a process of its own.
const sys = @import("sys.zig");
const launcher = @import("launcher.zig");
const output = @import("output.zig");

const workers_max = 16;
const cycles_max = 8192;

const Worker = extern struct {
    cycles: u64,
    cpu: u64,
    took: [cycles_max]u64,
    ended: [cycles_max]u64,
};

pub fn run(wanted: u32, duration_ms: u32, containers: u32, number: u32) void {
    const trace = &launcher.trace;
    const count: usize = @min(wanted, workers_max);
    const size: usize = @as(usize, count) * @sizeOf(Worker);
    const workers: [*]Worker = @ptrFromInt(trace.call(.setup, .mmap, .{ 0, size, 3, 0x21, -1, 0 }));
    const cpu = launcher.cpu();
    const began = sys.nanoseconds();
    const until = began + @as(u64, duration_ms) * 1_000_000;
    for (0..count) |index| {
        const fork: sys.CloneArgs = .{};
        if (trace.call(.setup, .clone3, .{ &fork, @sizeOf(sys.CloneArgs) }) > 0) continue;
        _ = sys.raw(.prctl, .{ 1, 9 });
        // Every process names its pods from a range of its own.
        const first = number + 10_000_000 * @as(u32, @intCast(index + 1));
        work(&workers[index], first, containers, began, until);
        sys.exit(0);
    }
    for (0..count) |_| {
        var status: u32 = 0;
        _ = trace.call(.wait, .wait4, .{ -1, &status, 0, 0 });
        if (status != 0) trace.fail(.wait, .wait4, 10);
    }
    const took = sys.nanoseconds() - began;
    report(workers[0..count], took, launcher.cpu() - cpu);
    _ = trace.call(.setup, .munmap, .{ workers, size });
}

fn work(worker: *Worker, first: u32, containers: u32, began: u64, until: u64) void {
    var number = first;
    while (worker.cycles < cycles_max) {
        const start = sys.nanoseconds();
        if (start >= until) break;
        number += 1;
        const pod = launcher.start(number, containers);
        launcher.end(pod);
        launcher.finish(pod);
        const now = sys.nanoseconds();
        worker.took[worker.cycles] = now - start;
        worker.ended[worker.cycles] = now - began;
        worker.cycles += 1;
        launcher.forget(pod);
    }
    worker.cpu = sys.clock(2);
}

fn report(workers: []const Worker, took: u64, shared_cpu: u64) void {
    var cycles: u64 = 0;
    var cpu = shared_cpu;
    for (workers) |*worker| {
        cycles += worker.cycles;
        cpu += worker.cpu;
        for (worker.took[0..worker.cycles], worker.ended[0..worker.cycles]) |cycle, ended| {
            output.add("cycle", cycle);
            output.add("cycle-end", ended);
        }
    }
    output.add("rate", cycles * 1_000_000_000_000 / took);
    if (cycles > 0) output.add("cycle-cpu", cpu / cycles);
}
