import { expect, test } from 'vitest';
import { routesOf, type Endpoint } from './endpoint.ts';
import { contract } from './index.ts';

const endpoints = Object.entries(contract).flatMap(([noun, group]) =>
  Object.entries<Endpoint>(group).map(([name, definition]) => ({ name: `${noun}.${name}`, definition })),
);

test('no two endpoints have the same route', () => {
  const routes = endpoints.flatMap(({ definition }) =>
    routesOf(definition).map(({ method, path }) => `${method} ${path.replaceAll(/\{\w+\}/g, '{}')}`),
  );
  expect(routes.filter((route, index) => routes.indexOf(route) !== index)).toEqual([]);
});

test.each(endpoints)('$name has a sentence, and what stands in its path is a field of its input', ({ definition }) => {
  expect(definition.summary).toMatch(/^[A-Z].*\.$/);
  const inPath = [...definition.path.matchAll(/\{\*?(\w+)\}/g)].map(([, name]) => name);
  expect(Object.keys(definition.input.properties)).toEqual(expect.arrayContaining(inPath));
});

test('an endpoint is served under both prefixes, unless it says otherwise, first as clients should call it', () => {
  expect(routesOf(contract.experiments.searchExperiments).map(({ method, path }) => `${method} ${path}`)).toEqual([
    'POST /api/2.0/mlflow/experiments/search',
    'GET /api/2.0/mlflow/experiments/search',
    'POST /ajax-api/2.0/mlflow/experiments/search',
    'GET /ajax-api/2.0/mlflow/experiments/search',
  ]);
  expect(routesOf(contract.metrics.getMetricHistoryBulk)).toEqual([
    { method: 'GET', path: '/ajax-api/2.0/mlflow/metrics/get-history-bulk' },
  ]);
});
