/**
 * JSON of what programs hold: bigints as the numbers that they are, or as text where a reader would round them; maps as objects,
 * sets as lists.
 */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, plain, indent);
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Set) return [...value];
  return value;
}
