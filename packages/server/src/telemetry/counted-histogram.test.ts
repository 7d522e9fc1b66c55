import fc from 'fast-check';
import { Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createCountedHistogram } from './counted-histogram.ts';

const definition = { name: 'took_seconds', help: 'How long it took.', buckets: [0.01, 0.1, 1] };

test('says the same as the library’s own histogram, whatever was observed', async () => {
  const observations = fc.array(
    fc.record({
      route: fc.constantFrom('/a', '/b "quoted"\n'),
      value: fc.oneof(
        fc.constantFrom(0, 0.01, 0.1, 1, 1.0001),
        fc.integer({ min: 0, max: 4000 }).map((n) => n / 1024),
      ),
    }),
  );
  await fc.assert(
    fc.asyncProperty(observations, async (observed) => {
      const [ours, theirs] = [new Registry(), new Registry()];
      const counted = createCountedHistogram(ours, definition);
      const library = new Histogram({ ...definition, labelNames: ['route'], registers: [theirs] });
      const series = new Map<string, ReturnType<typeof counted.series>>();
      for (const { route, value } of observed) {
        if (!series.has(route)) series.set(route, counted.series({ route }));
        series.get(route)?.observe(value);
        library.observe({ route }, value);
      }
      expect(linesOf(await ours.metrics())).toEqual(linesOf(await theirs.metrics()));
    }),
    { numRuns: 200 },
  );
});

test('starts again from nothing when the registry is reset', async () => {
  const registry = new Registry();
  const series = createCountedHistogram(registry, definition).series({});
  series.observe(0.5);
  registry.resetMetrics();
  series.observe(5);
  const lines = linesOf(await registry.metrics());
  expect(lines).toContain('took_seconds_bucket{le="1"} 0');
  expect(lines).toContain('took_seconds_bucket{le="+Inf"} 1');
  expect(lines).toContain('took_seconds_sum 5');
});

/** The lines as a set; labels have no order, so those of a line are sorted. */
function linesOf(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/\{(.*)\}/, (_, labels: string) => `{${labels.split(',').toSorted().join()}}`))
    .toSorted();
}
