import type { Histogram, MetricValueWithName, Registry } from 'prom-client';

/**
 * A histogram whose observations cost nanoseconds. The library's own hashes the labels anew at every observation, which
 * takes most of a microsecond; here a series is bound to its labels once, an observation adds to an array of counts, and
 * the library's form is made when somebody asks for it.
 */
export interface CountedHistogram {
  /** Whoever observes keeps it: each call makes another series, and two with the same labels would be a fault. */
  series(labels: Readonly<Record<string, string>>): Series;
}

export interface Series {
  observe(value: number): void;
}

export interface HistogramDefinition {
  readonly name: string;
  readonly help: string;
  /** The upper bounds, ascending. */
  readonly buckets: readonly number[];
}

interface Counts {
  readonly labels: Readonly<Record<string, string>>;
  /** How many fell into each bucket alone; the last one has no bound. */
  readonly counts: Float64Array;
  sum: number;
}

export function createCountedHistogram(registry: Registry, definition: HistogramDefinition): CountedHistogram {
  const { name, help, buckets } = definition;
  const all: Counts[] = [];
  const metric = {
    name,
    help,
    get: async () => ({
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      values: all.flatMap((series) => valuesOf(definition, series)),
    }),
    reset(): void {
      for (const series of all) {
        series.counts.fill(0);
        series.sum = 0;
      }
    },
  };
  // All that a registry asks of a metric is its name and `get`; the library's type names its own classes.
  registry.registerMetric(metric as unknown as Histogram);
  return {
    series(labels) {
      const series: Counts = { labels, counts: new Float64Array(buckets.length + 1), sum: 0 };
      all.push(series);
      const { counts } = series;
      return {
        observe(value) {
          let bucket = 0;
          while (bucket < buckets.length && value > (buckets[bucket] as number)) bucket += 1;
          counts[bucket] = (counts[bucket] as number) + 1;
          series.sum += value;
        },
      };
    },
  };
}

/** *Prometheus: a bucket counts what lies at or under its bound, those of the smaller buckets too.* */
function valuesOf({ name, buckets }: HistogramDefinition, { labels, counts, sum }: Counts) {
  let atOrUnder = 0;
  const values: MetricValueWithName<string>[] = [...buckets, '+Inf'].map((le, index) => {
    atOrUnder += counts[index] as number;
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: atOrUnder };
  });
  values.push({ metricName: `${name}_sum`, labels, value: sum });
  values.push({ metricName: `${name}_count`, labels, value: atOrUnder });
  return values;
}
