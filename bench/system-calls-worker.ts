// What is traced for the count of system calls: launches and joins between markers. Prints the ids
// of its own threads, the main one first.
import { existsSync, readdirSync } from "node:fs";
import { joinMany } from "./metrics/joins.ts";
import { openSite } from "./metrics/site.ts";
import { fullShape } from "./shape.ts";
import { markerOf } from "./system-calls.ts";

const repetitions = 6;

async function marked<T>(occasion: string, work: () => Promise<T>): Promise<T> {
  existsSync(markerOf(occasion, "begin"));
  const value = await work();
  existsSync(markerOf(occasion, "end"));
  return value;
}

const [directory = "/dev/shm"] = process.argv.slice(2);
const site = await openSite(directory, { isWarm: false });
// What is done once must not be counted.
await (await site.peapod.up(site.manifest(fullShape))).down({ graceMs: 0 });
for (let repetition = 0; repetition < repetitions; repetition += 1) {
  const manifest = site.manifest(fullShape);
  const pod = await marked("launch", () => site.peapod.up(manifest));
  await marked("down", () => pod.down({ graceMs: 0 }));
}
await joinMany(site, fullShape, repetitions, (work) => marked("join", work));
await site.close();
const threads = readdirSync("/proc/self/task").map(Number);
console.log(JSON.stringify([process.pid, ...threads.filter((id) => id !== process.pid)]));
