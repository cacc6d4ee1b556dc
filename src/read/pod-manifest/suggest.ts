// "Did you mean": the nearest known word to a mistyped one.

/** Longer words are not typing mistakes, and the table below is quadratic. */
const wordLengthMax = 64;

export function suggestWord(word: string, known: readonly string[]): string | undefined {
  if (word.length > wordLengthMax) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Levenshtein: insertions, deletions and replacements that lead from one word to the other. */
export function editDistance(source: string, target: string): number {
  let row = Array.from({ length: target.length + 1 }, (_, index) => index);
  for (const [line, letter] of [...source].entries()) {
    const next = [line + 1];
    for (let column = 1; column <= target.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (target[column - 1] === letter ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[target.length] ?? 0;
}
