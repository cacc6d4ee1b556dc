// Writes 20,000 numbered lines to the log of the directory given and rotates as the keeper does,
// step by step.

import { closeSync, existsSync, openSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";

const path = join(process.argv[2] ?? "", "0.log");
const rotatedMax = 100;
let fd = openSync(path, "a");

for (let number = 0; number < 20_000; number++) {
  writeSync(fd, `2026-01-02T03:04:05.000000000Z stdout F line ${number}\n`);
  if (number % 300 === 299) rotate();
  if (number % 2000 === 0) await Bun.sleep(1);
}

function rotate(): void {
  for (let to = rotatedMax; to > 1; to--) {
    if (existsSync(`${path}.${to - 1}`)) renameSync(`${path}.${to - 1}`, `${path}.${to}`);
  }
  renameSync(path, `${path}.1`);
  closeSync(fd);
  fd = openSync(path, "a");
}
