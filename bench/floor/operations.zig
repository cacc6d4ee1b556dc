//! What one command of the command line measures.
const std = @import("std");
const sys = @import("sys.zig");
const launcher = @import("launcher.zig");
const output = @import("output.zig");
const arguments_file = @import("arguments.zig");
const protocol = @import("protocol.zig");
const throughput = @import("throughput.zig");

const Pod = launcher.Pod;

const waiting = [_][]const u8{"stamp"};
const ending = [_][]const u8{ "stamp", "exit" };

var containers: u32 = 0;
var ticks_per_ms: u64 = 1;
var pod_number: u32 = 0;
var existing: ?Pod = null;
var crowd: [2048]Pod = undefined;
var crowd_size: u32 = 0;

/// Before the first command.
pub fn prepare(given: *const arguments_file.Arguments) void {
    containers = given.containers;
    calibrate();
    launcher.setArguments(&waiting);
    if (given.existing > 0) existing = startMany(given.existing);
}

/// Whoever ends this leaves no pod behind.
pub fn finish() void {
    if (existing) |pod| endQuietly(pod);
    for (crowd[0..crowd_size]) |pod| endQuietly(pod);
}

pub fn run(command: arguments_file.Command) void {
    output.begin();
    const numbers = command.numbers;
    switch (command.verb) {
        .launch => launch(),
        .join => join(numbers[0]),
        .exec => exec(numbers[0]),
        .lifecycle => lifecycle(),
        .throughput => throughput.run(numbers[0], numbers[1], containers, nextNumber()),
        .crowd => gather(numbers[0]),
        .mass_down => massDown(),
    }
    output.end();
}

fn calibrate() void {
    const ticks = sys.now();
    const time = sys.nanoseconds();
    while (sys.nanoseconds() - time < 2_000_000) {}
    ticks_per_ms = @max(1, (sys.now() - ticks) * 1_000_000 / (sys.nanoseconds() - time));
}

pub fn nextNumber() u32 {
    pod_number += 1;
    return pod_number;
}

const Clock = struct {
    cpu: u64,
    time: u64,
    ticks: u64,

    fn start() Clock {
        if (launcher.trace.log) |log| log.clear();
        const cpu = launcher.cpu();
        return .{ .cpu = cpu, .time = sys.nanoseconds(), .ticks = sys.now() };
    }

    fn stop(clock: Clock, comptime name: []const u8) void {
        const ticks = sys.now();
        const time = sys.nanoseconds();
        output.add(name, time - clock.time);
        output.add(name ++ "-cpu", launcher.cpu() - clock.cpu);
        const log = launcher.trace.log orelse return;
        output.span(name, log, clock.ticks, ticks, ticks_per_ms);
        log.clear();
    }
};

fn launch() void {
    const up = Clock.start();
    const pod = launcher.start(nextNumber(), containers);
    up.stop("up");
    output.add("first", launcher.lastStamp(pod, containers) - up.time);
    end(pod, "down");
}

fn end(pod: Pod, comptime name: []const u8) void {
    const down = Clock.start();
    launcher.end(pod);
    launcher.finish(pod);
    down.stop(name);
    launcher.forget(pod);
}

fn endQuietly(pod: Pod) void {
    launcher.end(pod);
    launcher.finish(pod);
    launcher.forget(pod);
}

fn join(count: u32) void {
    const pod = launcher.start(nextNumber(), containers);
    _ = launcher.lastStamp(pod, containers);
    for (0..count) |_| {
        const clock = Clock.start();
        launcher.ask(pod, .join, 1);
        clock.stop("join");
        output.add("join-first", launcher.lastStamp(pod, 1) - clock.time);
    }
    endQuietly(pod);
}

fn exec(count: u32) void {
    const pod = launcher.start(nextNumber(), containers);
    _ = launcher.lastStamp(pod, containers);
    launcher.setArguments(&ending);
    for (0..count) |_| {
        const clock = Clock.start();
        launcher.ask(pod, .exec, 0);
        clock.stop("exec");
        output.add("exec-first", launcher.lastStamp(pod, 1) - clock.time);
    }
    launcher.setArguments(&waiting);
    endQuietly(pod);
}

fn lifecycle() void {
    launcher.setArguments(&ending);
    launcher.run.request.options.ends = true;
    const clock = Clock.start();
    const pod = launcher.start(nextNumber(), 1);
    launcher.end(pod);
    launcher.finish(pod);
    clock.stop("lifecycle");
    launcher.forget(pod);
    launcher.run.request.options.ends = false;
    launcher.setArguments(&waiting);
}

/// One pod of so many containers.
fn startMany(count: u32) Pod {
    const together = @min(count, protocol.containers_max);
    const pod = launcher.start(nextNumber(), together);
    _ = launcher.lastStamp(pod, together);
    for (together..count) |_| {
        launcher.ask(pod, .join, 1);
        _ = launcher.lastStamp(pod, 1);
    }
    return pod;
}

fn gather(count: u32) void {
    for (0..@min(count, crowd.len - crowd_size)) |_| {
        const pod = startMany(containers);
        crowd[crowd_size] = pod;
        crowd_size += 1;
        output.add("keepers", pod.pid * 1000);
    }
}

/// All are asked before the first is waited for.
fn massDown() void {
    const clock = Clock.start();
    for (crowd[0..crowd_size]) |pod| launcher.end(pod);
    for (crowd[0..crowd_size]) |pod| launcher.finish(pod);
    clock.stop("mass-down");
    for (crowd[0..crowd_size]) |pod| launcher.forget(pod);
    crowd_size = 0;
}

/// A container's own view, for somebody who compares end states.
pub fn look(words: []const [*:0]const u8, in_pod: u32) void {
    var all: [64][]const u8 = undefined;
    all[0] = "stamp";
    const count = @min(words.len, all.len - 1);
    for (words[0..count], all[1..][0..count]) |word, *at| at.* = std.mem.span(word);
    launcher.setArguments(all[0 .. count + 1]);
    launcher.run.request.options.ends = true;
    const pod = launcher.start(nextNumber(), in_pod);
    launcher.ask(pod, .show, in_pod);
    launcher.end(pod);
    launcher.finish(pod);
    launcher.forget(pod);
}
