import { contract, type Contract, type Endpoint, type InputOf, type OutputOf } from '@lazuli/contract';
import { createTransport, type CallOptions, type Transport, type TransportOptions } from './transport.ts';
import { callOf } from './call.ts';

/**
 * A typed method for every endpoint of the contract: `client.runs.logMetric({ run_id, key, value, timestamp })`. Methods
 * resolve with the answer and reject with an `MlflowError`.
 */
export type Client = {
  readonly [Group in keyof Contract]: {
    readonly [Name in keyof Contract[Group]]: Contract[Group][Name] extends Endpoint
      ? (input: InputOf<Contract[Group][Name]>, options?: CallOptions) => Promise<OutputOf<Contract[Group][Name]>>
      : never;
  };
};

export function createClient(options: TransportOptions): Client {
  const transport = createTransport(options);
  return Object.fromEntries(
    Object.entries(contract).map(([group, endpoints]) => [group, methodsOf(endpoints, transport)]),
  ) as unknown as Client;
}

function methodsOf(endpoints: Readonly<Record<string, Endpoint>>, transport: Transport): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(endpoints).map(([name, definition]) => [name, callOf(definition, transport)]),
  );
}
