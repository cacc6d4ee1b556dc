import { afterAll, describe, expect, test } from "bun:test";
import { appendFileSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lineBytesMax } from "../../src/pod/logs/line-joiner.ts";
import { parseLogLine } from "../../src/pod/logs/log-line.ts";
import { readLogs } from "../../src/pod/logs/read-logs.ts";
import {
  line,
  lines,
  logsWith,
  newDirectory,
  openDescriptors,
  print,
  pseudoRandom,
  read,
  removeScratch,
  scratch,
  startMs,
  text,
} from "./log-fixture.ts";

afterAll(removeScratch);

describe("a line of the file", () => {
  const parse = (line: string) => {
    const parsed = parseLogLine(new TextEncoder().encode(line));
    return parsed && { ...parsed, content: text(parsed.content) };
  };

  test("has a time in nanoseconds, a stream, a tag and the bytes behind the third space", () => {
    expect(parse("2026-01-02T03:04:05.123456789Z stderr F  two  spaces ")).toEqual({
      timeNs: 1767323045123456789n,
      stream: "stderr",
      partial: false,
      content: " two  spaces ",
    });
    expect(parse("2026-01-02T03:04:05Z stdout P:later:tags ")).toEqual({
      timeNs: 1767323045000000000n,
      stream: "stdout",
      partial: true,
      content: "",
    });
  });

  test("may have a shorter fraction and an offset from UTC, as other writers' have", () => {
    expect(parse("2026-01-02T03:04:05.5+02:30 stdout F x")?.timeNs).toBe(1767314045500000000n);
    expect(parse("2026-01-02T03:04:05.5-00:01 stdout F x")?.timeNs).toBe(1767323105500000000n);
  });

  test.each([
    ["", "nothing"],
    ["hello", "no header"],
    ["2026-01-02T03:04:05Z stdin F x", "another stream"],
    ["2026-01-02T03:04:05Z stdout X x", "another tag"],
    ["2026-01-02T03:04:05Z stdout F", "no third space"],
    ["2026-13-02T03:04:05Z stdout F x", "a thirteenth month"],
    ["2026-01-02T24:04:05Z stdout F x", "a twenty-fifth hour"],
    ["2026-01-02 03:04:05Z stdout F x", "no T"],
    [`2026-01-02T03:04:05Z stdout F:${"t".repeat(100)} x`, "a header without end"],
  ])("%p is refused: %s", (line) => {
    expect(parse(line)).toBeUndefined();
  });
});

