import { afterAll, describe, expect, test } from "bun:test";
import { appendFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ReadLogsOptions, readLogs } from "../../src/pod/logs/read-logs.ts";
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
} from "./log-fixture.ts";

afterAll(removeScratch);

/** Collects what a follower sees until the writer is ended. */
function follow(directory: string, options: Partial<ReadLogsOptions> = {}) {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const seen: string[] = [];
  const done = (async () => {
    const all = { directory, base: "0.log", follow: true, ended, ...options };
    for await (const entry of readLogs(all)) seen.push(print(entry));
    return seen;
  })();
  async function until(count: number): Promise<string[]> {
    while (seen.length < count) await Bun.sleep(2);
    return seen;
  }
  return { seen, until, end, done };
}

function rotate(directory: string, kept = 4): void {
  const path = join(directory, "0.log");
  for (let number = kept; number > 1; number--) {
    const from = `${path}.${number - 1}`;
    if (existsSync(from)) renameSync(from, `${path}.${number}`);
  }
  renameSync(path, `${path}.1`);
  writeFileSync(path, "");
}

describe("following", () => {
  test("shows what is written, when it is written, until the writer ends", async () => {
    const directory = logsWith({ "0.log": lines(0, 1) });
    const path = join(directory, "0.log");
    const follower = follow(directory);
    expect(await follower.until(1)).toEqual(["line 0"]);
    appendFileSync(path, line(1, "line 1") + line(2, "line 2").slice(0, 30));
    expect(await follower.until(2)).toEqual(["line 0", "line 1"]);
    appendFileSync(path, line(2, "line 2").slice(30));
    await follower.until(3);
    appendFileSync(path, line(3, "last"));
    follower.end();
    expect(await follower.done).toEqual(["line 0", "line 1", "line 2", "last"]);
  });

  test("waits for a log, and for a directory, that does not exist yet", async () => {
    for (const directory of [newDirectory(), join(scratch, "late")]) {
      const follower = follow(directory);
      await Bun.sleep(20);
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, "0.log"), lines(0, 2));
      await follower.until(2);
      follower.end();
      expect(await follower.done).toEqual(["line 0", "line 1"]);
    }
  });

  test("can begin with the last lines, or with none", async () => {
    const directory = logsWith({ "0.log.1": lines(0, 3), "0.log": lines(3, 6) });
    const [last, none] = [follow(directory, { tailLines: 4 }), follow(directory, { tailLines: 0 })];
    await last.until(4);
    await Bun.sleep(20);
    appendFileSync(join(directory, "0.log"), line(6, "line 6"));
    rotate(directory);
    last.end();
    none.end();
    expect(await last.done).toEqual([2, 3, 4, 5, 6].map((n) => `line ${n}`));
    expect(await none.done).toEqual(["line 6"]);
  });

  test("with no last line shows the whole of the one being written", async () => {
    const directory = logsWith({ "0.log": lines(0, 2) + line(2, "line 2").slice(0, 40) });
    const follower = follow(directory, { tailLines: 0 });
    await Bun.sleep(20);
    appendFileSync(join(directory, "0.log"), line(2, "line 2").slice(40));
    follower.end();
    expect(await follower.done).toEqual(["line 2"]);
  });

  test("shows a prompt when nothing comes behind it", async () => {
    const directory = logsWith({ "0.log": line(0, "Password: ", "stdout", "P") });
    const follower = follow(directory);
    expect(await follower.until(1)).toEqual(["Password: …"]);
    appendFileSync(join(directory, "0.log"), line(1, "wrong"));
    follower.end();
    expect(await follower.done).toEqual(["Password: …", "wrong"]);
  });

  test("says when files were rotated away before they could be read", async () => {
    const directory = logsWith({ "0.log": lines(0, 1) });
    const reading = readLogs({ directory, base: "0.log", follow: true, ended: Promise.resolve() });
    const first = await reading.next();
    expect(first.value && print(first.value)).toBe("line 0");
    for (let number = 1; number <= 3; number++) {
      rotate(directory, 2);
      writeFileSync(join(directory, "0.log"), line(number, `line ${number}`));
    }
    const rest = (await Array.fromAsync(reading)).map(print);
    expect(rest).toEqual(["<gap>", "line 1", "line 2", "line 3"]);
  });

  test("ends quietly when the log is removed while it is followed", async () => {
    const directory = logsWith({ "0.log": lines(0, 1) });
    const follower = follow(directory);
    await follower.until(1);
    rmSync(directory, { recursive: true });
    follower.end();
    expect(await follower.done).toEqual(["line 0"]);
  });

  test("loses and repeats nothing while the writer rotates", async () => {
    const directory = newDirectory();
    const followers = [follow(directory), follow(directory), follow(directory)];
    const random = pseudoRandom(3);
    const path = join(directory, "0.log");
    const expected: string[] = [];
    writeFileSync(path, "");
    for (let number = 0; number < 2000; number++) {
      const stream = random() < 0.5 ? "stdout" : "stderr";
      appendFileSync(
        path,
        line(number, `part of `, stream, "P") + line(number, `${number}`, stream),
      );
      expected.push(`${stream === "stderr" ? "! " : ""}part of ${number}`);
      if (random() < 0.02) rotate(directory, 40);
      if (random() < 0.05) await Bun.sleep(random() * 4);
    }
    for (const follower of followers) {
      follower.end();
      expect(await follower.done).toEqual(expected);
    }
  });

  test("sees a rotation of another process whole, at any moment of it", async () => {
    const directory = newDirectory();
    const writer = Bun.spawn([
      process.execPath,
      join(import.meta.dir, "rotating-writer.ts"),
      directory,
    ]);
    const seen = await read(directory, { follow: true, ended: writer.exited });
    expect(seen).toEqual(Array.from({ length: 20_000 }, (_, number) => `line ${number}`));
  });

  test("ends with the signal's reason, and leaves no descriptor open", async () => {
    const directory = logsWith({ "0.log.1": lines(0, 1), "0.log": lines(1, 2) });
    await read(directory, { follow: true, ended: Promise.resolve() });
    const before = openDescriptors();
    const controller = new AbortController();
    const follower = follow(directory, { signal: controller.signal });
    await follower.until(2);
    controller.abort(new Error("enough"));
    await expect(follower.done).rejects.toThrow("enough");
    expect(openDescriptors()).toBe(before);
  });
});
