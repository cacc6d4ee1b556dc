//! The command line of the floor.
const std = @import("std");
const protocol = @import("protocol.zig");

pub const usage =
    \\floor [flags] [COMMAND [NUMBER…]]
    \\
    \\Does the kernel work of a pod and nothing else, and prints one JSON line for each command:
    \\times in microseconds by the names of bench/metric.ts. Without COMMAND it reads commands from
    \\standard input, one a line, and answers each with a line.
    \\
    \\  launch                a pod up and down
    \\  join N                N containers, one after another, into a pod
    \\  exec N                N commands in a running container, one after another
    \\  lifecycle             a pod of one container whose program ends at once
    \\  throughput C MS       pods up and down for MS milliseconds, by C processes
    \\  crowd N               N more pods that stay; prints the ids of their keepers
    \\  mass-down             ends all pods of the crowd at once
    \\
    \\  --directory DIR       state is made in a new directory of DIR (default /var/tmp)
    \\  --naive               as most runtimes work
    \\  --containers N        containers that start together (default 2)
    \\  --level LEVEL         process, namespaces, limits, full (default)
    \\  --host-network        no network namespace
    \\  --user-namespace      one of the pod's own
    \\  --read-only-root      no overlay
    \\  --existing N          containers that run already, in another pod
    \\  --rounds R            does COMMAND R times
    \\  --calls               adds every system call with its time
    \\  --look FILE [-- WORD…]
    \\                        starts a pod whose containers' program is FILE, copies what they
    \\                        write to standard output, ends the pod
    \\
;

pub const Verb = enum { launch, join, exec, lifecycle, throughput, crowd, mass_down };

pub const Command = struct {
    verb: Verb,
    numbers: [2]u32 = @splat(0),
};

pub const Arguments = struct {
    directory: []const u8 = "/var/tmp",
    options: protocol.Options = @bitCast(@as(u32, 0)),
    containers: u32 = 2,
    existing: u32 = 0,
    rounds: u32 = 1,
    command: ?Command = null,
    look: ?[*:0]const u8 = null,
    /// Of the program that `look` runs.
    words: []const [*:0]const u8 = &.{},
};

/// Nothing for a command line that makes no sense.
pub fn parse(words: []const [*:0]const u8) ?Arguments {
    var all: Arguments = .{};
    all.options.level = .full;
    all.options.network = true;
    var at: usize = 0;
    while (at < words.len) {
        const word = std.mem.span(words[at]);
        if (!std.mem.startsWith(u8, word, "--")) break;
        at += 1;
        if (word.len == 2) {
            all.words = words[at..];
            at = words.len;
        } else if (!flag(&all, word)) {
            if (at == words.len or !valued(&all, word, words[at])) return null;
            at += 1;
        }
    }
    if (at < words.len) all.command = parseCommand(words[at..]) orelse return null;
    const sane = all.containers > 0 and all.containers <= protocol.containers_max and
        all.existing <= 1000 and all.rounds > 0;
    // What the naive twin would do is not settled: idmapped mounts have no old way.
    if (all.options.naive and all.options.user_namespace) return null;
    return if (sane) all else null;
}

fn flag(all: *Arguments, word: []const u8) bool {
    const eql = std.mem.eql;
    const options = &all.options;
    if (eql(u8, word, "--naive")) {
        options.naive = true;
    } else if (eql(u8, word, "--calls")) {
        options.traced = true;
    } else if (eql(u8, word, "--host-network")) {
        options.network = false;
    } else if (eql(u8, word, "--user-namespace")) {
        options.user_namespace = true;
    } else if (eql(u8, word, "--read-only-root")) {
        options.read_only_root = true;
    } else return false;
    return true;
}

fn valued(all: *Arguments, word: []const u8, given: [*:0]const u8) bool {
    const eql = std.mem.eql;
    const value = std.mem.span(given);
    if (eql(u8, word, "--directory")) {
        all.directory = value;
        return value.len > 0 and value.len < 180 and value[0] == '/';
    }
    if (eql(u8, word, "--level")) {
        all.options.level = std.meta.stringToEnum(protocol.Level, value) orelse return false;
        return true;
    }
    if (eql(u8, word, "--look")) {
        all.look = given;
        return true;
    }
    const number = std.fmt.parseInt(u32, value, 10) catch return false;
    if (eql(u8, word, "--containers")) {
        all.containers = number;
    } else if (eql(u8, word, "--existing")) {
        all.existing = number;
    } else if (eql(u8, word, "--rounds")) {
        all.rounds = number;
    } else return false;
    return true;
}

/// A command as one line.
pub fn parseLine(line: []const u8) ?Command {
    var words: [6][*:0]const u8 = undefined;
    const State = struct {
        var text: [256]u8 = undefined;
    };
    if (line.len >= State.text.len) return null;
    var count: usize = 0;
    var end: usize = 0;
    var parts = std.mem.tokenizeAny(u8, line, " \n");
    while (parts.next()) |part| : (count += 1) {
        if (count == words.len) return null;
        @memcpy(State.text[end..][0..part.len], part);
        State.text[end + part.len] = 0;
        words[count] = @ptrCast(&State.text[end]);
        end += part.len + 1;
    }
    return parseCommand(words[0..count]);
}

fn parseCommand(words: []const [*:0]const u8) ?Command {
    if (words.len == 0) return null;
    const first = std.mem.span(words[0]);
    const verb: Verb = if (std.mem.eql(u8, first, "mass-down"))
        .mass_down
    else
        std.meta.stringToEnum(Verb, first) orelse return null;
    var command: Command = .{ .verb = verb };
    const rest = words[1..];
    const wanted: usize = switch (verb) {
        .launch, .lifecycle, .mass_down => 0,
        .join, .exec, .crowd => 1,
        .throughput => 2,
    };
    if (rest.len != wanted) return null;
    for (rest, command.numbers[0..wanted]) |word, *number| {
        number.* = std.fmt.parseInt(u32, std.mem.span(word), 10) catch return null;
        if (number.* == 0) return null;
    }
    const joins_max = protocol.pod_containers_max - protocol.containers_max;
    if (verb == .join and command.numbers[0] > joins_max) return null;
    return command;
}
