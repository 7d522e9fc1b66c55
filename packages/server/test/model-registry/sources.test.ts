import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aRun, onEveryEngine, startServer, type TestServer } from '../server-fixture.ts';

const relative =
  'If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references present. Please provide an absolute path.';
const local =
  'To use a local path as a model version source, the run_id request parameter has to be specified and the local path has to be contained within the artifact directory of the run specified by the run_id.';
const identify = (parameter: string) =>
  `The ${parameter} request parameter must identify the resource that contains the source.`;
const host = 'addresses a host other than the tracking server';

/** Sources that no version may have, with and without a run; `<run>` is one, `<other>` another. */
const refused: readonly (readonly [attack: string, source: string, rule: string])[] = [
  ['CVE-2023-1177: a file of the server', 'file:///etc', local],
  ['CVE-2023-1177: an absolute path', '/etc/passwd', local],
  ['CVE-2023-2356: a traversal below the proxy', 'mlflow-artifacts:/../../etc', relative],
  ['CVE-2023-2356: a traversal in a bucket', 's3://bucket/../etc', relative],
  ['CVE-2023-2780: a file URI with a dot for a host', 'file://./etc', local],
  ['CVE-2023-2780: a Windows path', 'C:\\Windows', local],
  ['CVE-2023-2780: a drive as a scheme', 'C:/Windows', local],
  ['CVE-2023-6976: a file URI without slashes', 'file:etc', local],
  ['CVE-2023-6977: a path with two slashes', '//proc/self/root', local],
  ['CVE-2024-1483: a fragment', 'mlflow-artifacts:/x#/../../etc', relative],
  ['CVE-2024-1558: an encoded traversal', 's3://bucket/%2e%2e/x', relative],
  ['CVE-2024-1558: a traversal that is encoded twice', 's3://bucket/%252e%252e/x', relative],
  ['CVE-2024-1593: parameters', 's3://bucket/x;p/../..', relative],
  ['CVE-2025-11201: a relative path', '../../etc', local],
  ['CVE-2025-11201: a folder of the working directory', 'x', local],
  ['campaign of 2026: sources on hostile hosts', 'http://169.254.169.254/latest/meta-data', host],
  ['a secured host', 'https://example.org/x', host],
  ['a scheme in capitals', 'HTTP://example.org/x', host],
  ['file transfer', 'ftp://example.org/x', host],
  ['file transfer by SSH', 'sftp://example.org/x', host],
  ['a file system with a host', 'hdfs://example.org/x', host],
  ['a file system without one', 'hdfs:/x', host],
  ['a storage account', 'abfss://c@account/x', host],
  ['another artifact server', 'mlflow-artifacts://example.org/x', host],
  ['a folder of no run', 'mlflow-artifacts:/0/x', identify('run_id')],
  ['a run that nobody named', 'runs:/<other>/m', identify('run_id')],
  ['a run on another server', 'runs://example.org/<run>/m', identify('run_id')],
  ['no run', 'runs:/', relative],
  ['a logged model that nobody named', 'models:/m-0123456789abcdef0123456789abcdef', identify('model_id')],
  ['a model without a version', 'models:/', identify('model_id')],
  ['a version on another server', 'models://example.org/m/1', 'must use the active model registry'],
  ['a bucket without a path', 's3://bucket', relative],
  ['a scheme without a path', 'javascript:alert(1)', relative],
  ['a dot', 's3://bucket/./x', relative],
  ['a control character', 's3://bucket/x\u0001', relative],
];

let server: TestServer;
let run: string;
let other: string;
beforeAll(async () => {
  server = await startServer();
  await server.client.registeredModels.createRegisteredModel({ name: 'm' });
  run = (await aRun(server.client)).run_id;
  other = (await aRun(server.client)).run_id;
});
afterAll(() => server[Symbol.asyncDispose]());

describe.each(refused)('%s', (_attack, template, rule) => {
  test.each([false, true])('is refused as a source (with a run: %s)', async (hasRun) => {
    const source = template.replace('<run>', run).replace('<other>', other);
    const create = server.client.modelVersions.createModelVersion({
      name: 'm',
      source,
      ...(hasRun && { run_id: run }),
    });
    await expect(create).rejects.toMatchObject({
      status: 400,
      errorCode: 'INVALID_PARAMETER_VALUE',
      message: expect.stringContaining(rule) as string,
    });
    const { model_versions = [] } = await server.client.modelVersions.searchModelVersions({});
    expect(model_versions).toEqual([]);
  });
});

test('a run that is not there is no source, whoever names it', async () => {
  const run_id = '0123456789abcdef0123456789abcdef';
  for (const source of [`runs:/${run_id}/m`, `mlflow-artifacts:/0/${run_id}/artifacts/m`]) {
    const create = server.client.modelVersions.createModelVersion({ name: 'm', source, run_id });
    await expect(create).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining(identify('run_id')) as string,
    });
  }
});

