import { experiment, get, post } from '../steps.mjs';

// Only experiments of this topic: other topics make theirs on both servers alike, but under other ids.
const mine = "attribute.name LIKE 's-% $u'";
const search = (title, body) => post(title, 'experiments/search', { max_results: 100, ...body });
const filter = (text) => search(`filter ${text}`, { filter: text });
const order = (by) => search(`order by ${JSON.stringify(by)}`, { filter: mine, order_by: by });

export const searchingExperiments = [
  experiment('s-a', { tags: [{ key: 'team', value: 'x' }] }),
  experiment('s-b', {
    tags: [
      { key: 'team', value: 'Y' },
      { key: 'a b', value: '1' },
    ],
  }),
  experiment('s-c'),
  experiment('s-d'),
  post('delete one', 'experiments/delete', { experiment_id: '$s-d' }),
  filter(mine),
  search('nothing found', { filter: "name = 'nope'" }),
  search('only deleted', { filter: mine, view_type: 'DELETED_ONLY', order_by: ['name'] }),
  search('all', { filter: mine, view_type: 3, order_by: ['name'] }),
  search('an unknown view', { filter: mine, view_type: 7, order_by: ['name'] }),
  get('by query', 'experiments/search', { max_results: 10, filter: mine, order_by: ['name DESC', 'experiment_id'] }),
  get('by query, a page', 'experiments/search', { max_results: 1, filter: mine, order_by: 'name' }),
  post('without page size', 'experiments/search', {}),
  ...[0, -1, null, 50001, 'abc', 2.5].map((max_results) => search(`a page of ${max_results}`, { max_results })),
  search('a page of "2"', { max_results: '2', filter: mine, order_by: ['name'] }),
  ...[
    ['name'],
    ['name DESC'],
    ['attribute.name ASC'],
    ['experiment_id'],
    ['name', 'name'],
    ['creation_time', 'name'],
    ['last_update_time DESC', 'name'],
  ].map(order),
  ...[['bogus'], ['tags.a'], ['attributes.name'], ['name foo'], ['name asc desc'], [''], ['a, b'], 'name'].map(order),
  ...[
    "name = 's-nope'",
    `tags.team = 'x' AND ${mine}`,
    `tag.team ILIKE 'y' AND ${mine}`,
    "tags.team IS NULL AND name LIKE 's-% $u'",
    `tags.team IS NOT NULL AND ${mine}`,
    `tags."a b" = '1' AND ${mine}`,
    `tags.\`a b\` = '1' AND ${mine}`,
    "name != 'x' AND name LIKE 's-% $u'",
    "creation_time > 5 AND name LIKE 's-% $u'",
    "name ILIKE 'S-A $u'",
    "name LIKE 'S-A%'",
    'last_update_time < 5',
    "experiment_id = '999999'",
    "experiment_id IN ('999999')",
    "experiment_id > '1'",
    "name IN ('a')",
    'metrics.m > 1',
    "bogus = 'a'",
    'name = 5',
    "creation_time = '5'",
    'tags.team = 5',
    "attributes.name = 'x'",
    "name > 'a'",
    "tags.team > 'a'",
    'name IS NULL',
    '  ',
    "name = 'a' AND",
    "name == 'a'",
  ].map(filter),
  search('a filter that is a number', { filter: 5 }),
  search('a wrong token', { page_token: 'abc' }),
  search('a token of nothing', { page_token: '!!!' }),
  search('an empty token', { page_token: '', filter: mine, order_by: ['name'] }),
];