describe("reading what is there", () => {
  test("goes through the rotated files from the oldest to the newest", async () => {
    const directory = logsWith({
      "0.log.10": lines(0, 2),
      "0.log.2": lines(2, 4),
      "0.log.1": lines(4, 6),
      "0.log": lines(6, 8),
      "1.log": line(99, "another instance"),
      "0.log.tmp": line(99, "another file"),
    });
    expect(await read(directory)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((n) => `line ${n}`));
  });

  test("finds nothing where nothing was written", async () => {
    expect(await read(join(scratch, "missing"))).toEqual([]);
    expect(await read(logsWith({ "0.log": "" }), { tailLines: 5 })).toEqual([]);
  });

  test("joins the chunks of a line, for each stream on its own and across files", async () => {
    const directory = logsWith({
      "0.log.1": line(0, "one ", "stdout", "P") + line(1, "err", "stderr", "P"),
      "0.log": line(2, "two ", "stdout", "P") + line(3, "or", "stderr") + line(4, "three"),
    });
    expect(await read(directory)).toEqual(["! error", "one two three"]);
  });

  test("dates a joined line by its first chunk", async () => {
    const directory = logsWith({ "0.log": line(0, "a", "stdout", "P") + line(5, "b") });
    const entries = await Array.fromAsync(readLogs({ directory, base: "0.log" }));
    const timeNs = BigInt(startMs) * 1_000_000n;
    const bytes = Buffer.from("ab");
    expect(entries).toEqual([{ kind: "line", timeNs, stream: "stdout", partial: false, bytes }]);
  });

  test("shows a line without an end as partial", async () => {
    expect(await read(logsWith({ "0.log": line(0, "half", "stdout", "P") }))).toEqual(["half…"]);
  });

  test("shows the last line of a writer that died in it, in every file", async () => {
    const directory = logsWith({
      "0.log.2": line(0, "a").slice(0, 20),
      "0.log.1": line(1, "before ", "stdout", "P") + line(2, "the crash").slice(0, -4),
      "0.log": line(3, "after"),
    });
    expect(await read(directory)).toEqual(["<2026-01-02T03:04:05.>", "before the cr…", "after"]);
  });

  test("reports lines that are not in the format and goes on", async () => {
    const directory = logsWith({ "0.log": `${line(0, "a")}\ngarbage\n\0\0\0\n${line(1, "b")}` });
    expect(await read(directory)).toEqual(["a", "<>", "<garbage>", "<\0\0\0>", "b"]);
  });

  test("keeps bytes that are not text as they are", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 10);
    const directory = newDirectory();
    const header = line(0, "").slice(0, -1);
    writeFileSync(
      join(directory, "0.log"),
      Buffer.concat([Buffer.from(header), bytes, Buffer.from("\n")]),
    );
    const [entry] = await Array.fromAsync(readLogs({ directory, base: "0.log" }));
    expect(entry).toMatchObject({ kind: "line", bytes: Buffer.from(bytes) });
  });

  test("gives a line that is longer than its memory in pieces", async () => {
    const chunk = "x".repeat(16_000);
    const count = 100;
    const directory = logsWith({
      "0.log": line(0, chunk, "stdout", "P").repeat(count) + line(1, "end") + line(2, "next"),
    });
    const printed = await read(directory);
    expect(printed.length).toBe(3);
    expect(printed.slice(0, 2).map((piece) => piece.endsWith("…"))).toEqual([true, false]);
    expect(printed.slice(0, 2).join("").replace("…", "")).toBe(`${chunk.repeat(count)}end`);
    expect(printed[2]).toBe("next");
  });

  test("cuts a line of the file that no writer of ours could have written", async () => {
    const long = line(0, "y".repeat(3 * lineBytesMax));
    const directory = logsWith({ "0.log": long + line(1, "next") });
    const printed = await read(directory);
    expect(printed).toEqual([`<${long.slice(0, lineBytesMax)}>`, "next"]);
    expect(await read(directory, { tailLines: 1 })).toEqual(["next"]);
    expect(await read(directory, { tailLines: 2 })).toEqual(printed);
  });

  test("stops at what was written when the files were opened", async () => {
    const directory = logsWith({ "0.log": lines(0, 3) });
    const reading = readLogs({ directory, base: "0.log" });
    const printed: string[] = [];
    for await (const entry of reading) {
      printed.push(print(entry));
      appendFileSync(join(directory, "0.log"), line(9, "too late"));
    }
    expect(printed).toEqual(["line 0", "line 1", "line 2"]);
  });

  test("leaves no descriptor open, however it ends", async () => {
    const directory = logsWith({ "0.log.1": lines(0, 9), "0.log": lines(9, 20) });
    await read(directory);
    const before = openDescriptors();
    await read(directory, { tailLines: 3 });
    for await (const _ of readLogs({ directory, base: "0.log" })) break;
    const aborted = read(directory, { signal: AbortSignal.abort(new Error("enough")) });
    await expect(aborted).rejects.toThrow("enough");
    expect(openDescriptors()).toBe(before);
  });
});

