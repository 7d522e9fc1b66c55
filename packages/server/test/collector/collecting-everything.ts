import type { Client } from '@lazuli/client';

type Input = Parameters<Client['collections']['collect']>[0];
type Answer = Awaited<ReturnType<Client['collections']['collect']>>;

export interface Emptied {
  /** `RUN 1234`, … in the order in which they went. */
  readonly collected: readonly string[];
  /** Why the others stay, by what they are. */
  readonly kept: Readonly<Record<string, string>>;
  readonly unremoved: NonNullable<Answer['unremoved']>;
}

/** Collects page by page to the end; at once, unless another age is given. */
export async function collectAll({ collections }: Client, input: Input = {}): Promise<Emptied> {
  const answers: Answer[] = [];
  for (let token: string | undefined = ''; token !== undefined; token = answers.at(-1)?.next_page_token) {
    answers.push(
      await collections.collect({ older_than_ms: 0, ...input, ...(token === '' ? {} : { page_token: token }) }),
    );
  }
  return {
    collected: answers.flatMap(({ collected = [] }) => collected.map(({ kind, id }) => `${kind} ${id}`)),
    kept: Object.fromEntries(
      answers.flatMap(({ kept = [] }) => kept.map(({ kind, id, reason }) => [`${kind} ${id}`, reason])),
    ),
    unremoved: answers.flatMap(({ unremoved = [] }) => unremoved),
  };
}
