/**
 * The runs that W7 searches: run i's metrics and params are a pure function of i, so the same data can be written over HTTP and
 * evaluated naively here, without keeping them anywhere.
 */

export const METRICS = 20;
export const PARAMS = 20;

/** A param takes one of so many values, by its number: selective and broad predicates alike. */
const CARDINALITIES = [2, 5, 10, 50] as const;

export function metricName(j: number): string {
  return `metric_${String(j).padStart(2, '0')}`;
}

export function paramName(j: number): string {
  return `param_${String(j).padStart(2, '0')}`;
}

export function runName(i: number): string {
  return `run-${i}`;
}

/** Uniform in [0, 1), with 52 random bits: no two runs tie. */
export function metricValue(i: number, j: number): number {
  const at = i * METRICS + j;
  return (scramble(at) * 2 ** 20 + (scramble(at ^ 0x5bd1e995) >>> 12)) / 2 ** 52;
}

export function paramValue(i: number, j: number): string {
  const cardinality = cardinalityOf(j);
  return `v${scramble(i * PARAMS + j + 0x2545f491) % cardinality}`;
}

export function cardinalityOf(j: number): number {
  return CARDINALITIES[j % CARDINALITIES.length] ?? 1;
}

/** A 32-bit finalizer in the manner of MurmurHash3: neighbouring numbers come out unrelated. */
function scramble(number: number): number {
  let x = (number ^ 0x9e3779b9) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

export interface SearchQuestion {
  readonly metric: number;
  readonly threshold: number;
  readonly param: number;
  readonly wanted: string;
  readonly orderMetric: number;
}

/** The shapes of question: a metric to compare, a param of ten values to match, a metric to order by. */
const SHAPES = [
  { metric: 3, param: 2, orderMetric: 7 },
  { metric: 11, param: 6, orderMetric: 0 },
  { metric: 7, param: 10, orderMetric: 7 },
  { metric: 18, param: 14, orderMetric: 5 },
] as const;

/** Question n: the shapes in turn, the constants never the same. */
export function question(n: number): SearchQuestion {
  const shape = SHAPES[n % SHAPES.length] ?? SHAPES[0];
  return {
    ...shape,
    threshold: 0.2 + (0.7 * scramble(n + 1)) / 2 ** 32,
    wanted: `v${scramble(n + 77) % cardinalityOf(shape.param)}`,
  };
}

export function filterOf({ metric, threshold, param, wanted }: SearchQuestion): string {
  return `metrics.${metricName(metric)} > ${threshold} AND params.${paramName(param)} = '${wanted}'`;
}

export function orderOf({ orderMetric }: SearchQuestion): string {
  return `metrics.${metricName(orderMetric)} DESC`;
}

/** The runs that a search must answer, best first. */
export function evaluate(asked: SearchQuestion, runs: number, limit: number): number[] {
  const matches: number[] = [];
  for (let i = 0; i < runs; i += 1) {
    if (metricValue(i, asked.metric) > asked.threshold && paramValue(i, asked.param) === asked.wanted) matches.push(i);
  }
  const valueOf = (i: number): number => metricValue(i, asked.orderMetric);
  return matches.sort((a, b) => valueOf(b) - valueOf(a)).slice(0, limit);
}
