//! The guest of the tests: one static program that says what a container looks like from inside,
//! and behaves as badly as a test asks it to. It needs no libc, no shell and no other file in the
//! image.
//!
//!     peapod-probe COMMAND [ARGUMENT ...] [COMMAND ...]
//!
//! Commands run in order. One that sees something prints one line of JSON, flushed before the next
//! begins:
//!
//!     {"ask":"read /etc/hostname","answer":"web\n"}
//!     {"ask":"write /proc/sys/kernel/domainname x","error":"EROFS"}
//!
//! What it is (`see.zig`): ns, ids, caps, security, keyring, signals, limits, process, fds, host,
//!     cwd, env, argv, umask, clock, terminal, pids, links
//! What lies there (`files.zig`): mounts, ls P, stat P, statfs P, readlink P, read P, head P N,
//!     write P TEXT, append P TEXT, create P TEXT, mkdir P, unlink P, await P MS (until it exists)
//! What it may do (`attempt.zig`): try OPERATION ..., which runs in a child and undoes itself; the
//!     answer is "ok", the errno's name, or "signal N" when the kernel killed the child
//! How it behaves (`behave.zig`): exit N, kill-self SIG, sleep MS, pause (TERM and INT exit 0),
//!     signal (waits for any one and names it), ignore-term, spawn MS, spawn-orphan MS, reap,
//!     fork-bomb N, eat-memory BYTES, burn-cpu MS, say TEXT, say-error TEXT, to P, print N BYTES,
//!     print-partial TEXT, tick N MS (N = 0: for ever), flood N (to both streams), echo-stdin
//! How it attacks (`attack.zig`): flip A B MS (exchanges two names), hunt MS (for what processes
//!     that appear have of the host)
//! How it talks (`talk.zig`): tcp-listen PORT (serves one connection), tcp-connect PORT,
//!     tcp-await PORT MS, http-serve PORT STATUS (for ever)
//!
//! Exit status: 0, what `exit` says, or 64 for a command line that it does not understand.

const std = @import("std");
const sys = @import("sys.zig");
const json = @import("json.zig");
const see = @import("see.zig");
const files = @import("files.zig");
const attempt = @import("attempt.zig");
const behave = @import("behave.zig");
const talk = @import("talk.zig");
const attack = @import("attack.zig");

pub const panic = std.debug.no_panic;

const Command = struct {
    arguments: usize,
    run: *const fn (sys.Words) sys.Error!void,
};

const commands = see.commands ++ files.commands ++ behave.commands ++ talk.commands ++
    attack.commands;

fn find(name: []const u8, rest: sys.Words) ?Command {
    if (std.mem.eql(u8, name, "try")) {
        const arguments = attempt.countArguments(rest) orelse return null;
        return .{ .arguments = arguments, .run = attempt.run };
    }
    inline for (commands) |command| {
        if (std.mem.eql(u8, command[0], name)) {
            return .{ .arguments = command[1], .run = command[2] };
        }
    }
    return null;
}

fn runAll(words: sys.Words) void {
    var at: usize = 0;
    while (at < words.len) {
        const name = std.mem.span(words[at]);
        const command = find(name, words[at + 1 ..]) orelse usage(name);
        const end = at + 1 + command.arguments;
        if (end > words.len) usage(name);

        json.ask(words[at..end]);
        if (command.run(words[at + 1 .. end])) json.finish() else |_| json.fail(sys.last_error);
        at = end;
    }
}

fn usage(word: []const u8) noreturn {
    sys.writeAll(2, "peapod-probe: not understood: ");
    sys.writeAll(2, word);
    sys.writeAll(2, "\n");
    sys.exit(64);
}

fn enter(stack: [*]const usize) callconv(.c) noreturn {
    const count = stack[0];
    const argv: [*]const [*:0]const u8 = @ptrCast(stack + 1);
    see.start(argv[0..count], @ptrCast(stack + count + 2));
    runAll(argv[@min(count, 1)..count]);
    sys.exit(0);
}

// Public because std's own start code looks for a public `_start`, and brings its own otherwise.
pub export fn _start() callconv(.naked) noreturn {
    switch (@import("builtin").cpu.arch) {
        .x86_64 => asm volatile (
            \\ xorl %%ebp, %%ebp
            \\ movq %%rsp, %%rdi
            \\ andq $-16, %%rsp
            \\ callq %[entry:P]
            \\ ud2
            :
            : [entry] "X" (&enter),
        ),
        .aarch64 => asm volatile (
            \\ mov x29, #0
            \\ mov x30, #0
            \\ mov x0, sp
            \\ and sp, x0, #-16
            \\ b %[entry]
            :
            : [entry] "X" (&enter),
        ),
        else => @compileError("peapod runs on x86-64 and arm64"),
    }
}
