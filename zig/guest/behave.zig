//! Ways to live and die: what runtimes must wait for, kill, limit and log.

const std = @import("std");
const sys = @import("sys.zig");
const json = @import("json.zig");
const linux = sys.linux;
const SIG = linux.SIG;

pub const commands = .{
    .{ "exit", 1, &exit },
    .{ "kill-self", 1, &killSelf },
    .{ "sleep", 1, &sleep },
    .{ "pause", 0, &pause },
    .{ "signal", 0, &signal },
    .{ "ignore-term", 0, &ignoreTerm },
    .{ "spawn", 1, &spawn },
    .{ "spawn-orphan", 1, &spawnOrphan },
    .{ "reap", 0, &reap },
    .{ "fork-bomb", 1, &forkBomb },
    .{ "eat-memory", 1, &eatMemory },
    .{ "burn-cpu", 1, &burnCpu },
    .{ "say", 1, &say },
    .{ "to", 1, &to },
    .{ "say-error", 1, &sayError },
    .{ "print", 2, &print },
    .{ "print-partial", 1, &printPartial },
    .{ "flood", 1, &flood },
    .{ "tick", 2, &tick },
    .{ "echo-stdin", 0, &echoStdin },
};

fn exit(words: sys.Words) sys.Error!void {
    sys.exit(try sys.parseSmall(words[0]));
}

/// With its default action, whatever the program inherited; PID 1 of a namespace survives it.
fn killSelf(words: sys.Words) sys.Error!void {
    const number = try sys.parseSmall(words[0]);
    dispose(number, 0);
    const nothing_blocked: u64 = 0;
    _ = sys.call(.rt_sigprocmask, .{ SIG.SETMASK, &nothing_blocked, 0, 8 });
    _ = try sys.check(sys.call(.kill, .{ sys.call(.getpid, .{}), number }));
}

fn sleep(words: sys.Words) sys.Error!void {
    sys.sleepMs(try sys.parse(words[0]));
}

var is_term_ignored = false;

/// Answers "waiting" once no signal can be lost, then one line for each signal. TERM and INT end it
/// with 0.
fn pause(_: sys.Words) sys.Error!void {
    json.answer();
    json.string("waiting");
    blockAll();
    json.finish();
    while (true) {
        const number = waitForSignal();
        report(number);
        if (number == @intFromEnum(SIG.TERM) or number == @intFromEnum(SIG.INT)) sys.exit(0);
    }
}

/// Answers "waiting", then the first signal that arrives; the next command runs with signals still
/// blocked.
fn signal(_: sys.Words) sys.Error!void {
    json.answer();
    json.string("waiting");
    blockAll();
    json.finish();
    report(waitForSignal());
}

fn report(number: u32) void {
    json.answer();
    json.number(number);
    json.finish();
}

/// Blocked signals reach PID 1 too: the kernel drops for it only what would take the default action
/// at once.
fn blockAll() void {
    const all: u64 = std.math.maxInt(u64);
    _ = sys.call(.rt_sigprocmask, .{ SIG.SETMASK, &all, 0, 8 });
}

fn waitForSignal() u32 {
    var waited: u64 = std.math.maxInt(u64) & ~bit(.CHLD);
    if (is_term_ignored) waited &= ~bit(.TERM);
    while (true) {
        const result = sys.call(.rt_sigtimedwait, .{ &waited, 0, 0, 8 });
        if (linux.errno(result) == .SUCCESS) return @intCast(result);
    }
}

fn bit(number: SIG) u64 {
    return @as(u64, 1) << @intCast(@intFromEnum(number) - 1);
}

/// For later commands: TERM has no effect.
fn ignoreTerm(_: sys.Words) sys.Error!void {
    is_term_ignored = true;
    dispose(@intFromEnum(SIG.TERM), 1);
}

/// 0 is the default action, 1 is to ignore. The kernel's struct: handler, flags, restorer, mask.
fn dispose(number: u32, handler: u64) void {
    const action = [4]u64{ handler, 0, 0, 0 };
    _ = sys.call(.rt_sigaction, .{ number, &action, 0, 8 });
}

