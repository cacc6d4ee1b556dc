// Classic BPF for seccomp, written from the last instruction to the first. All its jumps go
// forward, so when one is written its targets are in place and their distance is known.

/**
 * linux/bpf_common.h. Only instructions that the kernel's constant-action check understands, see
 * compile.ts.
 */
const BPF_LD_W_ABS = 0x20;
const BPF_ALU_AND_K = 0x54;
const BPF_RET_K = 0x06;
const BPF_JMP_JA = 0x05;
const jumps = { equal: 0x15, atLeast: 0x35, anyBit: 0x45 } as const;

/** BPF_MAXINSNS. */
const instructionsMax = 4096;
/**
 * Conditional offsets have 8 bits; one is kept back for the jump that the other target may still
 * need.
 */
const offsetMax = 254;

interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** An instruction's place, counted from the end of the program. */
export type Label = number;

export interface Assembler {
  /** Ends the program with a value of SECCOMP_RET_*. */
  ret(value: number): Label;
  /** Loads 32 bits of struct seccomp_data, then goes on at `next`. */
  load(offset: number, next: Label): Label;
  and(mask: number, next: Label): Label;
  jump(test: keyof typeof jumps, value: number, yes: Label, no: Label): Label;
  /**
   * The program as an array of struct sock_filter, little endian. It starts at the last label made.
   */
  finish(): Uint8Array;
}

export function createAssembler(): Assembler {
  const reversed: Instruction[] = [];
  /** Targets that were out of reach, and the stand-in written closer by. */
  const standIns = new Map<Label, Label>();

  const push = (code: number, k: number, jt = 0, jf = 0): Label =>
    reversed.push({ code, jt, jf, k: k >>> 0 }) - 1;
  const distance = (target: Label): number => reversed.length - target - 1;

  /**
   * A label within reach of a conditional jump written next: the target, or a copy of it, or a jump
   * to it.
   */
  function near(target: Label): Label {
    const closest = standIns.get(target) ?? target;
    const instruction = reversed[closest];
    if (instruction === undefined) throw new Error(`no instruction has the label ${target}`);
    if (distance(closest) <= offsetMax) return closest;
    const standIn =
      instruction.code === BPF_RET_K
        ? push(BPF_RET_K, instruction.k)
        : push(BPF_JMP_JA, distance(closest));
    standIns.set(target, standIn);
    return standIn;
  }

  /** Makes `next` what follows an instruction without jumps. */
  function fallThrough(next: Label): void {
    if (distance(next) > 0) push(BPF_JMP_JA, distance(next));
  }

  return {
    ret: (value) => push(BPF_RET_K, value),
    load(offset, next) {
      fallThrough(next);
      return push(BPF_LD_W_ABS, offset);
    },
    and(mask, next) {
      fallThrough(next);
      return push(BPF_ALU_AND_K, mask);
    },
    jump(test, value, yes, no) {
      const [jt, jf] = [near(yes), near(no)];
      return push(jumps[test], value, distance(jt), distance(jf));
    },
    finish: () => encode(reversed.toReversed()),
  };
}

function encode(program: readonly Instruction[]): Uint8Array {
  if (program.length > instructionsMax) {
    throw new Error(
      `a filter of ${program.length} instructions: the kernel takes ${instructionsMax}`,
    );
  }
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, { code, jt, jf, k }] of program.entries()) {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, jt);
    view.setUint8(index * 8 + 3, jf);
    view.setUint32(index * 8 + 4, k, true);
  }
  return bytes;
}
