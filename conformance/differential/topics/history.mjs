import { experiment, get, post, run } from '../steps.mjs';

const all = (title, query) => get(title, 'metrics/get-history', query);
const bulk = (title, query) => get(title, '/ajax-api/2.0/mlflow/metrics/get-history-bulk', query);
/** Runs come in the order of their ids, which chance gives. */
const byRun = ({ json }) => json.metrics.toSorted((one, two) => one.run_id.length - two.run_id.length);
const interval = (title, query) => get(title, 'metrics/get-history-bulk-interval', query);
const ids = (count) => Array.from({ length: count }, (_, i) => `r${i}`);
const points = Array.from({ length: 20 }, (_, step) => ({ key: 'm', value: step / 10, timestamp: 100 - step, step }));

export const history = [
  experiment('history'),
  run('h', 'history'),
  run('h2', 'history'),
  post('twenty points', 'runs/log-batch', { run_id: '$h', metrics: points }),
  post('points of every kind', 'runs/log-batch', {
    run_id: '$h2',
    metrics: [
      { key: 'm', value: 'NaN', timestamp: 5, step: 1 },
      { key: 'm', value: 0, timestamp: 5, step: 1 },
      { key: 'm', value: -1, timestamp: 5, step: 1 },
      { key: 'm', value: 'Infinity', timestamp: 5, step: 0 },
      { key: 'm', value: 7, timestamp: 4, step: 9 },
      { key: 'm', value: 7, timestamp: 6, step: -2 },
      { key: 'other', value: 1, timestamp: 1, step: 1 },
    ],
  }),
  all('a history', { run_id: '$h', metric_key: 'm' }),
  all('a history of every kind', { run_id: '$h2', metric_key: 'm' }),
  all('by run_uuid', { run_uuid: '$h2', metric_key: 'm' }),
  all('a page', { run_id: '$h', metric_key: 'm', max_results: 3 }),
  all('a last page', { run_id: '$h', metric_key: 'm', max_results: 20 }),
  all('an unknown metric', { run_id: '$h', metric_key: 'nope' }),
  all('an unknown run', { run_id: 'nope', metric_key: 'm' }),
  all('no metric', { run_id: '$h' }),
  all('no run', { metric_key: 'm' }),
  all('a page of 0', { run_id: '$h', metric_key: 'm', max_results: 0 }),
  all('a page of -1', { run_id: '$h', metric_key: 'm', max_results: -1 }),
  all('a page of letters', { run_id: '$h', metric_key: 'm', max_results: 'abc' }),
  all('a wrong token', { run_id: '$h', metric_key: 'm', max_results: 3, page_token: 'abc' }),

  get(
    'in bulk',
    '/ajax-api/2.0/mlflow/metrics/get-history-bulk',
    { run_id: ['$h', '$h2'], metric_key: 'm' },
    { only: byRun },
  ),
  bulk('in bulk: one run', { run_id: ['$h2'], metric_key: 'm' }),
  bulk('in bulk: a page', { run_id: ['$h'], metric_key: 'm', max_results: 2 }),
  bulk('in bulk: a page of 0', { run_id: ['$h'], metric_key: 'm', max_results: 0 }),
  bulk('in bulk: an unknown run', { run_id: ['nope'], metric_key: 'm' }),
  bulk('in bulk: an unknown metric', { run_id: ['$h'], metric_key: 'nope' }),
  bulk('in bulk: no run', { metric_key: 'm' }),
  bulk('in bulk: no metric', { run_id: '$h' }),
  bulk('in bulk: 101 runs', { run_id: ids(101), metric_key: 'm' }),
  bulk('in bulk: a page of letters', { run_id: '$h', metric_key: 'm', max_results: 'abc' }),
  get('in bulk under /api', 'metrics/get-history-bulk', { run_id: '$h', metric_key: 'm' }),

  interval('a sample of all', { run_ids: ['$h'], metric_key: 'm' }),
  ...[1, 2, 6, 7, 19, 20].map((max_results) =>
    interval(`a sample of ${max_results}`, { run_ids: ['$h'], metric_key: 'm', max_results }),
  ),
  interval('a sample of every kind', { run_ids: ['$h2'], metric_key: 'm' }),
  interval('a sample of two runs, one twice', { run_ids: ['$h2', '$h', '$h2'], metric_key: 'm', max_results: 2 }),
  interval('a sample between steps', { run_ids: ['$h'], metric_key: 'm', start_step: 3, end_step: 8, max_results: 3 }),
  interval('a sample of one step', { run_ids: ['$h2'], metric_key: 'm', start_step: 1, end_step: 1 }),
  interval('a sample of negative steps', { run_ids: ['$h2'], metric_key: 'm', start_step: -5, end_step: -1 }),
  interval('a sample of no step', { run_ids: ['$h2'], metric_key: 'm', start_step: 100, end_step: 200 }),
  interval('a sample between far steps', {
    run_ids: ['$h2'],
    metric_key: 'm',
    start_step: '-9007199254740993',
    end_step: '9007199254740993',
  }),
  interval('a sample of an unknown run', { run_ids: ['nope'], metric_key: 'm' }),
  interval('a sample from a step', { run_ids: ['$h'], metric_key: 'm', start_step: 3 }),
  interval('a sample of steps backwards', { run_ids: ['$h'], metric_key: 'm', start_step: 5, end_step: 2 }),
  ...['0', '2501', 'abc', '2.5'].map((max_results) =>
    interval(`a sample of ${max_results}`, { run_ids: ['$h'], metric_key: 'm', max_results }),
  ),
  interval('a sample without runs', { metric_key: 'm' }),
  interval('a sample without metric', { run_ids: ['$h'] }),
  interval('a sample of 101 runs', { run_ids: ids(101), metric_key: 'm' }),
  get('a sample for the web interface', '/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval', {
    run_ids: '$h',
    metric_key: 'm',
    max_results: 3,
  }),
];
