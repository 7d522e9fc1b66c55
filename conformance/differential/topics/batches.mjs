import { experiment, post, run, showRun } from '../steps.mjs';

const batch = (title, body) => post(title, 'runs/log-batch', { run_id: '$batch', ...body });
// What MLflow stores in its own way goes to a run that is not compared.
const odd = (title, body) => post(title, 'runs/log-batch', { run_id: '$odd', ...body });
const text = (title, fields) => post(title, 'runs/log-batch', `{"run_id":"$batch",${fields}}`);
const many = (count, prefix, more = {}) =>
  Array.from({ length: count }, (_, i) => ({ key: `${prefix}${i}`, value: '1', ...more }));
const point = { key: 'm', value: 1, timestamp: 1, step: 0 };

export const batches = [
  experiment('batches'),
  run('batch', 'batches'),
  run('odd', 'batches'),
  batch('everything at once', {
    metrics: [point, { ...point, step: 1, value: 'NaN' }, { key: 'n', value: 'Infinity', timestamp: '5' }],
    params: [{ key: 'p', value: '1' }, { key: 'q' }],
    tags: [
      { key: 't', value: '1' },
      { key: 't', value: '2' },
      { key: 'u', value: null },
    ],
  }),
  showRun('what was logged', 'batch'),
  batch('the same again', { metrics: [point, point], params: [{ key: 'p', value: '1' }] }),
  batch('metrics with a run each', { metrics: [{ ...point, step: 2, run_id: 'other' }] }),
  batch('empty lists', { metrics: [], params: [], tags: [] }),
  batch('no lists', {}),
  odd('null lists', { metrics: null }),
  batch('1000 metrics', { metrics: many(1000, 'a', { value: 1, timestamp: 1 }) }),
  batch('1001 metrics', { metrics: many(1001, 'a', { value: 1, timestamp: 1 }) }),
  batch('100 params', { params: many(100, 'p') }),
  batch('101 params', { params: many(101, 'p') }),
  batch('101 tags', { tags: many(101, 't') }),
  batch('1001 in all', {
    metrics: many(801, 'a', { value: 1, timestamp: 1 }),
    params: many(100, 'p'),
    tags: many(100, 't'),
  }),
  batch('two params alike', {
    params: [
      { key: 'd', value: '1' },
      { key: 'd', value: '1' },
      { key: 'e', value: '1' },
      { key: 'e', value: '2' },
    ],
  }),
  batch('a changed param', {
    params: [
      { key: 'p', value: '2' },
      { key: 'new', value: '1' },
    ],
    metrics: [{ ...point, key: 'never' }],
    tags: [{ key: 'never', value: '' }],
  }),
  batch('two changed params', {
    params: [
      { key: 'p', value: "it's" },
      { key: 'q', value: '\\ "x"' },
    ],
  }),
  batch('name tags', {
    tags: [
      { key: 'mlflow.runName', value: 'one' },
      { key: 'mlflow.runName', value: 'two' },
    ],
  }),
  ...['key', 'value', 'timestamp'].map((field) =>
    batch(`a metric without ${field}`, { metrics: [point, { ...point, [field]: undefined }] }),
  ),
  ...['key', 'value', 'timestamp'].map((field) =>
    batch(`a metric with null as ${field}`, { metrics: [{ ...point, [field]: null }] }),
  ),
  batch('a metric with an empty key', { metrics: [{ ...point, key: '' }] }),
  batch('a param without key', { params: [{ value: '1' }] }),
  batch('a tag without key', { tags: [{ value: '1' }] }),
  ...['metrics', 'params', 'tags'].flatMap((list) => [
    batch(`text as ${list}`, { [list]: 'x' }),
    batch(`an object as ${list}`, { [list]: { key: 'a' } }),
    batch(`text in ${list}`, { [list]: ['x'] }),
    batch(`a wrong key in ${list}`, {
      [list]: [
        { ...point, value: '1' },
        { ...point, key: 'a$', value: '1' },
      ],
    }),
    batch(`a path as key in ${list}`, { [list]: [{ ...point, key: 'a//b', value: '1' }] }),
    batch(`a key of 251 in ${list}`, { [list]: [{ ...point, key: 'k'.repeat(251), value: '1' }] }),
  ]),
  odd('a value of letters', { metrics: [{ ...point, value: 'abc' }] }),
  odd('a step of letters', { metrics: [{ ...point, step: 'x' }] }),
  odd('a number as key', { metrics: [{ ...point, key: 5 }] }),
  odd('a number as param', { params: [{ key: 'number', value: 1 }] }),
  batch('a negative time', { metrics: [{ ...point, timestamp: -1 }] }),
  text('times of 64 bits', '"metrics":[{"key":"big","value":1,"timestamp":9007199254740993,"step":-9007199254740993}]'),
  post(
    'the bare NaN',
    'runs/log-batch',
    '{"run_id":"$odd","metrics":[{"key":"bare","timestamp":3,"step":1,"value":NaN}]}',
  ),
  odd('a metric of an unknown model', { metrics: [{ ...point, key: 'linked', model_id: 'm-1' }] }),
  post('camel case', 'runs/log-batch', { runId: '$odd' }),
  post('no run', 'runs/log-batch', {}),
  post('run_uuid alone', 'runs/log-batch', { run_uuid: '$batch' }),
  post('a run id that is none', 'runs/log-batch', { run_id: 'a/b' }),
  post('an unknown run', 'runs/log-batch', { run_id: 'nope' }),
  post('a number as run', 'runs/log-batch', { run_id: 5 }),
  post('an unknown run and too many tags', 'runs/log-batch', { run_id: 'nope', tags: many(101, 't') }),
  batch('a long param and a long tag', {
    params: [{ key: 'long', value: 'x'.repeat(6001) }],
    tags: [{ key: 'long', value: 'y'.repeat(8001) }],
  }),
  showRun('what was logged in the end', 'batch'),
];
