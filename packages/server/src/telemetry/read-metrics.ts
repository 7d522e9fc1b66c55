import { Counter, Gauge, type Aggregator, type Registry } from 'prom-client';

/** Metrics whose value is kept elsewhere and read when somebody asks, so that nothing is spent while nobody does. */
export interface ReadMetric {
  readonly name: string;
  readonly help: string;
  /** `undefined` where there is nothing to tell; the last value stays. */
  readonly read: () => number | undefined;
}

export interface ReadGauge extends ReadMetric {
  /** What the gauges of several processes behind one port are together. */
  readonly together: Exclude<Aggregator, 'omit'>;
}

export function addGauge(registry: Registry, { name, help, read, together }: ReadGauge): void {
  new Gauge({
    name,
    help,
    aggregator: together,
    registers: [registry],
    collect() {
      const value = read();
      if (value !== undefined) this.set(value);
    },
  });
}

/** A total that only grows; those of several processes are added up. */
export function addCounter(registry: Registry, { name, help, read }: ReadMetric): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      const value = read();
      if (value === undefined) return;
      this.reset();
      this.inc(value);
    },
  });
}

/** A gauge that is always 1 and says something by its labels. */
export function addInfo(
  registry: Registry,
  { name, help, labels }: { name: string; help: string; labels: Readonly<Record<string, string>> },
): void {
  // Processes that say the same are one line.
  const gauge = new Gauge({
    name,
    help,
    labelNames: Object.keys(labels),
    registers: [registry],
    aggregator: 'first',
  });
  gauge.set({ ...labels }, 1);
}
