// Which devices a container's processes may make or open, as a program for its control group. The
// kernel asks it at every mknod and at every open of a device.

import type { AllowedDevice } from "../spec/resolved.ts";

const [block, character] = [1, 2];
const [mayMake, mayRead, mayWrite] = [1, 2, 4];
/** In place of a number. */
const every = -1;

interface Rule {
  readonly type: number;
  readonly major: number;
  readonly minor: number;
  readonly access: number;
}

/** Those of every container's /dev, and its terminals. */
const always: readonly Rule[] = [
  ...[3, 5, 7, 8, 9].map((minor) => ({ type: character, major: 1, minor, access: 7 })),
  // tty and ptmx.
  ...[0, 2].map((minor) => ({ type: character, major: 5, minor, access: 7 })),
  { type: character, major: 136, minor: every, access: 7 },
  // A node that cannot be opened harms nobody: archives are unpacked with their devices.
  { type: character, major: every, minor: every, access: mayMake },
  { type: block, major: every, minor: every, access: mayMake },
];

export function deviceFilter(devices: readonly AllowedDevice[]): Uint8Array {
  const rules = devices.map(({ type, major, minor, access: letters }) => ({
    ...{ type: type === "block_device" ? block : character, major, minor },
    access:
      (letters.includes("m") ? mayMake : 0) |
      (letters.includes("r") ? mayRead : 0) |
      (letters.includes("w") ? mayWrite : 0),
  }));
  return assemble([...always, ...rules]);
}

/** linux/bpf.h: opcode, registers (source << 4 | destination), offset, immediate. */
type Instruction = readonly [code: number, registers: number, offset: number, value: number];

const LOAD_WORD = 0x61;
const MOVE = 0xbf;
const MOVE_VALUE = 0xb7;
const AND_VALUE = 0x57;
const SHIFT_RIGHT_VALUE = 0x77;
const JUMP_NOT_EQUAL = 0x55;
const EXIT = 0x95;
const [result, context, type, access, major, minor] = [0, 1, 2, 3, 4, 5];
const from = (source: number, to: number) => (source << 4) | to;

/** `struct bpf_cgroup_dev_ctx`: access in the upper and type in the lower half, major, minor. */
function assemble(rules: readonly Rule[]): Uint8Array {
  const program: Instruction[] = [
    [LOAD_WORD, from(context, type), 0, 0],
    [MOVE, from(type, access), 0, 0],
    [AND_VALUE, type, 0, 0xffff],
    [SHIFT_RIGHT_VALUE, access, 0, 16],
    [LOAD_WORD, from(context, major), 4, 0],
    [LOAD_WORD, from(context, minor), 8, 0],
    ...rules.flatMap(assembleRule),
    [MOVE_VALUE, result, 0, 0],
    [EXIT, 0, 0, 0],
  ];
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, [code, registers, offset, value]] of program.entries()) {
    view.setUint8(index * 8, code);
    view.setUint8(index * 8 + 1, registers);
    view.setInt16(index * 8 + 2, offset, true);
    view.setInt32(index * 8 + 4, value, true);
  }
  return bytes;
}

/** Its tests, each of which jumps behind the rule; `context` has been read and is scratch now. */
function assembleRule(rule: Rule): Instruction[] {
  const unwanted = ~rule.access & 7;
  const tests: readonly Instruction[][] = [
    [[JUMP_NOT_EQUAL, type, 0, rule.type]],
    rule.major === every ? [] : [[JUMP_NOT_EQUAL, major, 0, rule.major]],
    rule.minor === every ? [] : [[JUMP_NOT_EQUAL, minor, 0, rule.minor]],
    unwanted === 0
      ? []
      : [
          [MOVE, from(access, context), 0, 0],
          [AND_VALUE, context, 0, unwanted],
          [JUMP_NOT_EQUAL, context, 0, 0],
        ],
  ];
  const allow: readonly Instruction[] = [
    [MOVE_VALUE, result, 0, 1],
    [EXIT, 0, 0, 0],
  ];
  const all = [...tests.flat(), ...allow];
  return all.map(([code, registers, offset, value], at) =>
    code === JUMP_NOT_EQUAL
      ? [code, registers, all.length - at - 1, value]
      : [code, registers, offset, value],
  );
}
