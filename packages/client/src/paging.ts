import type { Endpoint, InputOf, OutputOf } from '@lazuli/contract';
import type { CallOptions } from './transport.ts';

/** The items of a paged answer: `Run` of `{ runs?: Run[]; next_page_token?: string }`. */
export type ItemOf<Output> = {
  [Name in keyof Output]-?: NonNullable<Output[Name]> extends readonly (infer Item)[] ? Item : never;
}[keyof Output];

/** What a paged endpoint's method can besides: give all items, page after page. */
export interface Paged<E extends Endpoint> {
  /** All items, fetched page by page as they are asked for. `for await (const run of client.runs.searchRuns.all({ … }))` */
  all(input: Omit<InputOf<E>, 'page_token'>, options?: CallOptions): AsyncIterable<ItemOf<OutputOf<E>>>;
}

/** Page sizes where the server's own is none (experiments) or small for a long series. */
const pageSizes: Readonly<Record<string, number>> = {
  '/2.0/mlflow/experiments/search': 1_000,
  '/2.0/mlflow/metrics/get-history': 25_000,
};

export function isPaged(definition: Endpoint): boolean {
  return 'next_page_token' in definition.output.properties;
}

export function itemsOf(
  definition: Endpoint,
  call: (input: unknown, options?: CallOptions) => Promise<unknown>,
): (input: object, options?: CallOptions) => AsyncIterable<unknown> {
  const list = Object.entries(definition.output.properties).find(
    ([, schema]) => (schema as { type?: string }).type === 'array',
  )?.[0];
  if (list === undefined) throw new TypeError(`${definition.path} answers no list.`);
  const pageSize = pageSizes[definition.path];
  return async function* (input, options) {
    let page_token: string | undefined;
    do {
      const page = (await call(
        {
          ...(pageSize === undefined ? {} : { max_results: pageSize }),
          ...input,
          ...(page_token === undefined ? {} : { page_token }),
        },
        options,
      )) as Record<string, unknown> & { next_page_token?: string };
      yield* (page[list] ?? []) as unknown[];
      page_token = page.next_page_token;
    } while (page_token !== undefined && page_token !== '');
  };
}
