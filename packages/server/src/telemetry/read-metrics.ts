import { Counter, Gauge, type Registry } from 'prom-client';

/** Metrics whose value is kept elsewhere and read when somebody asks, so that nothing is spent while nobody does. */
export interface ReadMetric {
  readonly name: string;
  readonly help: string;
  /** `undefined` where there is nothing to tell; the last value stays. */
  readonly read: () => number | undefined;
}

export function addGauge(registry: Registry, { name, help, read }: ReadMetric): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      const value = read();
      if (value !== undefined) this.set(value);
    },
  });
}

/** A total that only grows. */
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
  new Gauge({ name, help, labelNames: Object.keys(labels), registers: [registry] }).set({ ...labels }, 1);
}
