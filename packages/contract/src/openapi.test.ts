import { Ajv2020 } from 'ajv/dist/2020.js';
import { Type } from 'typebox';
import { expect, test } from 'vitest';
import { endpoint, routesOf, type Endpoint } from './endpoint.ts';
import { contract, Metric, Run, RunInfo, transferRoutes, transfers } from './index.ts';
import { openApiDocument, type Operation } from './openapi.ts';
import { Text } from './scalars.ts';

const document = openApiDocument({ version: '1.2.3', groups: contract, transfers, named: { Metric, Run, RunInfo } });
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
);

function operationOf(method: string, path: string): Operation | undefined {
  return document.paths[path.replace('{*', '{')]?.[method.toLowerCase()];
}

function refsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => (key === '$ref' ? [String(inner)] : refsIn(inner)));
}

function schemaValidator(name: string) {
  const ajv = new Ajv2020({ strict: false, formats: { int32: true, int64: true, double: true, binary: true } });
  return ajv.compile({
    $ref: `#/components/schemas/${name}`,
    components: document.components,
  });
}

test('every method and path that serves an endpoint or a transfer is in the document', () => {
  const endpoints = Object.values(contract).flatMap((group) => Object.values<Endpoint>(group));
  const routes = [
    ...endpoints.flatMap((definition) => routesOf(definition)),
    ...Object.values(transfers).flatMap(transferRoutes),
  ];
  const absent = routes.filter(({ method, path }) => operationOf(method, path) === undefined);
  expect(absent).toEqual([]);
  expect(routes.length).toBeGreaterThan(80);
});

test('operation ids are unique, and the route to use has the plain name of its endpoint', () => {
  const ids = operations.map(({ operation }) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(operationOf('POST', '/api/2.0/mlflow/runs/create')?.operationId).toBe('createRun');
  expect(operationOf('POST', '/ajax-api/2.0/mlflow/runs/create')?.operationId).toBe('createRunAlias1');
});

test('a path declares exactly the parameters that stand in it', () => {
  for (const { path, operation } of operations) {
    const inPath = operation.parameters.filter((parameter) => parameter['in'] === 'path').map(({ name }) => name);
    expect({ path, inPath }).toEqual({ path, inPath: [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name) });
  }
});

test('every operation says what it answers on success and on failure', () => {
  for (const { path, operation } of operations) {
    const statuses = Object.keys(operation.responses);
    expect({ path, hasSuccess: statuses.some((status) => /^2\d\d$/.test(status)) }).toEqual({ path, hasSuccess: true });
    if (operation.tags[0] !== 'server')
      expect({ path, statuses }).toEqual({ path, statuses: expect.arrayContaining(['default']) as string[] });
  }
});

test('every reference leads to a component', () => {
  const refs = new Set(refsIn(document));
  expect([...refs].filter((ref) => !(ref.replace('#/components/schemas/', '') in document.components.schemas))).toEqual(
    [],
  );
  expect(refs).toContain('#/components/schemas/Metric');
});

test('every schema is valid JSON Schema', () => {
  const ajv = new Ajv2020({ strict: false });
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    expect({ name, valid: ajv.validateSchema(schema), errors: ajv.errors }).toEqual({
      name,
      valid: true,
      errors: null,
    });
  }
  for (const { path, operation } of operations) {
    for (const { schema } of operation.parameters) {
      expect({ path, valid: ajv.validateSchema(schema as object) }).toEqual({ path, valid: true });
    }
  }
});

test('the schemas take what the wire carries and refuse what it does not', () => {
  const metric = schemaValidator('Metric');
  expect(metric({ key: 'loss', value: 0.5, timestamp: 1, step: 2 })).toBe(true);
  expect(metric({ key: 'loss', value: 'NaN', timestamp: 1 })).toBe(true);
  expect(metric({ key: 'loss', value: 'much', timestamp: 1 })).toBe(false);
  expect(metric({ key: 'loss', value: 1 })).toBe(false);
});

test('a GET has its input in the query, a POST in the body, and fields of the path in neither', () => {
  const inQuery = operationOf('GET', '/api/2.0/mlflow/runs/get')?.parameters.map(({ name }) => name);
  expect(inQuery).toEqual(['run_id', 'run_uuid', 'X-MLFLOW-WORKSPACE']);
  expect(operationOf('POST', '/api/2.0/mlflow/runs/create')).toMatchObject({
    requestBody: { content: { 'application/json': { schema: { properties: { experiment_id: { type: 'string' } } } } } },
  });
  const update = operationOf('PATCH', '/api/3.0/mlflow/workspaces/{workspace_name}');
  expect(JSON.stringify(update?.['requestBody'])).not.toContain('workspace_name');
});

test('two endpoints at one place are refused', () => {
  const same = endpoint({
    summary: 'One of two.',
    method: 'GET',
    path: '/2.0/same',
    actions: ['read'],
    input: Type.Object({ name: Text() }),
    output: Type.Object({}),
  });
  const twice = { group: { one: same, other: same } };
  expect(() => openApiDocument({ version: '1', groups: twice, transfers: {}, named: {} })).toThrow(
    'serves two endpoints',
  );
});
