// Colours, or none: decided once for each output.

/** NO_COLOR counts when it is not empty (no-color.org); a dumb terminal shows escapes as dirt. */
export function wantsColour(
  isTerminal: boolean,
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return isTerminal && !env.NO_COLOR && env.TERM !== "dumb";
}

const codes = {
  bold: 1,
  dim: 2,
  red: 31,
  green: 32,
  yellow: 33,
  blue: 34,
  magenta: 35,
  cyan: 36,
} as const;

export type Colour = keyof typeof codes;
export type Paint = (colour: Colour, text: string) => string;

export function createPaint(isColoured: boolean): Paint {
  if (!isColoured) return (_colour, text) => text;
  return (colour, text) => `\x1b[${codes[colour]}m${text}\x1b[0m`;
}

/** Neighbours differ, and none is red: that is for what went wrong. */
const cycle: readonly Colour[] = ["cyan", "yellow", "green", "magenta", "blue"];

export function cycleColour(index: number): Colour {
  return cycle[index % cycle.length] ?? "cyan";
}
