import { experiment, get, post, run } from '../steps.mjs';

const model = (name, body, title = `create model ${name}`) =>
  post(
    title,
    'logged-models',
    { experiment_id: '$models', source_run_id: '$trained', name, ...body },
    { keep: { [name]: 'model.info.model_id' } },
  );
const refused = (title, body) => post(title, 'logged-models', { experiment_id: '$models', name: 'r', ...body });
const show = (title, name, query = '') => get(title, `logged-models/$${name}`, query);
/** MLflow asks for the id in the body, too, and its clients send it. */
const change = (title, path, body, method = 'PATCH') =>
  post(title, `logged-models/${path}`, body && { model_id: path.split('/', 1)[0], ...body }, { method });
/** Models that were made in one millisecond have no order, unless they are asked for in one. */
const namesFound =
  (order) =>
  ({ json }) => {
    if (json?.models === undefined) return json;
    const names = json.models.map(({ info }) => info.name);
    return { names: order === undefined ? names.sort() : names, more: 'next_page_token' in json };
  };
const search = (title, body) =>
  post(
    title,
    'logged-models/search',
    { experiment_ids: ['$models', '$others'], ...body },
    { only: namesFound(body.order_by) },
  );
const metric = (title, name, body) =>
  post(title, 'runs/log-metric', { run_id: '$trained', key: 'loss', timestamp: 5, model_id: `$${name}`, ...body });
const on = (digest) => ({ dataset_name: 'd', dataset_digest: digest });