describe("the last lines", () => {
  test("are found over rotated files", async () => {
    const directory = logsWith({
      "0.log.2": lines(0, 3),
      "0.log.1": lines(3, 6),
      "0.log": lines(6, 8),
    });
    const all = await read(directory);
    for (let count = 0; count <= 9; count++) {
      expect(await read(directory, { tailLines: count })).toEqual(
        all.slice(8 - Math.min(count, 8)),
      );
    }
  });

  test("are lines of the application, not chunks", async () => {
    const parts = [
      line(0, "a"),
      line(1, "b1 ", "stdout", "P"),
      line(2, "c1 ", "stderr", "P"),
      line(3, "b2 ", "stdout", "P"),
      line(4, "c2", "stderr"),
      line(5, "b3"),
      line(6, "d1 ", "stderr", "P"),
      line(7, "d2 ", "stderr", "P"),
    ];
    for (let split = 0; split <= parts.length; split++) {
      const directory = logsWith({
        "0.log.1": parts.slice(0, split).join(""),
        "0.log": parts.slice(split).join(""),
      });
      const all = ["a", "! c1 c2", "b1 b2 b3", "! d1 d2 …"];
      expect(await read(directory)).toEqual(all);
      for (let count = 1; count <= 5; count++) {
        expect(await read(directory, { tailLines: count })).toEqual(all.slice(-count));
      }
    }
  });

  test("count garbage and a last line without newline", async () => {
    const directory = logsWith({
      "0.log": `${line(0, "a")}junk\n${line(1, "b")}${line(2, "c").slice(0, -1)}`,
    });
    const all = ["a", "<junk>", "b", "c…"];
    for (let count = 1; count <= 4; count++) {
      expect(await read(directory, { tailLines: count })).toEqual(all.slice(-count));
    }
  });

  test("agree with reading everything, whatever stands at the borders of blocks", async () => {
    const random = pseudoRandom(7);
    for (let round = 0; round < 20; round++) {
      const files: Record<string, string> = {};
      for (const name of ["0.log.2", "0.log.1", "0.log"]) {
        let content = "";
        while (content.length < 150_000 && random() > 0.002) {
          const length = random() < 0.2 ? 20_000 * random() : 200 * random();
          content += line(0, "z".repeat(length) + random(), "stdout", random() < 0.3 ? "P" : "F");
        }
        files[name] = random() < 0.2 ? content.slice(0, -5) : content;
      }
      const directory = logsWith(files);
      const all = await read(directory);
      for (const count of [1, 2, 7, 40]) {
        expect(await read(directory, { tailLines: count })).toEqual(all.slice(-count));
      }
    }
  });

  test("of a large log are read without reading the log", async () => {
    const directory = newDirectory();
    const path = join(directory, "0.log");
    writeFileSync(path, line(0, "q".repeat(1000)).repeat(10_000) + lines(0, 3));
    const from = readBytes();
    expect(await read(directory, { tailLines: 2 })).toEqual(["line 1", "line 2"]);
    expect(readBytes() - from).toBeLessThan(1_000_000);
  });
});

describe("lines since a time", () => {
  test("begin with the first that is not older", async () => {
    const directory = logsWith({ "0.log.1": lines(0, 3), "0.log": `junk\n${lines(3, 6)}junk\n` });
    expect(await read(directory, { sinceMs: startMs + 4000 })).toEqual([
      "line 4",
      "line 5",
      "<junk>",
    ]);
    expect(await read(directory, { sinceMs: startMs + 4000, tailLines: 2 })).toEqual([
      "line 5",
      "<junk>",
    ]);
    expect(await read(directory, { sinceMs: startMs + 60_000 })).toEqual([]);
  });

  test("are not looked for in files that were last written before", async () => {
    const directory = logsWith({ "0.log.1": lines(0, 3), "0.log": lines(3, 6) });
    utimesSync(join(directory, "0.log.1"), 1, startMs / 1000 - 10);
    expect(await read(directory, { sinceMs: startMs })).toEqual(["line 3", "line 4", "line 5"]);
  });
});

/** Bytes that this process has asked the kernel for. */
function readBytes(): number {
  const io = readFileSync("/proc/self/io", "latin1");
  return Number(/^rchar: (\d+)/m.exec(io)?.[1]);
}
