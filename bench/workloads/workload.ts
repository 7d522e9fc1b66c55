/** What a workload is given and what it hands back. */
import type { Engine } from '../engine.ts';
import type { Latency } from '../statistics.ts';
import type { TargetFigure } from '../targets.ts';
import type { Target, TrackingClient } from '../tracking-client.ts';

export interface WorkloadContext {
  readonly target: Target;
  readonly client: TrackingClient;
  /** What the server keeps its data in, which decides the targets that count. */
  readonly engine: Engine;
  /** Length of one measured round. */
  readonly durationMs: number;
  /** Size of the seeded data, 1 for what the targets mean. */
  readonly scale: number;
  /** Distinguishes the experiments of this run of the bench from earlier ones on the same server. */
  readonly runName: string;
  /** The most memory that the server had so far, where it is our own and the system tells it. */
  peakMemoryMb(): Promise<number | undefined>;
  /** Tells the person who waits. */
  note(text: string): void;
}

export interface Figure {
  readonly target: TargetFigure;
  readonly value: number;
}

export interface NamedLatency extends Latency {
  readonly name: string;
}

export interface Outcome {
  readonly figures: readonly Figure[];
  /** In milliseconds. */
  readonly latencies: readonly NamedLatency[];
  /** Requests that were not answered with 200. */
  readonly errors: number;
  readonly firstError: string | undefined;
  /** What was compared with what the server should hold, in words. */
  readonly checked: string;
  /** Where it differed; empty when all is well. */
  readonly problems: readonly string[];
  /** Whatever a reader of the table should know. */
  readonly notes: readonly string[];
}

export interface Workload {
  readonly id: string;
  readonly title: string;
  /** Seeded data are worth keeping between runs of the bench. */
  readonly seeds: 'nothing' | 'reusable data';
  run(context: WorkloadContext): Promise<Outcome>;
}
