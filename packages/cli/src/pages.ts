import { CommandError } from './output.ts';

/** Items of pages until there are `limit`, or no more. `page` asks for one page of at most `size` items. */
export async function collect<Item>(
  limit: number,
  page: (size: number, token: string | undefined) => Promise<{ items: readonly Item[]; next: string | undefined }>,
): Promise<Item[]> {
  const collected: Item[] = [];
  let token: string | undefined;
  do {
    const { items, next } = await page(Math.min(limit - collected.length, 1_000), token);
    collected.push(...items);
    token = next === '' ? undefined : next;
  } while (token !== undefined && collected.length < limit);
  return collected;
}

/** `--max-results`, a count from 1 on. */
export function limitOf(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const limit = Number(text);
  if (Number.isSafeInteger(limit) && limit > 0) return limit;
  throw new CommandError(2, `--max-results: ${JSON.stringify(text)} must be a whole number from 1 on`);
}