/// A child that lives so long. Nobody waits for it but `reap`.
fn spawn(words: sys.Words) sys.Error!void {
    const ms = try sys.parse(words[0]);
    const pid = try sys.fork();
    if (pid == 0) sleepAndExit(ms);
    json.answer();
    json.number(pid);
}

/// A grandchild whose parent is gone. The answer is its pid.
fn spawnOrphan(words: sys.Words) sys.Error!void {
    const ms = try sys.parse(words[0]);
    var ends: [2]i32 = undefined;
    _ = try sys.check(sys.call(.pipe2, .{ &ends, sys.flags(.{ .CLOEXEC = true }) }));
    defer sys.close(ends[0]);

    const pid = sys.fork() catch |err| {
        sys.close(ends[1]);
        return err;
    };
    if (pid == 0) {
        const orphan = sys.fork() catch sys.exit(1);
        if (orphan == 0) sleepAndExit(ms);
        sys.writeAll(ends[1], std.mem.asBytes(&orphan));
        sys.exit(0);
    }
    sys.close(ends[1]);
    _ = sys.wait(pid);
    var orphan: i32 = 0;
    if (try sys.readSome(ends[0], std.mem.asBytes(&orphan)) == 0) return sys.fail(.AGAIN);
    json.answer();
    json.number(orphan);
}

fn sleepAndExit(ms: u64) noreturn {
    sys.sleepMs(ms);
    sys.exit(0);
}

/// Waits for every child. The answer is how many there were.
fn reap(_: sys.Words) sys.Error!void {
    var count: u32 = 0;
    while (linux.errno(sys.call(.wait4, .{ -1, 0, 0, 0 })) == .SUCCESS) count += 1;
    json.answer();
    json.number(count);
}

/// Children that stay until this process ends. The answer is how many the kernel allowed and why
/// not more.
fn forkBomb(words: sys.Words) sys.Error!void {
    const wanted = try sys.parse(words[0]);
    const parent = sys.call(.getpid, .{});
    var made: u64 = 0;
    var errno: linux.E = .SUCCESS;
    while (made < wanted) : (made += 1) {
        const pid = sys.fork() catch {
            errno = sys.last_error;
            break;
        };
        if (pid == 0) stayWhile(parent);
    }
    json.answer();
    json.objectStart();
    json.field("forked", made);
    json.key("error");
    if (errno == .SUCCESS) json.nothing() else json.errorName(errno);
    json.objectEnd();
}

/// The parent may have ended before its child could ask to be told.
fn stayWhile(parent: usize) noreturn {
    _ = sys.call(.prctl, .{ @intFromEnum(linux.PR.SET_PDEATHSIG), @intFromEnum(SIG.KILL) });
    while (sys.call(.getppid, .{}) == parent) sys.sleepMs(1 << 30);
    sys.exit(0);
}

/// Touches every page and keeps it.
fn eatMemory(words: sys.Words) sys.Error!void {
    const bytes = try sys.parse(words[0]);
    // PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS.
    const address = try sys.check(sys.call(.mmap, .{ 0, bytes, 3, 0x22, -1, 0 }));
    const pages: [*]volatile u8 = @ptrFromInt(address);
    var at: usize = 0;
    while (at < bytes) : (at += 4096) pages[at] = 1;
    json.answer();
    json.number(bytes);
}

/// Uses so much processor time. The answer is how long that took.
fn burnCpu(words: sys.Words) sys.Error!void {
    const wanted_us = try sys.parse(words[0]) * 1000;
    const cpu_before = sys.clockUs(.PROCESS_CPUTIME_ID);
    const before = sys.clockUs(.MONOTONIC);
    while (sys.clockUs(.PROCESS_CPUTIME_ID) - cpu_before < wanted_us) {}
    json.answer();
    json.objectStart();
    json.field("cpuUs", wanted_us);
    json.field("wallUs", sys.clockUs(.MONOTONIC) - before);
    json.objectEnd();
}