test('GHSA-wp72-7hj9-5265, CVE-2024-3099: names that are paths, or the encoded twins of some, are refused', async () => {
  for (const name of ['../etc', '..', 'a/b', 'a%2fb', '%2e%2e', 'a%252Fb']) {
    await expect(server.client.registeredModels.createRegisteredModel({ name })).rejects.toMatchObject({ status: 400 });
    await expect(
      server.client.registeredModels.renameRegisteredModel({ name: 'm', new_name: name }),
    ).rejects.toMatchObject({ status: 400 });
  }
});

test.each(['file:///etc', '../../etc', 's3://bucket/x', 'http://example.org/x'])(
  'CVE-2026-2614, CVE-2026-116690: the tag of a prompt does not let %s in',
  async (source) => {
    const create = server.client.modelVersions.createModelVersion({
      name: 'm',
      source,
      tags: [{ key: 'mlflow.prompt.is_prompt', value: 'true' }],
    });
    await expect(create).rejects.toMatchObject({
      status: 400,
      message: `Invalid prompt source: '${source}'. Prompt sources must use an MLflow placeholder.`,
    });
  },
);

onEveryEngine('buckets, the files of the run and other versions are sources', async ({ client }) => {
  const { modelVersions, registeredModels } = client;
  await registeredModels.createRegisteredModel({ name: 'm' });
  const { run_id } = await aRun(client);
  const { artifact_uri } = (await client.runs.getRun({ run_id })).run.info;
  const create = async (source: string, ids: { run_id?: string; model_id?: string } = {}) =>
    (await modelVersions.createModelVersion({ name: 'm', source, ...ids })).model_version;
  const uriOf = async (version: string) =>
    (await modelVersions.getModelVersionDownloadUri({ name: 'm', version })).artifact_uri;
  for (const source of ['s3://b/x', 'gs://b/x', 'wasbs://c@account/x', 'dbfs:/x', 's3://b/a b%20c', 'azureml://x/y']) {
    expect((await create(source)).source).toBe(source);
  }
  for (const source of [artifact_uri, `${artifact_uri}/model`, `runs:/${run_id}/model`, `runs:/${run_id}`]) {
    const { version } = await create(source, { run_id });
    expect(await uriOf(version)).toBe(source);
  }
  await expect(create(`${artifact_uri}x/model`, { run_id })).rejects.toMatchObject({ status: 400 });
  await registeredModels.setRegisteredModelAlias({ name: 'm', alias: 'a', version: '8' });
  for (const source of ['models:/m/8', 'models:/m@a']) {
    const copy = await create(source);
    expect(copy).toMatchObject({ source: 'models:/m/8', run_id });
    expect(await uriOf(copy.version)).toBe(`${artifact_uri}/model`);
  }
  expect((await create('models:/m/latest')).source).toBe('models:/m/12');
  await expect(create('models:/m/8', { run_id: 'another' })).rejects.toMatchObject({
    message:
      "Invalid model version source: 'models:/m/8'. The run_id and model_id request parameters must match the referenced model version.",
  });
  await expect(create('models:/m/99')).rejects.toMatchObject({
    status: 404,
    message: 'Model Version (name=m, version=99) not found',
  });
  await expect(create('models:/nope/1')).rejects.toMatchObject({
    status: 404,
    message: 'Registered Model with name=nope not found',
  });
  await expect(create('models:/m/Production')).rejects.toMatchObject({ status: 404 });
  await expect(create('models:/m/bogus')).rejects.toMatchObject({ status: 400 });
  await expect(create('models:/m@nope')).rejects.toMatchObject({ message: 'Registered model alias nope not found.' });
  await expect(create('s3://b/x', { model_id: 'm-nope' })).rejects.toMatchObject({
    status: 404,
    message: "Logged model with ID 'm-nope' not found.",
  });
});

onEveryEngine('versions of a prompt have no files, and no model is made of them', async ({ client }) => {
  const { modelVersions, registeredModels } = client;
  const tags = [{ key: 'mlflow.prompt.is_prompt', value: 'true' }];
  await registeredModels.createRegisteredModel({ name: 'p', tags });
  for (const source of ['dummy-source', 'prompt-template']) {
    await modelVersions.createModelVersion({ name: 'p', source, tags });
  }
  await registeredModels.createRegisteredModel({ name: 'm' });
  await expect(modelVersions.createModelVersion({ name: 'm', source: 'models:/p/1' })).rejects.toMatchObject({
    message: "Invalid model version source: 'models:/p/1'. Prompt versions cannot be used as model version sources.",
  });
  await expect(modelVersions.createModelVersion({ name: 'm', source: 'dummy-source' })).rejects.toThrow(local);
});
