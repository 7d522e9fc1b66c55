import { expect, test } from 'vitest';
import { METRICS, evaluate, metricValue, paramValue, question } from './generated-runs.ts';

const RUNS = 2000;

test('no two runs tie in any metric, so that an order is the only right one', () => {
  for (let j = 0; j < METRICS; j += 1) {
    const values = new Set(Array.from({ length: RUNS }, (_, i) => metricValue(i, j)));
    expect(values.size).toBe(RUNS);
  }
});

test('metrics spread evenly over [0, 1)', () => {
  for (let j = 0; j < METRICS; j += 1) {
    const values = Array.from({ length: RUNS }, (_, i) => metricValue(i, j));
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    expect(values.reduce((sum, value) => sum + value, 0) / RUNS).toBeCloseTo(0.5, 1);
  }
});

test('the constants of the questions never repeat', () => {
  expect(new Set(Array.from({ length: 220 }, (_, n) => question(n).threshold)).size).toBe(220);
});

test('a question is answered by its matches alone, the greatest first, none better left out', () => {
  for (let n = 0; n < 20; n += 1) {
    const asked = question(n);
    const best = evaluate(asked, RUNS, 50);
    const order = best.map((i) => metricValue(i, asked.orderMetric));
    expect(order).toEqual(order.toSorted((a, b) => b - a));
    const isMatch = (i: number): boolean =>
      metricValue(i, asked.metric) > asked.threshold && paramValue(i, asked.param) === asked.wanted;
    expect(best.every(isMatch)).toBe(true);
    const chosen = new Set(best);
    const left = Array.from({ length: RUNS }, (_, i) => i).filter((i) => isMatch(i) && !chosen.has(i));
    if (best.length < 50) expect(left).toEqual([]);
    for (const i of left) expect(metricValue(i, asked.orderMetric)).toBeLessThan(order.at(-1) ?? 0);
  }
});