/// What is said from here on goes into a new file: for commands whose output nobody keeps.
fn to(words: sys.Words) sys.Error!void {
    const flags = sys.flags(.{ .ACCMODE = .WRONLY, .CREAT = true, .CLOEXEC = true });
    const fd = try sys.open(words[0], flags, 0o644);
    _ = try sys.check(sys.call(.dup3, .{ fd, 1, 0 }));
    sys.close(fd);
}

fn say(words: sys.Words) sys.Error!void {
    sayTo(1, std.mem.span(words[0]));
}

fn sayError(words: sys.Words) sys.Error!void {
    sayTo(2, std.mem.span(words[0]));
}

/// In one write: whoever reads could come between two.
fn sayTo(fd: i32, text: []const u8) void {
    const length = @min(text.len, line.len - 1);
    @memcpy(line[0..length], text[0..length]);
    line[length] = '\n';
    sys.writeAll(fd, line[0 .. length + 1]);
}

fn printPartial(words: sys.Words) sys.Error!void {
    sys.writeAll(1, std.mem.span(words[0]));
}

/// N lines of BYTES characters each, numbered from 0 as far as the width allows.
fn print(words: sys.Words) sys.Error!void {
    const count = try sys.parse(words[0]);
    const width = @min(try sys.parse(words[1]), line.len - 1);
    for (0..count) |index| writeLine(index, width);
}

/// N numbered lines, one every MS; 0 is for ever.
fn tick(words: sys.Words) sys.Error!void {
    const count = try sys.parse(words[0]);
    const ms = try sys.parse(words[1]);
    var index: usize = 0;
    while (count == 0 or index < count) : (index += 1) {
        if (index > 0) sys.sleepMs(ms);
        writeLine(index, 8);
    }
}

var line: [1 << 20]u8 = undefined;

/// One write a line, so that lines of several processes do not mix.
fn writeLine(index: usize, width: usize) void {
    @memset(line[0..width], '.');
    var rest = index;
    for (0..@min(width, 8)) |place| {
        line[@min(width, 8) - 1 - place] = '0' + @as(u8, @intCast(rest % 10));
        rest /= 10;
    }
    line[width] = '\n';
    sys.writeAll(1, line[0 .. width + 1]);
}

var pieces: [2][50_000]u8 = undefined;
var pieces_filled: [2]usize = .{ 0, 0 };

/// N lines to each of both streams as fast as they are taken, in writes that end anywhere. Lengths
/// and letters follow from the number: test/support/flood.ts knows them, too.
fn flood(words: sys.Words) sys.Error!void {
    const count = try sys.parse(words[0]);
    for (0..count) |index| for (0..2) |stream| {
        const letter = 'a' + @as(u8, @intCast((index + stream) % 26));
        const length = if (index % 5000 == 4999) 30_000 + index % 7 else index * 7919 % 120;
        @memset(line[0..length], letter);
        line[length] = '\n';
        putPiece(stream, line[0 .. length + 1]);
    };
    for (0..2) |stream| sys.writeAll(fdOf(stream), pieces[stream][0..pieces_filled[stream]]);
}

fn putPiece(stream: usize, bytes: []const u8) void {
    var rest = bytes;
    while (rest.len > 0) {
        const free = pieces[stream][pieces_filled[stream]..];
        const size = @min(free.len, rest.len);
        @memcpy(free[0..size], rest[0..size]);
        pieces_filled[stream] += size;
        rest = rest[size..];
        if (size < free.len) continue;
        sys.writeAll(fdOf(stream), &pieces[stream]);
        pieces_filled[stream] = 0;
    }
}

fn fdOf(stream: usize) i32 {
    return if (stream == 0) 1 else 2;
}

/// Until the end of the input.
fn echoStdin(_: sys.Words) sys.Error!void {
    var bytes: [4096]u8 = undefined;
    while (true) {
        const count = try sys.readSome(0, &bytes);
        if (count == 0) return;
        sys.writeAll(1, bytes[0..count]);
    }
}
