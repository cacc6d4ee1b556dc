// The peapod cell in a process of its own: a line on standard input is one round, its sample is one
// line on standard output. So that a cell can stand in a mount namespace that its parent made.
import { peapodSubject } from "./peapod.ts";
import { fullShape } from "./shape.ts";

const [directory = "", containers = "2", joins = "100"] = process.argv.slice(2);
const cell = peapodSubject().cell({
  work: { kind: "join", count: Number(joins) },
  shape: { ...fullShape, containers: Number(containers) },
  directory,
});
const absent = await cell.prepare();
console.log(JSON.stringify(absent ?? { ready: true }));
for await (const _ of console) console.log(JSON.stringify(await cell.run()));
await cell.cleanup();
