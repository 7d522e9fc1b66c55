import { experiment, post, run } from '../steps.mjs';

const search = (title, body) => post(title, 'runs/search', { experiment_ids: ['$search'], ...body });
const filter = (text) => search(`filter ${text}`, { filter: text, order_by: ['attributes.run_name'] });
const order = (by) => search(`order by ${JSON.stringify(by)}`, { order_by: by });
const log = (name, body) => post(`log to ${name}`, 'runs/log-batch', { run_id: `$${name}`, ...body });
const metric = (key, value) => ({ key, value, timestamp: 1, step: 0 });
const text = (key, value) => ({ key, value });

export const searchingRuns = [
  experiment('search'),
  run('r1', 'search', { start_time: 100, user_id: 'ada' }),
  run('r2', 'search', { start_time: 300, user_id: 'bob' }),
  run('r3', 'search', { start_time: 200 }),
  run('r4', 'search', { start_time: 400 }),
  log('r1', { metrics: [metric('m', 1), metric('nan', 'NaN'), metric('val/acc', 0.5)], params: [text('p', 'Abc'), text('p q', '1')], tags: [text('t', "it's"), text('order', 'x')] }),
  log('r2', { metrics: [metric('m', 2), metric('nan', 3)], params: [text('p', 'abc'), text('num', '10')], tags: [text('t', '100%')] }),
  log('r3', { metrics: [metric('m', 'NaN')], params: [text('p', ''), text('num', '9')], tags: [text('t', 'a_b')] }),
  post('finish r1', 'runs/update', { run_id: '$r1', status: 'FINISHED', end_time: 500 }),
  post('a dataset of r1', 'runs/log-inputs', { run_id: '$r1', datasets: [{ dataset: { name: 'd', digest: 'x', source_type: 'l', source: 's' }, tags: [text('mlflow.data.context', 'train')] }] }),
  post('delete r4', 'runs/delete', { run_id: '$r4' }),
  search('all active', {}),
  search('deleted', { run_view_type: 'DELETED_ONLY' }),
  search('all', { run_view_type: 'ALL' }),
  search('view 3', { run_view_type: 3 }),
  search('an unknown view', { run_view_type: 7 }),
  search('a page', { max_results: 2 }),
  search('a page of as many as there are', { max_results: 3 }),
  ...[0, -1, 50001, 'x', null].map((max_results) => search(`a page of ${max_results}`, { max_results })),
  search('a page of "2"', { max_results: '2' }),
  ...['abc', '!!!', 'e30=', ''].map((page_token) => search(`the token ${JSON.stringify(page_token)}`, { page_token })),
  post('no experiments', 'runs/search', {}),
  post('an empty list of experiments', 'runs/search', { experiment_ids: [] }),
  post('an unknown experiment', 'runs/search', { experiment_ids: ['99999'] }),
  post('an experiment of letters', 'runs/search', { experiment_ids: ['abc'] }),
  post('an experiment twice', 'runs/search', { experiment_ids: ['$search', '$search'] }),
  post('experiments as text', 'runs/search', { experiment_ids: '1' }),
  ...[
    'metrics.m > 1', 'metrics.m >= 1', 'metrics.m = 1', 'metrics.m != 1', 'metrics.m < 2', 'metrics.m <= -1', 'metrics.m < 1e0', 'metrics.m > .5',
    'metric.nan != 3', 'metrics.nan = 3', 'metrics."val/acc" = 0.5', 'metrics.`val/acc` < 1',
    "params.p = 'abc'", "param.p LIKE 'A%'", "parameter.p ilike 'a%'", "parameters.p != 'abc'", "params.p = ''", "params.\"p q\" = '1'", "params.`p q` = '1'",
    'params.p IS NULL', 'params.num IS NOT NULL', 'params.num is  null', 'tags.t = "it\'s"', "tags.t LIKE '%!%'", "tags.t LIKE 'a_b'", "tags.order = 'x'", "tag.t LIKE '_t%'",
    "attributes.status = 'FINISHED'", "attr.status != 'FINISHED'", "run.user_id = 'ada'", "status LIKE 'RUN%'", "user_id = ''", "run_name = 'r2'", "attributes.`Run name` = 'r2'", "run_name ILIKE 'R%'",
    'start_time > 100', 'attributes.created <= 200', 'end_time = 500', 'end_time != 1', 'start_time > 100.5',
    "attributes.run_id IN ('$r1', '$r2')", "run_id NOT IN ('$r1')", "run_id = '$r1'", "artifact_uri LIKE '%artifacts'",
    "datasets.name = 'd'", "dataset.digest IN ('x', 'y')", "dataset.context = 'train'", "datasets.name != 'd'", "dataset.name NOT IN ('e')", "dataset.name LIKE 'D'", "dataset.name ILIKE 'D'",
    "metrics.m > 0 AND params.p = 'abc'", "metrics.m > 0 and tags.t LIKE '%' AND status = 'RUNNING'", ' metrics.m>1\tAND\nparams.p="abc" ',
    '', '  ',
    'metrics.m == 1', 'metrics.m = "1"', "metrics.m = 'x'", 'metrics.m = NaN', 'metrics.m = inf', 'metrics.m LIKE 1', 'params.p > 1', "params.p > 'a'", 'params.p = 1', 'params.p = abc',
    "params.p RLIKE 'a'", "tags.t IN ('a')", "status IN ('RUNNING')", 'status = 3', "status > 'A'", "start_time = '10'", "start_time LIKE '1'", 'bogus = 1', "attributes.experiment_id = '1'",
    "lifecycle_stage = 'active'", "foo.bar = 'x'", "Params.p = 'x'", "dataset.bogus = 'x'", 'dataset.name = 1', "dataset.name > 'a'", 'metrics.m IS NULL', 'status IS NULL',
    'metrics.f1-score > 1', 'metrics.val/acc > 1', '1 < metrics.m', 'metrics.m', 'metrics.m >', '> 1', "params.p = 'abc", "metrics.m > 1 OR metrics.m < 0", '(metrics.m > 0)', 'NOT metrics.m > 0',
    'metrics.m > 1; params.p = 1', "run_id IN ()", 'run_id IN (1)', "run_id IN ('a'", "run_id IN 'a'", 'metrics.m > 1 -- c', 'AND', "AND metrics.m > 1", 'metrics.m > 1 AND', "metrics.m > 1 params.p = 'abc'",
    "`params.p` = 'abc'", "metrics . m > 1", 'metrics.m = - 1', 'metrics.m = 0x10', 'metrics.m = TRUE',
  ].map(filter),
  search('a filter that is a number', { filter: 5 }),
  ...[
    ['metrics.m'], ['metrics.m DESC'], ['metric.m asc', 'run_name'], ['params.p'], ['params.p DESC'], ['params.num'], ['tags.t DESC'], ['start_time'], ['attributes.start_time DESC'], ['created'], ['end_time'],
    ['end_time DESC'], ['status', 'run_name DESC'], ['run_name DESC'], ['user_id'], ['metrics.`val/acc`'], ['metrics."val/acc" DESC'], ['metrics.nope'],
    ['metrics.m foo'], [''], ['a, b'], ['metrics.m > 0'], ['1'], ['metrics.a-b'], ['asc desc'], ['metrics.m NULLS LAST'], ['bogus'], ['foo.bar'], ['dataset.name'], ['metrics.m', 'metrics.m'], ['start_time', 'created'], [' start_time'],
    'start_time', [5],
  ].map(order),
];
