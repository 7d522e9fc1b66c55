import { experiment, get, post, run } from '../steps.mjs';

const on = (path) => `registered-models/${path}`;
const of = (path) => `model-versions/${path}`;
const named = (title, path, body = {}, method = 'POST') => post(title, path, { name: 'one $u', ...body }, { method });
const version = (title, number, path, body = {}, method = 'POST') =>
  named(title, of(path), { version: number, ...body }, method);
const create = (title, source, body = {}) => named(title, of('create'), { source, ...body });
const stage = (title, number, to, archive = false) =>
  version(title, number, 'transition-stage', { stage: to, archive_existing_versions: archive });
const search = (title, path, query) => get(title, path, query, { only: namesFound });
const ofThisRun = "name LIKE '%$u'";

export const registry = [
  experiment('registered'),
  run('source', 'registered'),
  post('create', on('create'), { name: 'one $u', description: 'd', tags: [{ key: 'a', value: '1' }] }),
  post('create another', on('create'), { name: 'two $u' }),
  named('create again', on('create')),
  ...['', '   ', 'a/b', 'a:b'].map((name) => post(`create '${name}'`, on('create'), { name })),
  post('create without a name', on('create'), {}),
  get('a model', on('get'), { name: 'one $u' }),
  get('no model', on('get'), { name: 'nope $u' }),
  named('describe', on('update'), { description: 'e' }, 'PATCH'),
  named('describe by nothing', on('update'), {}, 'PATCH'),
  named('rename to a name that is taken', on('rename'), { new_name: 'two $u' }),
  named('rename to nothing', on('rename'), { new_name: '' }),
  named('rename without a name', on('rename'), {}),
  post('rename', on('rename'), { name: 'two $u', new_name: 'three $u' }),
  post('rename what is gone', on('rename'), { name: 'two $u', new_name: 'four $u' }),
  named('set a tag', on('set-tag'), { key: 'b', value: '2' }),
  named('set a tag without a key', on('set-tag'), { value: '2' }),
  named('set a tag with a long key', on('set-tag'), { key: 'k'.repeat(251), value: '2' }),
  named('delete a tag', on('delete-tag'), { key: 'b' }, 'DELETE'),
  named('delete a tag again', on('delete-tag'), { key: 'b' }, 'DELETE'),

  create('a version of a bucket', 's3://b/x', { run_id: '$source', tags: [{ key: 'v', value: '1' }] }),
  create('a version of a run', 'runs:/$source/model', { run_id: '$source', run_link: 'https://example.org/r' }),
  create('a version of a version', 'models:/one $u/2'),
  create('a version of another run', 'runs:/$source/model', { run_id: '0123456789abcdef0123456789abcdef' }),
  ...['/etc/passwd', 'file:///etc', '../x', 'http://example.org/x', 's3://b/../x', 'models:/nope/1', 'x'].map(
    (source) => create(`a version of ${source}`, source),
  ),
  create('a version without a source', undefined),
  post('a version of no model', of('create'), { name: 'nope $u', source: 's3://b/x' }),
  get('a version', of('get'), { name: 'one $u', version: '2' }),
  get('no version', of('get'), { name: 'one $u', version: '99' }),
  get('a version by letters', of('get'), { name: 'one $u', version: 'abc' }),
  get('where the files of a version lie', of('get-download-uri'), { name: 'one $u', version: '1' }),
  version('describe a version', '1', 'update', { description: 'f' }, 'PATCH'),
  version('tag a version', '1', 'set-tag', { key: 'w', value: '2' }),
  version('tag no version', '99', 'set-tag', { key: 'w', value: '2' }),
  version('delete a tag of a version', '1', 'delete-tag', { key: 'w' }, 'DELETE'),

  stage('to staging', '1', 'Staging'),
  stage('to production', '2', 'production'),
  stage('to production, archiving the others', '3', 'Production', true),
  stage('to a stage that is none', '1', 'bogus'),
  stage('archiving into no stage', '1', 'None', true),
  stage('of no version', '99', 'Staging'),
  post('latest versions', on('get-latest-versions'), { name: 'one $u' }),
  post('latest versions in a stage', on('get-latest-versions'), { name: 'one $u', stages: ['Production'] }),
  post('latest versions in a stage that is none', on('get-latest-versions'), { name: 'one $u', stages: ['x'] }),
  post('latest versions of nothing', on('get-latest-versions'), { name: 'nope $u' }),

  named('set an alias', on('alias'), { alias: 'champion', version: '1' }),
  named('move an alias', on('alias'), { alias: 'champion', version: '2' }),
  named('an alias of no version', on('alias'), { alias: 'x', version: '99' }),
  ...['latest', 'v1', '1', '', 'a b', 'a@b'].map((alias) =>
    named(`the alias '${alias}'`, on('alias'), { alias, version: '1' }),
  ),
  get('a version by its alias', on('alias'), { name: 'one $u', alias: 'champion' }),
  get('a version by no alias', on('alias'), { name: 'one $u', alias: 'nope' }),
  get('a model with alias and stages', on('get'), { name: 'one $u' }),
  version('delete a version with an alias', '2', 'delete', {}, 'DELETE'),
  get('a version by the alias that went with it', on('alias'), { name: 'one $u', alias: 'champion' }),
  named('delete an alias', on('alias'), { alias: 'champion' }, 'DELETE'),
  named('delete an alias again', on('alias'), { alias: 'champion' }, 'DELETE'),
  create('the number after a deleted version', 's3://b/x'),
  version('delete a version again', '2', 'delete', {}, 'DELETE'),

  search('models', on('search'), { filter: ofThisRun }),
  search('models by name', on('search'), { filter: "name = 'one $u'" }),
  search('models by name in any case', on('search'), { filter: "name ILIKE 'ONE %$u'" }),
  search('models by a tag', on('search'), { filter: `${ofThisRun} AND tags.a = '1'` }),
  search('models in falling order', on('search'), { filter: ofThisRun, order_by: ['name DESC'] }),
  search('pages of models', on('search'), { filter: ofThisRun, max_results: 1 }),
  search('models by something else', on('search'), { filter: "bogus = 'x'" }),
  search('models in an order that is none', on('search'), { order_by: ['bogus'] }),
  search('no models', on('search'), { max_results: 0 }),
  search('too many models', on('search'), { max_results: 100000 }),
  search('versions', of('search'), { filter: "name = 'one $u'" }),
  search('versions by their run', of('search'), { filter: "run_id = '$source'" }),
  search('versions by runs', of('search'), { filter: "run_id IN ('$source', 'x')" }),
  search('versions by source', of('search'), { filter: "name = 'one $u' AND source_path = 's3://b/x'" }),
  search('versions by a tag', of('search'), { filter: "name = 'one $u' AND tags.v = '1'" }),
  search('versions by number', of('search'), { filter: "name = 'one $u' AND version_number > 1" }),
  search('versions in order', of('search'), { filter: "name = 'one $u'", order_by: ['version_number ASC'] }),
  search('pages of versions', of('search'), { filter: "name = 'one $u'", max_results: 1 }),
  search('versions by something else', of('search'), { filter: "bogus = 'x'" }),
  create('a version of a run that is not there', 'runs:/0123456789abcdef0123456789abcdef/m', {
    run_id: '0123456789abcdef0123456789abcdef',
  }),
  named('delete', on('delete'), {}, 'DELETE'),
  named('delete again', on('delete'), {}, 'DELETE'),
];

function namesFound({ json }) {
  const found = json?.registered_models ?? json?.model_versions;
  if (found === undefined) return json;
  return { names: found.map(({ name, version: number }) => [name, number]), more: 'next_page_token' in json };
}
