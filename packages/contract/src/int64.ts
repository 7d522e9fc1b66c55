/** A signed 64-bit integer: a number where a double holds it exactly, else a bigint. */
export type Int64 = number | bigint;

const smallest = -(2n ** 63n);
const largest = 2n ** 63n - 1n;

/** The integer that a decimal text stands for, exact; undefined where it is no integer or needs more than 64 bits. */
export function parseInt64(text: string): Int64 | undefined {
  if (text.length > 64 || !/^[+-]?\d+$/.test(text)) return undefined;
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
  if (value < smallest || value > largest) return undefined;
  return exactInt64(value);
}

/** A bigint as a number where that is exact. */
export function exactInt64(value: bigint): Int64 {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
