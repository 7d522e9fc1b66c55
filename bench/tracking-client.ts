/**
 * How the bench sets up, asks and reads back: MLflow's REST API by hand, one connection, one request at a time, nothing
 * retried. It knows no more of the server than any MLflow client does, so it speaks to every compatible server.
 */
import { addressOf, openConnection, requestBytes } from './http-connection.ts';
import type { Address, HttpConnection } from './http-connection.ts';

/** A server to measure: where each of its processes listens, and the path under which its API lies. */
export interface Target {
  readonly addresses: readonly Address[];
  readonly apiPath: string;
}

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
  /** From writing the request to the last byte of the answer. */
  readonly ms: number;
}

export type Json = string | number | boolean | null | readonly Json[] | { readonly [member: string]: Json };
export type JsonObject = Readonly<Record<string, Json>>;

export interface TrackingClient {
  /** Sends a prepared request; any status is an answer. */
  exchange(request: Buffer): Promise<Answer>;
  /** The bytes of a call, to be sent by `exchange`. */
  prepare(method: 'GET' | 'POST', verb: string, input: JsonObject): Buffer;
  /** A call that must succeed. */
  call(method: 'GET' | 'POST', verb: string, input: JsonObject): Promise<JsonObject>;
  close(): void;
}

/** All processes of a server have the same path. */
export function targetOf(urls: readonly URL[], token?: string): Target {
  const path = urls[0]?.pathname ?? '';
  return {
    addresses: urls.map((url) => ({ host: url.hostname, port: Number(url.port || 80), token })),
    apiPath: `${path.replace(/\/$/, '')}/api/2.0/mlflow`,
  };
}

/** `ordinal` chooses the process of the server: client i speaks to process i, and round again. */
export async function openTrackingClient(target: Target, ordinal = 0): Promise<TrackingClient> {
  const address = addressOf(target.addresses, ordinal);
  interface Waiting {
    readonly sentAt: number;
    resolve(answer: Answer): void;
    reject(reason: Error): void;
  }
  let waiting: Waiting | undefined;
  let connection: HttpConnection | undefined;

  const events = {
    answered(status: number, body: Buffer) {
      const ms = performance.now() - (waiting?.sentAt ?? 0);
      const answered = waiting;
      waiting = undefined;
      answered?.resolve({ status, body: Buffer.from(body), ms });
    },
    lost(reason: Error) {
      connection = undefined;
      waiting?.reject(reason);
      waiting = undefined;
    },
  };

  function prepare(method: 'GET' | 'POST', verb: string, input: JsonObject): Buffer {
    const path = `${target.apiPath}/${verb}`;
    if (method === 'POST') return requestBytes(address, method, path, JSON.stringify(input));
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(input))
      query.set(name, typeof value === 'string' ? value : JSON.stringify(value));
    return requestBytes(address, method, `${path}?${query.toString()}`);
  }

  async function exchange(request: Buffer): Promise<Answer> {
    const open = (connection ??= await openConnection(address, events));
    return new Promise((resolve, reject) => {
      waiting = { sentAt: performance.now(), resolve, reject };
      open.send(request);
    });
  }

  async function call(method: 'GET' | 'POST', verb: string, input: JsonObject): Promise<JsonObject> {
    const { status, body } = await exchange(prepare(method, verb, input));
    if (status !== 200) throw new Error(`${method} ${verb} answered ${status}: ${body.toString('utf8', 0, 500)}`);
    return JSON.parse(body.toString()) as JsonObject; // MLflow: every answer of the API is an object
  }

  connection = await openConnection(address, events);
  return {
    exchange,
    prepare,
    call,
    close() {
      connection?.close();
    },
  };
}

/** Does `work` for every item, `width` at a time, each worker on a connection of its own, spread over the processes; the results keep the order. */
export async function inParallel<Item, Result>(
  target: Target,
  width: number,
  items: readonly Item[],
  work: (client: TrackingClient, item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const entries = items.entries();
  async function worker(ordinal: number): Promise<void> {
    const client = await openTrackingClient(target, ordinal);
    try {
      for (const [index, item] of entries) results[index] = await work(client, item, index);
    } finally {
      client.close();
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, (_, i) => worker(i)));
  return results;
}

/** Steps through an answer: `at(answer, 'run', 'info', 'run_id')`. */
export function at(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  let here = value;
  for (const member of path) {
    here = typeof here === 'object' && here !== null && !Array.isArray(here) ? (here as JsonObject)[member] : undefined;
  }
  return here;
}

export function textAt(value: Json | undefined, ...path: readonly string[]): string {
  const found = at(value, ...path);
  if (typeof found !== 'string') throw new Error(`the answer has no text at ${path.join('.')}`);
  return found;
}

/** An absent list is an empty one: protobuf JSON leaves empty lists out. */
export function listAt(value: Json | undefined, ...path: readonly string[]): readonly Json[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? (found as readonly Json[]) : [];
}

export async function createExperiment(client: TrackingClient, name: string): Promise<string> {
  return textAt(await client.call('POST', 'experiments/create', { name }), 'experiment_id');
}

export async function createRun(client: TrackingClient, experimentId: string, name: string): Promise<string> {
  const input = { experiment_id: experimentId, run_name: name, start_time: Date.now() };
  return textAt(await client.call('POST', 'runs/create', input), 'run', 'info', 'run_id');
}
