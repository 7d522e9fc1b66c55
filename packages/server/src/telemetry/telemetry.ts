import { AggregatorRegistry, Registry } from 'prom-client';
import { createCountedHistogram } from './counted-histogram.ts';
import { watchProcess } from './process-metrics.ts';
import { addCounter, addGauge, addInfo } from './read-metrics.ts';
import { createRequestMeter, type RequestMeter } from './request-meter.ts';

/**
 * What a monitoring system asks of a server, in Prometheus's words. Each server has a registry of its own: a process may
 * hold several servers. The names are a promise to dashboards; docs/guides/monitoring.md lists them.
 */
export interface Telemetry {
  readonly requests: RequestMeter;
  readonly commits: CommitMeter;
  /** Has the queue's depth read at each scrape. */
  watchCommitQueue(queue: { depth(): number }): void;
  /** Has the connections counted at each scrape. */
  watchConnections(count: () => ConnectionCounts): void;
  /** This server's own metrics, fit to be sent to another process. */
  snapshot(): Promise<MetricsSnapshot>;
  /** For a scrape: the metrics of this server, or of all that serve behind the same port, as one. */
  exposition(): Promise<Exposition>;
  close(): void;
}

/** What one server's metrics are at a moment. */
export type MetricsSnapshot = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

export interface CommitMeter {
  committed(members: number, bytes: number, seconds: number): void;
}

export interface ConnectionCounts {
  readonly open: number;
  /** Those on which an answer is owed or on its way. */
  readonly answering: number;
  /** Bytes since the server began to listen, headers included. */
  readonly received: number;
  readonly sent: number;
}

export interface Exposition {
  readonly contentType: string;
  readonly text: string;
}

const groupSizes = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];
const groupBytes = [1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216];
const commitSeconds = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];

export interface TelemetryOptions {
  readonly version: string;
  readonly mlflowVersion: string;
  /** The metrics of the other processes behind the same port, where there are any: asked for at each scrape. */
  readonly others?: (() => Promise<readonly MetricsSnapshot[]>) | undefined;
}

export function createTelemetry({ version, mlflowVersion, others }: TelemetryOptions): Telemetry {
  const registry = new Registry();
  addInfo(registry, {
    name: 'lazuli_build_info',
    help: 'Always 1; the labels say which Lazuli runs, and whose interface it follows.',
    labels: { version, mlflow_version: mlflowVersion },
  });
  addGauge(registry, {
    name: 'lazuli_workers',
    help: 'Processes that these metrics are of.',
    together: 'sum',
    read: () => 1,
  });
  const requests = createRequestMeter(registry);
  const sizes = createCountedHistogram(registry, {
    name: 'lazuli_commit_group_size',
    help: 'Requests that shared a commit.',
    buckets: groupSizes,
  }).series({});
  const bytes = createCountedHistogram(registry, {
    name: 'lazuli_commit_group_bytes',
    help: 'Bytes of the requests that shared a commit.',
    buckets: groupBytes,
  }).series({});
  const durations = createCountedHistogram(registry, {
    name: 'lazuli_commit_duration_seconds',
    help: 'Time that a shared commit took, its decisions included.',
    buckets: commitSeconds,
  }).series({});
  const processMetrics = watchProcess(registry);

  return {
    requests,
    commits: {
      committed(members, size, seconds) {
        sizes.observe(members);
        bytes.observe(size);
        durations.observe(seconds);
      },
    },
    watchCommitQueue(queue) {
      addGauge(registry, {
        name: 'lazuli_commit_queue_depth',
        help: 'Logging requests that wait for a commit to begin.',
        together: 'sum',
        read: () => queue.depth(),
      });
    },
    watchConnections: (count) => connectionMetrics(registry, count),
    snapshot: () => registry.getMetricsAsJSON(),
    async exposition() {
      const { contentType } = registry;
      if (others === undefined) return { contentType, text: await registry.metrics() };
      const [own, foreign] = await Promise.all([registry.getMetricsAsJSON(), others()]);
      return { contentType, text: await AggregatorRegistry.aggregate([own, ...foreign]).metrics() };
    },
    close() {
      processMetrics.stop();
      registry.clear();
    },
  };
}

function connectionMetrics(registry: Registry, count: () => ConnectionCounts): void {
  addGauge(registry, {
    name: 'lazuli_http_connections',
    help: 'Open connections, idle ones included.',
    together: 'sum',
    read: () => count().open,
  });
  addGauge(registry, {
    name: 'lazuli_http_requests_in_flight',
    help: 'Requests whose answer is owed or on its way, the one that asks for this included.',
    together: 'sum',
    read: () => count().answering,
  });
  addCounter(registry, {
    name: 'lazuli_http_received_bytes_total',
    help: 'Bytes that came in over connections, headers included.',
    read: () => count().received,
  });
  addCounter(registry, {
    name: 'lazuli_http_sent_bytes_total',
    help: 'Bytes that went out over connections, headers included.',
    read: () => count().sent,
  });
}
