import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createRequestMeter } from './request-meter.ts';

async function countsOf(registry: Registry): Promise<string[]> {
  return (await registry.metrics()).split('\n').filter((line) => line.includes('_count'));
}

test('requests are counted by method, route and status', async () => {
  const registry = new Registry();
  const meter = createRequestMeter(registry);
  meter.route('GET', '/a/{id}').answered(200, 3);
  meter.route('GET', '/a/{id}').answered(200, 700);
  meter.route('GET', '/a/{id}').answered(404, 1);
  meter.route('POST', '/a/{id}').answered(200, 1);
  const name = 'lazuli_http_request_duration_seconds';
  expect(await countsOf(registry)).toEqual([
    `${name}_count{method="GET",route="/a/{id}",status="200"} 2`,
    `${name}_count{method="GET",route="/a/{id}",status="404"} 1`,
    `${name}_count{method="POST",route="/a/{id}",status="200"} 1`,
  ]);
  const text = await registry.metrics();
  expect(text).toContain(`${name}_bucket{method="GET",route="/a/{id}",status="200",le="0.005"} 1\n`);
  expect(text).toContain(`${name}_sum{method="GET",route="/a/{id}",status="200"} 0.703\n`);
});

test('what is no route is one route, and methods that nobody knows are one method', async () => {
  const registry = new Registry();
  const meter = createRequestMeter(registry);
  for (const method of ['PROPFIND', 'LINK', 'TRACE']) meter.route(method, undefined).answered(404, 1);
  meter.route('GET', undefined).answered(404, 1);
  expect(await countsOf(registry)).toEqual([
    expect.stringMatching(/method="other",route="unmatched",status="404"\} 3$/),
    expect.stringMatching(/method="GET",route="unmatched",status="404"\} 1$/),
  ]);
});
