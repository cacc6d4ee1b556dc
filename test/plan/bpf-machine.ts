// Runs classic BPF as the kernel does for seccomp, and refuses what its checker would refuse.

/** The fields of struct seccomp_data that a filter may look at; arguments as 64-bit numbers. */
export interface Call {
  readonly number: number;
  readonly auditArch: number;
  readonly args: readonly bigint[];
}

interface Run {
  readonly result: number;
  readonly steps: number;
}

/** Interprets the bytes of an array of struct sock_filter. */
export function runFilter(program: Uint8Array, call: Call): Run {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const data = encodeCall(call);
  const count = program.length / 8;
  let accumulator = 0;
  let at = 0;
  for (let steps = 1; at < count; steps++) {
    const code = view.getUint16(at * 8, true);
    const k = view.getUint32(at * 8 + 4, true);
    const branch = (taken: boolean): number => view.getUint8(at * 8 + (taken ? 2 : 3));
    switch (code) {
      case 0x20:
        if (k % 4 !== 0) throw new Error(`a load from the unaligned offset ${k}`);
        accumulator = data.getUint32(k, true);
        break;
      case 0x54:
        accumulator = (accumulator & k) >>> 0;
        break;
      case 0x05:
        at += k;
        break;
      case 0x15:
        at += branch(accumulator === k);
        break;
      case 0x35:
        at += branch(accumulator >= k);
        break;
      case 0x45:
        at += branch((accumulator & k) !== 0);
        break;
      case 0x06:
        return { result: k, steps };
      default:
        throw new Error(`the unknown instruction 0x${code.toString(16)}`);
    }
    at += 1;
  }
  throw new Error("the program ran past its end");
}

function encodeCall({ number, auditArch, args }: Call): DataView {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number, true);
  data.setUint32(4, auditArch, true);
  args.forEach((arg, index) => data.setBigUint64(16 + 8 * index, arg, true));
  return data;
}
