/** The measuring that all throughput workloads share: a warm-up, three rounds, medians, numbers that go on between the rounds. */
import { FIRST_NUMBER, runLoad } from '../load.ts';
import type { Lane } from '../load.ts';
import { median } from '../statistics.ts';
import type { NamedLatency, WorkloadContext } from './workload.ts';

const ROUNDS = 3;
const LONGEST_WARM_UP_MS = 5000;

export interface SentRequests {
  /** Number of the first request of the lane. */
  readonly first: number;
  /** Number after the last. */
  readonly next: number;
  /** Numbers that were not acknowledged; the server may or may not hold what they carried. */
  readonly failed: ReadonlySet<number>;
}

export interface Throughput {
  /** Median of the rounds. */
  readonly perSecond: number;
  readonly latency: NamedLatency;
  readonly errors: number;
  readonly firstError: string | undefined;
  /** Everything that was sent, lane by lane, warm-up included. */
  readonly sent: readonly SentRequests[];
  readonly collected: readonly string[];
  readonly notes: readonly string[];
}

export type LaneShape = Pick<Lane, 'path' | 'body'> & { readonly first?: number };

export async function measureThroughput(
  context: WorkloadContext,
  shapes: readonly LaneShape[],
  collect?: string,
): Promise<Throughput> {
  const firsts = shapes.map((shape) => shape.first ?? FIRST_NUMBER);
  let nexts = firsts;
  const failed = shapes.map(() => new Set<number>());
  const collected: string[] = [];

  async function round(durationMs: number) {
    const lanes = shapes.map(({ path, body }, i) => ({
      method: 'POST' as const,
      path: `${context.target.apiPath}/${path}`,
      ...(body === undefined ? {} : { body }),
      first: nexts[i] ?? FIRST_NUMBER,
    }));
    const result = await runLoad({
      addresses: context.target.addresses,
      durationMs,
      lanes,
      ...(collect === undefined ? {} : { collect }),
    });
    nexts = result.lanes.map((lane) => lane.next);
    for (const [i, lane] of result.lanes.entries()) for (const number of lane.failed) failed[i]?.add(number);
    for (const value of result.collected) collected.push(value);
    return result;
  }

  const warmUp = await round(Math.min(LONGEST_WARM_UP_MS, context.durationMs));
  const rounds = [];
  for (let i = 0; i < ROUNDS; i += 1) rounds.push(await round(context.durationMs));
  const all = [warmUp, ...rounds];
  const generatorCpu = Math.max(...rounds.map((result) => result.generatorCpu));
  const rates = rounds.map((result) => result.perSecond.toLocaleString('en', { maximumSignificantDigits: 4 }));
  return {
    perSecond: median(rounds.map((result) => result.perSecond)),
    latency: {
      name: 'request',
      count: rounds.reduce((sum, result) => sum + result.latency.count, 0),
      p50: median(rounds.map((result) => result.latency.p50)),
      p99: median(rounds.map((result) => result.latency.p99)),
      max: Math.max(...rounds.map((result) => result.latency.max)),
    },
    errors: all.reduce((sum, result) => sum + result.errors, 0),
    firstError: all.find((result) => result.firstError !== undefined)?.firstError,
    sent: firsts.map((first, i) => ({ first, next: nexts[i] ?? first, failed: failed[i] ?? new Set() })),
    collected,
    notes: [`rounds ${rates.join(', ')} /s; the generator took ${Math.round(generatorCpu * 100)} % of a core`],
  };
}
