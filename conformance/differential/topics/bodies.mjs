import { experiment, get, post, run, showRun } from '../steps.mjs';

const json = 'application/json';
const create = (title, body, headers = { 'content-type': json }) =>
  post(title, 'experiments/create', body, { headers });
const typed = (title, type) => create(title, '{}', type === undefined ? {} : { 'content-type': type });

export const bodies = [
  experiment('bodies'),
  run('body', 'bodies'),
  run('odd', 'bodies'),
  typed('no content type', undefined),
  ...[
    'text/plain',
    'APPLICATION/JSON',
    'application/json ;x',
    'application/json; charset=utf-8',
    'application/json;charset=latin1',
    'application/jsonx',
    '',
  ].map((type) => typed(`content type ${JSON.stringify(type)}`, type)),
  ...['', 'null', '{', 'garbage', '[]', '[1]', '5', 'true', '"text"', '"[1]"', '{}', '{"name":1,}'].map((body) =>
    create(`the body ${JSON.stringify(body)}`, body),
  ),
  create('a body encoded twice', JSON.stringify(JSON.stringify({ name: 'encoded twice $u' }))),
  create('a key twice', '{"name":5,"name":"key twice $u"}'),
  create('a byte order mark', '\uFEFF{"name":"mark $u"}'),
  create('unknown fields', { name: 'unknown $u', __proto__x: 1, constructor: { prototype: 1 }, nope: [{}] }),
  create('__proto__', '{"__proto__":{"name":"x"}}'),
  create('camel case', { name: 'camel $u', artifactLocation: 's3://b/camel' }),
  create('both spellings', { name: 'both $u', artifact_location: 's3://b', artifactLocation: 's3://b' }),
  create('a number as location', { name: 'number $u', artifact_location: 5 }),
  create('letters of all kinds', { name: 'äöü 日本 😀 \u2028 \u007f $u' }),
  get('letters of all kinds in an answer', 'experiments/get-by-name', {
    experiment_name: 'äöü 日本 😀 \u2028 \u007f $u',
  }),
  post('camel case of a required field', 'runs/delete-tag', { runId: '$odd', key: 'x' }),
  post('camel case of a run', 'runs/log-parameter', { runId: '$odd', key: 'camel', value: '1' }),
  post('camel case of optional fields', 'runs/create', { experiment_id: '$bodies', runName: 'camel', startTime: 5 }),
  post('camel case of an end', 'runs/update', { run_id: '$body', endTime: '77' }),
  post('both spellings of an end', 'runs/update', { run_id: '$body', endTime: 1, end_time: 1 }),
  post('both spellings of a run', 'runs/log-parameter', { run_id: '$body', runId: '$body', key: 'x', value: '1' }),
  post('both ids, another first', 'runs/log-parameter', { run_uuid: 'nope', run_id: '$body', key: 'both', value: '1' }),
  post('both spellings deep down', 'runs/log-inputs', {
    run_id: '$body',
    datasets: [{ dataset: { name: 'd', digest: 'x', source: 's', source_type: 'a', sourceType: 'b' } }],
  }),
  post('a query beside a body', 'experiments/get-by-name?experiment_name=Default', {}, { method: 'GET' }),
  post('a query instead of a body', 'experiments/create?name=query', undefined),
  post('GET with a body', 'experiments/get-by-name', { experiment_name: 'bodies $u' }, { method: 'GET' }),
  post(
    'GET with a body and no type',
    'experiments/get-by-name',
    { experiment_name: 'bodies $u' },
    { method: 'GET', headers: {} },
  ),
  get('camel case in a query', 'experiments/get-by-name', { experimentName: 'Default' }),
  get('a repeated key', 'experiments/get-by-name', { experiment_name: ['Default', 'other'] }),
  get('a plus in a query', 'experiments/get-by-name', `experiment_name=bodies+$u`),
  get('a broken escape', 'experiments/get-by-name', 'experiment_name=%ZZ%'),
  get('an unknown key beside', 'experiments/get-by-name', { experiment_name: 'Default', x: '1' }),
  get('nothing', 'experiments/get-by-name'),
  post('NaN as time', 'runs/log-metric', '{"run_id":"$body","key":"m","value":1,"timestamp":NaN}'),
  post('an id beyond 64 bits', 'runs/create', { experiment_id: '99999999999999999999999' }),
  post('a status as list', 'runs/update', { run_id: '$body', status: [3] }),
  post('tags as object', 'runs/create', { experiment_id: '$bodies', run_name: 'x', tags: { a: 'b' } }),
  post('half a surrogate pair', 'runs/set-tag', '{"run_id":"$odd","key":"half","value":"\\ud800"}'),
  post('a NUL', 'runs/set-tag', '{"run_id":"$odd","key":"nul","value":"a\\u0000b"}'),
  showRun('what is left of it', 'body'),
];
