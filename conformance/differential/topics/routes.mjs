import { get, post } from '../steps.mjs';

const shape = ({ status, json }) => ({ status, keys: json === undefined ? undefined : Object.keys(json).sort() });
const seen = (title, method, path, more = {}) => ({ title, method, path, headers: {}, only: shape, ...more });
const allowed = (title, method, path) =>
  seen(title, method, path, {
    headers: { 'content-type': 'application/json' },
    only: (_seen, { status, headers }) => ({
      status,
      allow: (headers.allow ?? '')
        .split(', ')
        .filter((name) => name !== 'OPTIONS')
        .sort(),
    }),
  });

export const routes = [
  ...['/api/2.0', '/ajax-api/2.0'].flatMap((prefix) => [
    get(`${prefix} get`, `${prefix}/mlflow/experiments/get`, 'experiment_id=0'),
    post(`${prefix} search`, `${prefix}/mlflow/experiments/search`, { max_results: 1, filter: "name = 'nope'" }),
    get(`${prefix} search by query`, `${prefix}/mlflow/experiments/search`, {
      max_results: 1,
      filter: "name = 'nope'",
    }),
  ]),
  ...[
    '/api/2.0/mlflow/nope',
    '/ajax-api/2.0/mlflow/nope',
    '/api/3.0/mlflow/nope',
    '/nope',
    '/api/1.0/mlflow/experiments/get',
    '/api/2.0/mlflow/experiments/get/',
    '/api/2.0/mlflow/Experiments/get',
    '/api/2.0/preview/mlflow/experiments/get',
    '/api/3.0/mlflow/experiments/get',
    '/static-files/x',
    '/api/2.0/mlflow',
  ].map((path) => seen(`nothing at ${path}`, 'GET', path)),
  seen('two slashes', 'GET', '//api/2.0/mlflow/experiments/get?experiment_id=0', {
    only: ({ status }) => ({ status }),
  }),
  seen('health', 'GET', '/health', { only: ({ status, text, type }) => ({ status, text, type }) }),
  seen('HEAD health', 'HEAD', '/health', { only: ({ status }) => ({ status }) }),
  seen('version', 'GET', '/version', { only: ({ status }) => ({ status }) }),
  seen('the page', 'GET', '/', { only: ({ status, type }) => ({ status, type }) }),
  get('server info', '/api/3.0/mlflow/server-info'),
  get('server info for the web interface', '/ajax-api/3.0/mlflow/server-info'),
  get('server info under 2.0', '/api/2.0/mlflow/server-info', '', { only: shape }),
  allowed('GET of create', 'GET', '/api/2.0/mlflow/experiments/create'),
  allowed('POST of get', 'POST', '/api/2.0/mlflow/experiments/get'),
  allowed('PUT of search', 'PUT', '/api/2.0/mlflow/experiments/search'),
  allowed('DELETE of a run', 'DELETE', '/ajax-api/2.0/mlflow/runs/get'),
  allowed('PATCH of log-batch', 'PATCH', '/api/2.0/mlflow/runs/log-batch'),
  seen('HEAD of an experiment', 'HEAD', '/api/2.0/mlflow/experiments/get?experiment_id=0', {
    only: ({ status }) => ({ status }),
  }),
  seen('a foreign workspace', 'GET', '/api/2.0/mlflow/experiments/get?experiment_id=0', {
    headers: { 'x-mlflow-workspace': 'nope' },
    only: undefined,
  }),
  seen('a blank workspace', 'GET', '/api/2.0/mlflow/experiments/get?experiment_id=0', {
    headers: { 'x-mlflow-workspace': ' ' },
    only: undefined,
  }),
  seen('workspaces', 'GET', '/api/3.0/mlflow/workspaces', { only: ({ status }) => ({ status }) }),
];
