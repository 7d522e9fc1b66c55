import { contract, type Contract, type Endpoint, type InputOf, type OutputOf } from '@lazuli/contract';
import { callOf } from './call.ts';
import { isPaged, itemsOf, type Paged } from './paging.ts';
import { createTransport, type CallOptions, type Transport, type TransportOptions } from './transport.ts';

/** A method for an endpoint; one that answers pages has `all`, too. */
export type Call<E extends Endpoint> = ((input: InputOf<E>, options?: CallOptions) => Promise<OutputOf<E>>) &
  ('next_page_token' extends keyof OutputOf<E> ? Paged<E> : unknown);

/**
 * A typed method for every endpoint of the contract: `client.runs.logMetric({ run_id, key, value, timestamp })`. Methods
 * resolve with the answer and reject with an `MlflowError`.
 */
export type Client = {
  readonly [Group in keyof Contract]: {
    readonly [Name in keyof Contract[Group]]: Contract[Group][Name] extends Endpoint
      ? Call<Contract[Group][Name]>
      : never;
  };
};

/**
 * A client of one server, with a method for every endpoint; it reads no environment.
 *
 * @example
 * ```ts
 * const client = createClient({ url: getTrackingUri(), retries: { maxRetries: 2 } });
 * const { run } = await client.runs.createRun({ experiment_id: '0', start_time: Date.now() });
 * await client.runs.logBatch({
 *   run_id: run.info.run_id,
 *   metrics: [{ key: 'loss', value: 0.5, step: 1, timestamp: Date.now() }],
 *   params: [{ key: 'rate', value: '0.1' }],
 * });
 * await client.runs.updateRun({ run_id: run.info.run_id, status: 'FINISHED', end_time: Date.now() });
 * ```
 */
export function createClient(options: TransportOptions): Client {
  return clientOver(createTransport(options));
}

export function clientOver(transport: Transport): Client {
  return Object.fromEntries(
    Object.entries(contract).map(([group, endpoints]) => [group, methodsOf(endpoints, transport)]),
  ) as unknown as Client;
}

function methodsOf(endpoints: Readonly<Record<string, Endpoint>>, transport: Transport): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(endpoints).map(([name, definition]) => {
      const call = callOf(definition, transport);
      return [name, isPaged(definition) ? Object.assign(call, { all: itemsOf(definition, call) }) : call];
    }),
  );
}
