import { PerformanceObserver } from 'node:perf_hooks';
import { Registry } from 'prom-client';
import { afterEach, expect, test, vi } from 'vitest';
import { watchProcess } from './process-metrics.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

async function valuesOf(registry: Registry): Promise<Map<string, number>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

test('the process is told under the usual names', async () => {
  const registry = new Registry();
  const { stop } = watchProcess(registry);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const values = await valuesOf(registry);
  stop();
  expect(values.get('process_cpu_seconds_total')).toBeGreaterThan(0);
  expect(values.get('process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
  expect(values.get('nodejs_heap_size_used_bytes')).toBeLessThan(values.get('nodejs_heap_size_total_bytes') ?? 0);
  const started = values.get('process_start_time_seconds') ?? 0;
  expect(Math.abs(started + process.uptime() - Date.now() / 1000)).toBeLessThan(2);
  expect(values.get(`nodejs_version_info{version="${process.version}"}`)).toBe(1);
  if (process.platform === 'linux') {
    expect(values.get('process_open_fds')).toBeGreaterThan(3);
    expect(values.get('process_max_fds')).toBeGreaterThan(values.get('process_open_fds') ?? Infinity);
  }
});

test('a block of the event loop shows in its delay and its utilization, and the next scrape starts anew', async () => {
  const registry = new Registry();
  const { stop } = watchProcess(registry);
  await new Promise((resolve) => setTimeout(resolve, 60));
  // Longer than a busy machine keeps a process waiting.
  const until = performance.now() + 1_500;
  while (performance.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 60));
  const values = await valuesOf(registry);
  expect(values.get('nodejs_eventloop_lag_max_seconds')).toBeGreaterThan(1);
  expect(values.get('nodejs_eventloop_lag_p50_seconds')).toBeLessThan(1);
  expect(values.get('nodejs_eventloop_utilization_ratio')).toBeGreaterThan(0.3);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const later = await valuesOf(registry);
  stop();
  expect(later.get('nodejs_eventloop_lag_max_seconds')).toBeLessThan(1);
});

test('garbage collections are counted until it is stopped, and nothing is left behind', async () => {
  const disconnect = vi.spyOn(PerformanceObserver.prototype, 'disconnect');
  const registry = new Registry();
  const { stop } = watchProcess(registry);
  const minor = 'nodejs_gc_duration_seconds_count{kind="minor"}';
  await expect
    .poll(
      async () => {
        const garbage = Array.from({ length: 200_000 }, (_, index) => ({ index }));
        return garbage.length === 0 ? 0 : (await valuesOf(registry)).get(minor);
      },
      { timeout: 10_000 },
    )
    .toBeGreaterThan(0);
  stop();
  expect(disconnect).toHaveBeenCalledTimes(1);
});
