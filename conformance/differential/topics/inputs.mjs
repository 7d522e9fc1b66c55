import { experiment, post, run, showRun } from '../steps.mjs';

const dataset = { name: 'd', digest: 'x', source_type: 'local', source: '{}', schema: 's', profile: 'p' };
const log = (title, datasets, more = {}) => post(title, 'runs/log-inputs', { run_id: '$in', datasets, ...more });
// What MLflow stores in its own way goes to an experiment that is not compared.
const odd = (title, datasets) => post(title, 'runs/log-inputs', { run_id: '$odd', datasets });
const outputs = (title, body) => post(title, 'runs/outputs', { run_id: '$in', ...body });
const context = (value) => [{ key: 'mlflow.data.context', value }];

export const inputs = [
  experiment('inputs'),
  run('in', 'inputs'),
  run('in2', 'inputs'),
  experiment('oddInputs'),
  run('odd', 'oddInputs'),
  log('a dataset', [{ dataset, tags: context('training') }]),
  log('the same dataset', [{ dataset: { ...dataset, schema: 'other' }, tags: context('test') }]),
  log('a dataset without schema', [{ dataset: { name: 'e', digest: 'y', source_type: 'local', source: 's' } }]),
  log('a dataset with an empty schema', [{ dataset: { ...dataset, name: 'f', schema: '', profile: '' } }]),
  log('twice in one request', [
    { dataset: { ...dataset, name: 'g', source: '1' } },
    { dataset: { ...dataset, name: 'g', source: '2' } },
  ]),
  log('models', [], { models: [{ model_id: 'm-b' }, { model_id: 'm-a' }, { model_id: 'm-b' }] }),
  showRun('a run with inputs', 'in'),
  post('the dataset of another run', 'runs/log-inputs', {
    run_id: '$in2',
    datasets: [{ dataset: { ...dataset, source: 'mine' }, tags: context('eval') }],
  }),
  showRun('a run with the dataset of another', 'in2'),
  log('no datasets', []),
  log('null', null),
  post('nothing but the run', 'runs/log-inputs', { run_id: '$in2' }),
  log('text', 'x'),
  odd('a dataset that is text', ['x']),
  odd('an empty dataset', [{ dataset: {} }]),
  odd('a dataset without digest', [{ dataset: { name: 'h', source_type: 's', source: 's' } }]),
  ...Object.entries({ name: 501, digest: 37, source: 65536, schema: 1048576 }).map(([field, length]) =>
    log(`a long ${field}`, [{ dataset: { ...dataset, [field]: 'x'.repeat(length) } }]),
  ),
  ...Object.entries({ name: 500, digest: 36, source: 65535 }).map(([field, length]) =>
    log(`a ${field} at its limit`, [{ dataset: { ...dataset, [field]: 'x'.repeat(length) } }]),
  ),
  log('a long tag key', [{ dataset, tags: [{ key: 'k'.repeat(256), value: '' }] }]),
  log('a long tag value', [{ dataset, tags: [{ key: 'k', value: 'v'.repeat(501) }] }]),
  log('a tag with any character', [{ dataset: { ...dataset, name: 'any' }, tags: [{ key: 'a$//', value: '' }] }]),
  log('two tags alike', [
    {
      dataset: { ...dataset, name: 'alike' },
      tags: [
        { key: 'a', value: '1' },
        { key: 'a', value: '2' },
      ],
    },
  ]),
  post('inputs of nothing', 'runs/log-inputs', { run_id: 'nope', datasets: [] }),
  post('inputs of a run id that is none', 'runs/log-inputs', { run_id: 'a/b' }),
  post('inputs without run', 'runs/log-inputs', { datasets: [] }),
  outputs('outputs', { models: [{ model_id: 'm-b', step: 2 }, { model_id: 'm-a' }] }),
  outputs('no outputs', { models: [] }),
  outputs('outputs without models', {}),
  outputs('outputs: null', { models: null }),
  outputs('an output again', { models: [{ model_id: 'm-a' }] }),
  post('outputs of nothing', 'runs/outputs', { run_id: 'nope', models: [] }),
  post('outputs under another name', 'runs/log-outputs', { run_id: '$in', models: [] }),
  showRun('a run with outputs', 'in'),
  post('a run with outputs, searched', 'runs/search', {
    experiment_ids: ['$inputs'],
    filter: "attributes.run_name = 'in2'",
  }),
  post('a run with models as inputs, searched', 'runs/search', {
    experiment_ids: ['$inputs'],
    filter: "attributes.run_name = 'in'",
  }),
  post(
    'datasets of an experiment',
    '/ajax-api/2.0/mlflow/experiments/search-datasets',
    { experiment_ids: ['$inputs'] },
    { only: sortedSummaries },
  ),
  post('datasets of nothing', '/ajax-api/2.0/mlflow/experiments/search-datasets', { experiment_ids: ['99999'] }),
  post('datasets of letters', '/ajax-api/2.0/mlflow/experiments/search-datasets', { experiment_ids: ['abc'] }),
  post('datasets of no experiment', '/ajax-api/2.0/mlflow/experiments/search-datasets', {}),
  post('datasets of 21 experiments', '/ajax-api/2.0/mlflow/experiments/search-datasets', {
    experiment_ids: Array(21).fill('0'),
  }),
  post('datasets under /api', 'experiments/search-datasets', { experiment_ids: ['$inputs'] }),
  post('datasets under the declared path', '/api/2.0mlflow/experiments/search-datasets', {
    experiment_ids: ['$inputs'],
  }),
];

/** The summaries have no order. */
function sortedSummaries({ json }) {
  return json.dataset_summaries?.map((summary) => JSON.stringify(summary)).sort();
}
