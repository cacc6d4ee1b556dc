// What the dynamic loader would find in an ELF file (man 5 elf; 64 bits, little endian).

import { readFileSync } from "node:fs";

export interface Elf {
  readonly machine: "x64" | "arm64" | "another";
  readonly defined: readonly string[];
  readonly undefined: readonly string[];
  /** Libraries and an interpreter that it asks for. */
  readonly needs: readonly string[];
  readonly hasThreadLocals: boolean;
}

const machines: Readonly<Record<number, Elf["machine"]>> = { 62: "x64", 183: "arm64" };
const programs = { dynamic: 2, interpreter: 3, threadLocals: 7 };
const dynamicSymbols = 11;
const neededTag = 1n;

export function readElf(path: string): Elf {
  const bytes = readFileSync(path);
  const segments = records(bytes, Number(bytes.readBigUInt64LE(32)), 54, 56).map((at) => ({
    type: bytes.readUInt32LE(at),
    offset: Number(bytes.readBigUInt64LE(at + 8)),
    size: Number(bytes.readBigUInt64LE(at + 32)),
  }));
  const ofType = (type: number) => segments.filter((segment) => segment.type === type);
  const names = symbols(bytes);
  const needed = ofType(programs.dynamic).flatMap(({ offset, size }) =>
    every(16, offset, size).filter((at) => bytes.readBigUInt64LE(at) === neededTag),
  );
  return {
    machine: machines[bytes.readUInt16LE(18)] ?? "another",
    defined: names.filter(({ section }) => section !== 0).map(({ name }) => name),
    undefined: names.filter(({ section }) => section === 0).map(({ name }) => name),
    needs: [
      ...ofType(programs.interpreter).map(() => "an interpreter"),
      ...needed.map(() => "a library"),
    ],
    hasThreadLocals: ofType(programs.threadLocals).length > 0,
  };
}

function symbols(bytes: Buffer): { name: string; section: number }[] {
  const sections = records(bytes, Number(bytes.readBigUInt64LE(40)), 58, 60);
  const table = sections.find((at) => bytes.readUInt32LE(at + 4) === dynamicSymbols);
  if (table === undefined) return [];
  const strings = sections[bytes.readUInt32LE(table + 40)] ?? 0;
  const namesAt = Number(bytes.readBigUInt64LE(strings + 24));
  const offset = Number(bytes.readBigUInt64LE(table + 24));
  const size = Number(bytes.readBigUInt64LE(table + 32));
  // The first symbol of every table is empty.
  return every(24, offset, size)
    .slice(1)
    .map((at) => {
      const start = namesAt + bytes.readUInt32LE(at);
      const name = bytes.toString("latin1", start, bytes.indexOf(0, start));
      return { name, section: bytes.readUInt16LE(at + 6) };
    });
}

/** Offsets of a header table, whose entry size and count stand in the file's header. */
function records(bytes: Buffer, offset: number, sizeAt: number, countAt: number): number[] {
  const size = bytes.readUInt16LE(sizeAt);
  return every(size, offset, size * bytes.readUInt16LE(countAt));
}

function every(step: number, offset: number, size: number): number[] {
  return Array.from({ length: Math.floor(size / step) }, (_, index) => offset + index * step);
}
