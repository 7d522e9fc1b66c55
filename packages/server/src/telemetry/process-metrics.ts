import { readdirSync, readFileSync } from 'node:fs';
import { constants, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import type { Registry } from 'prom-client';
import { createCountedHistogram, type Series } from './counted-histogram.ts';
import { addCounter, addGauge, addInfo } from './read-metrics.ts';

/**
 * The process as Prometheus and its dashboards know it, under the names that `collectDefaultMetrics` of prom-client has
 * made usual. That function is not called, because what it starts (an observer of garbage collection, a sampler of the
 * event loop) cannot be stopped, and a process may open and close many servers.
 */
export interface ProcessMetrics {
  readonly stop: () => void;
}

export function watchProcess(registry: Registry): ProcessMetrics {
  addCounter(registry, {
    name: 'process_cpu_user_seconds_total',
    help: 'User CPU time of the process in seconds.',
    read: () => process.cpuUsage().user / 1e6,
  });
  addCounter(registry, {
    name: 'process_cpu_system_seconds_total',
    help: 'System CPU time of the process in seconds.',
    read: () => process.cpuUsage().system / 1e6,
  });
  addCounter(registry, {
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time of the process in seconds.',
    read() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  });
  const startTime = Math.round(Date.now() / 1000 - process.uptime());
  addGauge(registry, {
    name: 'process_start_time_seconds',
    help: 'When the process started, in seconds of Unix time.',
    together: 'min',
    read: () => startTime,
  });
  addMemory(registry);
  addOpenFiles(registry);
  addInfo(registry, {
    name: 'nodejs_version_info',
    help: 'Always 1; the label says which Node runs.',
    labels: { version: process.version },
  });
  const stops = [watchEventLoop(registry), watchGarbageCollection(registry)];
  return { stop: () => stops.forEach((stop) => stop()) };
}

function addMemory(registry: Registry): void {
  addGauge(registry, {
    name: 'process_resident_memory_bytes',
    help: 'Resident memory of the process in bytes.',
    together: 'sum',
    read: () => process.memoryUsage.rss(),
  });
  addGauge(registry, {
    name: 'nodejs_heap_size_total_bytes',
    help: 'Size of the heap of the main thread in bytes.',
    together: 'sum',
    read: () => process.memoryUsage().heapTotal,
  });
  addGauge(registry, {
    name: 'nodejs_heap_size_used_bytes',
    help: 'Used heap of the main thread in bytes.',
    together: 'sum',
    read: () => process.memoryUsage().heapUsed,
  });
  addGauge(registry, {
    name: 'nodejs_external_memory_bytes',
    help: 'Memory of the main thread outside of its heap in bytes.',
    together: 'sum',
    read: () => process.memoryUsage().external,
  });
}

/** Where the system tells: Linux. */
function addOpenFiles(registry: Registry): void {
  const limit = readIfThere(() => {
    const [, most] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return most === undefined ? undefined : Number(most);
  });
  if (limit === undefined) return;
  addGauge(registry, {
    name: 'process_max_fds',
    help: 'How many files the process may have open.',
    together: 'sum',
    read: () => limit,
  });
  addGauge(registry, {
    name: 'process_open_fds',
    help: 'How many files the process has open.',
    together: 'sum',
    read: () => readIfThere(() => readdirSync('/proc/self/fd').length),
  });
}

function readIfThere<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

const sampledEveryMs = 20;

/** How late and how busy the event loop was since the last scrape. */
function watchEventLoop(registry: Registry): () => void {
  const delay = monitorEventLoopDelay({ resolution: sampledEveryMs });
  delay.enable();
  const readings = [
    ['mean', 'average', () => delay.mean],
    ['p50', 'average', () => delay.percentile(50)],
    ['p90', 'max', () => delay.percentile(90)],
    ['p99', 'max', () => delay.percentile(99)],
    ['max', 'max', () => delay.max],
  ] as const;
  for (const [name, together, read] of readings) {
    addGauge(registry, {
      name: `nodejs_eventloop_lag_${name}_seconds`,
      help: 'How late timers of the main thread fired since the last scrape, in seconds.',
      together,
      // The sampler reports the time between two samples, of which the interval itself is no delay.
      read: () => (delay.count === 0 ? undefined : Math.max(0, (read() - sampledEveryMs * 1e6) / 1e9)),
    });
  }
  let last = performance.eventLoopUtilization();
  addGauge(registry, {
    name: 'nodejs_eventloop_utilization_ratio',
    help: 'The share of the time since the last scrape in which the event loop was busy, from 0 to 1.',
    together: 'average',
    read() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      // Metrics are read in the order in which they were added, so those above have been.
      delay.reset();
      return utilization;
    },
  });
  return () => void delay.disable();
}

function watchGarbageCollection(registry: Registry): () => void {
  const histogram = createCountedHistogram(registry, {
    name: 'nodejs_gc_duration_seconds',
    help: 'Garbage collections of the main thread by kind: minor, major, incremental or weakcb.',
    buckets: [0.001, 0.01, 0.1, 1, 2, 5],
  });
  const series = new Map<unknown, Series>([
    [constants.NODE_PERFORMANCE_GC_MINOR, histogram.series({ kind: 'minor' })],
    [constants.NODE_PERFORMANCE_GC_MAJOR, histogram.series({ kind: 'major' })],
    [constants.NODE_PERFORMANCE_GC_INCREMENTAL, histogram.series({ kind: 'incremental' })],
    [constants.NODE_PERFORMANCE_GC_WEAKCB, histogram.series({ kind: 'weakcb' })],
  ]);
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      // *Node: an entry of type `gc` has its kind in `detail`.*
      const { detail } = entry as { readonly detail?: { readonly kind: number } };
      series.get(detail?.kind)?.observe(entry.duration / 1000);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => observer.disconnect();
}