export const loggedModels = [
  experiment('models'),
  experiment('others'),
  run('trained', 'models'),
  model('a', { model_type: 'agent', params: [{ key: 'p', value: '1' }], tags: [{ key: 't', value: 'x' }] }),
  model('b', {}),
  model('c', { experiment_id: '$others', source_run_id: '', params: [{ key: 'p', value: '2' }] }),
  post(
    'a model without a name',
    'logged-models',
    { experiment_id: '$others' },
    { only: ({ json }) => Object.keys(json.model.info).sort() },
  ),
  ...['a/b', 'a:b', 'a.b', 'a%b', 'a"b', "a'b"].map((name) => refused(`a model called ${name}`, { name })),
  refused('a model of no experiment', { experiment_id: '99999' }),
  refused('a model of letters', { experiment_id: 'abc' }),
  post('a model without an experiment', 'logged-models', { name: 'r' }),
  refused('params that repeat', {
    params: [
      { key: 'a', value: '1' },
      { key: 'a', value: '2' },
    ],
  }),
  show('a model', 'a'),
  get('a model that is not there', 'logged-models/m-0123456789abcdef0123456789abcdef'),
  change('finalize', '$a', { status: 'LOGGED_MODEL_READY' }),
  change('finalize again as failed', '$a', { status: 'LOGGED_MODEL_UPLOAD_FAILED' }),
  change('finalize by number', '$b', { status: 2 }),
  change('finalize nothing', 'm-nope', { status: 'LOGGED_MODEL_READY' }),
  change('finalize without a state', '$b', {}),
  change('set tags', '$a/tags', {
    tags: [
      { key: 't', value: 'y' },
      { key: 'u', value: 'z' },
    ],
  }),
  change('set no tags', '$a/tags', {}),
  change('set tags of nothing', 'm-nope/tags', { tags: [{ key: 't', value: 'y' }] }),
  change('delete a tag', '$a/tags/u', undefined, 'DELETE'),
  change('delete a tag again', '$a/tags/u', undefined, 'DELETE'),
  change('log params', '$a/params', { params: [{ key: 'q', value: '1' }] }, 'POST'),
  change('log a param with another value', '$a/params', { params: [{ key: 'q', value: '2' }] }, 'POST'),
  change('log params of nothing', 'm-nope/params', { params: [{ key: 'q', value: '1' }] }, 'POST'),
  metric('a metric of a model', 'a', { value: 0.5, step: 1 }),
  metric('a metric on a dataset', 'a', { value: 0.25, step: 2, ...on('1') }),
  metric('a metric of another model on the dataset', 'b', { value: 0.75, step: 2, ...on('1') }),
  metric('a metric on another dataset', 'b', { value: 0.125, step: 3, ...on('2') }),
  show('a model with all that it has', 'a'),
  show('another one with its metrics', 'b'),
  search('all models', {}),
  search('models by name', { filter: "name = 'a'" }),
  search('models by a part of the name', { filter: "name LIKE 'b%'" }),
  search('models by a param', { filter: "params.p = '2'" }),
  search('models by a tag', { filter: "tags.t = 'y'" }),
  search('models by a metric', { filter: 'metrics.loss > 0.4' }),
  search('models by a metric on a dataset', { filter: 'metrics.loss < 0.4', datasets: [on('1')] }),
  search('models with any metric on a dataset', { datasets: [on('2')] }),
  search('models by their run', { filter: "source_run_id = '$trained'" }),
  search('models by their state', { filter: "status = 'LOGGED_MODEL_UPLOAD_FAILED'" }),
  search('models of one experiment', { experiment_ids: ['$others'] }),
  search('models of no experiment', { experiment_ids: [] }),
  post('a search without experiments', 'logged-models/search', {}),
  search('models in the order of a metric', {
    filter: "source_run_id = '$trained'",
    order_by: [{ field_name: 'metrics.loss', ascending: true }],
  }),
  search('models in the order of a metric on a dataset', {
    filter: "source_run_id = '$trained'",
    order_by: [{ field_name: 'metrics.loss', ascending: true, ...on('1') }],
  }),
  search('models in falling order of a metric on a dataset', {
    filter: "source_run_id = '$trained'",
    order_by: [{ field_name: 'metrics.loss', ascending: false, ...on('1') }],
  }),
  search('models in the order of names', { experiment_ids: ['$models'], order_by: [{ field_name: 'name' }] }),
  search('models in an order that is none', { order_by: [{ field_name: 'bogus' }] }),
  search('models in the order of a param', { order_by: [{ field_name: 'params.p' }] }),
  search('models by something else', { filter: "bogus = 'x'" }),
  search('models by a dataset without a name', { datasets: [{ dataset_digest: '1' }] }),
  search('pages of models', { max_results: 1, order_by: [{ field_name: 'name' }] }),
  post('outputs of a run', 'runs/outputs', { run_id: '$trained', models: [{ model_id: '$a', step: 1 }] }),
  get('the run with its output', 'runs/get', { run_id: '$trained' }, { only: ({ json }) => json.run.outputs }),
  get('the files of a model without any', 'logged-models/$a/artifacts/directories'),
  get('the files of nothing', 'logged-models/m-nope/artifacts/directories'),
  change('delete', '$b', undefined, 'DELETE'),
  change('delete again', '$b', undefined, 'DELETE'),
  change('delete nothing', 'm-nope', undefined, 'DELETE'),
  show('a deleted model', 'b'),
  change('finalize a deleted model', '$b', { status: 'LOGGED_MODEL_READY' }),
  change('tag a deleted model', '$b/tags', { tags: [{ key: 't', value: 'y' }] }),
  change('log params of a deleted model', '$b/params', { params: [{ key: 'q', value: '1' }] }, 'POST'),
  search('models without the deleted one', { filter: "name = 'b'" }),
  post('log-model of an older client', 'runs/log-model', {
    run_id: '$trained',
    model_json: JSON.stringify({ run_id: 'x', artifact_path: 'm', utc_time_created: 'now', flavors: {} }),
  }),
  post('log-model without flavors', 'runs/log-model', { run_id: '$trained', model_json: '{"run_id":"x"}' }),
  post('log-model with no JSON', 'runs/log-model', { run_id: '$trained', model_json: 'x' }),
  post('log-model of nothing', 'runs/log-model', { run_id: 'nope', model_json: '{}' }),
];
