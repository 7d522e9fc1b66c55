import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, type Client } from '@lazuli/client';
import { emptyBooks, work, type Books } from '../../packages/server/test/crash/logged-work.ts';

/** Clients that log until they are stopped, with the retries of MLflow's own clients, and the books of what was answered. */
export interface Load {
  readonly client: Client;
  readonly books: Books;
  /** Attempts that got no answer or a passing failure, and what they were. */
  readonly attemptsFailed: string[];
  /** Requests that failed for good: a client noticed. */
  readonly requestsFailed: string[];
  stop(): Promise<void>;
}

export interface Target {
  readonly url: string;
  readonly token: string;
}

/** *MLflow: 7 retries of 408, 429 and 5xx and of lost connections, each waiting twice as long as the one before.* */
const retries = 7;
const passing = new Set([408, 429, 500, 502, 503, 504]);

export async function startLoad(target: Target, clients: number, name: string): Promise<Load> {
  const attemptsFailed: string[] = [];
  const requestsFailed: string[] = [];
  const stopped = new AbortController();
  let books: Books | undefined;

  const patient: typeof fetch = async (input, init) => {
    if (stopped.signal.aborted) throw new Error('enough');
    for (let attempt = 0; ; attempt++) {
      const outcome = await fetch(input, init).catch((error: unknown) => error);
      if (outcome instanceof Response && !passing.has(outcome.status)) return outcome;
      const path = new URL(input instanceof Request ? input.url : input).pathname.split('/').slice(-2).join('/');
      const said =
        outcome instanceof Response ? `${outcome.status} ${await outcome.clone().text()}` : reasonOf(outcome);
      attemptsFailed.push(`${path}: ${said.slice(0, 200)}`);
      // An attempt that was not answered may have made a run.
      if (path === 'runs/create' && books !== undefined) books.creationsInDoubt++;
      if (attempt === retries) {
        requestsFailed.push(attemptsFailed.at(-1) ?? '');
        if (outcome instanceof Response) return outcome;
        throw outcome;
      }
      await sleep(100 * 2 ** attempt * (0.5 + Math.random()));
    }
  };

  const client = createClient({ ...target, fetch: patient, retries: { maxRetries: 0 } });
  const { experiment_id } = await client.experiments.createExperiment({ name });
  const kept = (books = emptyBooks(experiment_id));
  const working = Array.from({ length: clients }, (_, index) => work(client, kept, `${index}`, () => undefined));
  return {
    client,
    books: kept,
    attemptsFailed,
    requestsFailed,
    async stop() {
      stopped.abort();
      await Promise.all(working);
      for (const refusal of kept.refusals) requestsFailed.push(refusal.message);
    },
  };
}

/** Waits until so many more requests have been acknowledged. */
export async function untilAcknowledged(books: Books, more: number): Promise<void> {
  const goal = books.acknowledgements + more;
  const limit = performance.now() + 120_000;
  while (books.acknowledgements < goal) {
    if (performance.now() > limit) throw new Error(`Only ${books.acknowledgements} of ${goal} requests were answered.`);
    await sleep(50);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
}
