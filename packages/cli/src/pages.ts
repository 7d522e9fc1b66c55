import { CommandError } from './output.ts';

/** The first items of a listing; all of them where the limit is Infinity. */
export async function firstOf<Item>(limit: number, items: AsyncIterable<Item>): Promise<Item[]> {
  const first: Item[] = [];
  for await (const item of items) {
    first.push(item);
    if (first.length >= limit) break;
  }
  return first;
}

/** How many to ask for at a time: no more than are wanted. */
export function pageSize(limit: number): number {
  return Math.min(limit, 1_000);
}

/** `--max-results`, a count from 1 on. */
export function limitOf(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const limit = Number(text);
  if (Number.isSafeInteger(limit) && limit > 0) return limit;
  throw new CommandError(2, `--max-results: ${JSON.stringify(text)} must be a whole number from 1 on`);
}
