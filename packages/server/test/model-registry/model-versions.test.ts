import { expect } from 'vitest';
import type { Client } from '@lazuli/client';
import { onEveryEngine } from '../server-fixture.ts';

const notFound = (name: string, version: string) => ({
  status: 404,
  errorCode: 'RESOURCE_DOES_NOT_EXIST',
  message: `Model Version (name=${name}, version=${version}) not found`,
});

async function aModel({ registeredModels, modelVersions }: Client, versions = 0): Promise<void> {
  await registeredModels.createRegisteredModel({ name: 'm' });
  for (let index = 1; index <= versions; index += 1) {
    await modelVersions.createModelVersion({ name: 'm', source: `s3://b/${index}` });
  }
}

onEveryEngine('a version is created, found, described and deleted', async ({ client }) => {
  const { modelVersions } = client;
  await aModel(client);
  const tags = [{ key: 'k', value: 'v' }];
  const created = await modelVersions.createModelVersion({
    name: 'm',
    source: 's3://b/x',
    run_id: 'r',
    run_link: 'https://example.org/r',
    description: 'd',
    tags,
  });
  expect(created.model_version).toMatchObject({
    name: 'm',
    version: '1',
    current_stage: 'None',
    status: 'READY',
    source: 's3://b/x',
    run_id: 'r',
    run_link: 'https://example.org/r',
    description: 'd',
    user_id: 'anonymous',
    tags,
  });
  const at = { name: 'm', version: '1' };
  expect((await modelVersions.getModelVersion(at)).model_version).toEqual(created.model_version);
  expect(await modelVersions.getModelVersionDownloadUri(at)).toEqual({ artifact_uri: 's3://b/x' });
  expect((await modelVersions.updateModelVersion({ ...at, description: 'e' })).model_version.description).toBe('e');
  await modelVersions.deleteModelVersion(at);
  for (const call of [
    () => modelVersions.getModelVersion(at),
    () => modelVersions.getModelVersionDownloadUri(at),
    () => modelVersions.deleteModelVersion(at),
    () => modelVersions.updateModelVersion(at),
    () => modelVersions.setModelVersionTag({ ...at, key: 'k' }),
    () => modelVersions.deleteModelVersionTag({ ...at, key: 'k' }),
    () => modelVersions.transitionModelVersionStage({ ...at, stage: 'None' }),
    () => client.registeredModels.setRegisteredModelAlias({ ...at, alias: 'a' }),
  ]) {
    await expect(call()).rejects.toMatchObject(notFound('m', '1'));
  }
});

onEveryEngine('a version without texts has empty ones', async ({ client, request }) => {
  await aModel(client);
  const { json } = await request('POST', '/api/2.0/mlflow/model-versions/create', { name: 'm', source: 's3://b/x' });
  expect(json).toMatchObject({ model_version: { description: '', run_id: '', run_link: '' } });
  await expect(client.modelVersions.createModelVersion({ name: 'nope', source: 's3://b/x' })).rejects.toMatchObject({
    status: 404,
    message: 'Registered Model with name=nope not found',
  });
});

onEveryEngine('numbers count on from deleted versions', async ({ client }) => {
  const { modelVersions } = client;
  await aModel(client, 2);
  await modelVersions.deleteModelVersion({ name: 'm', version: '2' });
  const { model_version } = await modelVersions.createModelVersion({ name: 'm', source: 's3://b/x' });
  expect(model_version.version).toBe('3');
});

onEveryEngine('a version is named by an integer in any spelling of Python', async ({ client }) => {
  await aModel(client, 1);
  const get = (version: string) => client.modelVersions.getModelVersion({ name: 'm', version });
  for (const version of ['1', ' 1', '+1', '01']) expect((await get(version)).model_version.version).toBe('1');
  for (const version of ['x', '1.0', '1_']) {
    await expect(get(version)).rejects.toMatchObject({
      status: 400,
      message: `Parameter 'version' must be an integer, got '${version}'.`,
    });
  }
  for (const version of ['0', '-1', '99', '99999999999999999999']) {
    await expect(get(version)).rejects.toMatchObject(notFound('m', version));
  }
});

onEveryEngine('stages are read in any case, and others are archived if asked', async ({ client }) => {
  const { modelVersions, registeredModels } = client;
  await aModel(client, 4);
  const move = (version: string, stage: string, archive_existing_versions = false) =>
    modelVersions.transitionModelVersionStage({ name: 'm', version, stage, archive_existing_versions });
  expect((await move('1', 'PRODUCTION')).model_version.current_stage).toBe('Production');
  await move('2', 'production');
  await move('3', 'Production', true);
  const latest = async (stages?: string[]) => {
    const { model_versions = [] } = await registeredModels.getLatestVersions({ name: 'm', ...(stages && { stages }) });
    return model_versions.map(({ version, current_stage }) => [version, current_stage]);
  };
  expect(await latest()).toEqual([
    ['2', 'Archived'],
    ['3', 'Production'],
    ['4', 'None'],
  ]);
  expect(await latest(['none', 'production', 'None'])).toEqual([
    ['3', 'Production'],
    ['4', 'None'],
  ]);
  expect(await latest(['Staging'])).toEqual([]);
  const { registered_model } = await registeredModels.getRegisteredModel({ name: 'm' });
  expect(registered_model.latest_versions?.map(({ version }) => version)).toEqual(['2', '3', '4']);
  await expect(move('1', 'None', true)).rejects.toMatchObject({
    status: 400,
    message:
      "Model version transition cannot archive existing model versions because 'None' is not an Active stage. Valid stages are ['Staging', 'Production']",
  });
  const bogus = 'Invalid Model Version stage: bogus. Value must be one of None, Staging, Production, Archived.';
  await expect(move('1', 'bogus')).rejects.toMatchObject({ status: 400, message: bogus });
  await expect(latest(['bogus'])).rejects.toMatchObject({ status: 400, message: bogus });
  await expect(registeredModels.getLatestVersions({ name: 'nope' })).rejects.toMatchObject({ status: 404 });
});

onEveryEngine('the latest versions are got by GET and by POST', async ({ client, request }) => {
  await aModel(client, 1);
  const path = '/api/2.0/mlflow/registered-models/get-latest-versions';
  const posted = await request('POST', path, { name: 'm', stages: ['None'] });
  expect(posted.json).toMatchObject({ model_versions: [{ version: '1' }] });
  expect((await request('GET', `${path}?name=m&stages=None`)).json).toEqual(posted.json);
});

onEveryEngine('an alias names one version, moves, and ends with it', async ({ client }) => {
  const { modelVersions, registeredModels } = client;
  await aModel(client, 2);
  const set = (version: string) => registeredModels.setRegisteredModelAlias({ name: 'm', alias: 'champion', version });
  const named = async () =>
    (await registeredModels.getModelVersionByAlias({ name: 'm', alias: 'champion' })).model_version.version;
  await set('1');
  await set('2');
  expect(await named()).toBe('2');
  expect((await modelVersions.getModelVersion({ name: 'm', version: '2' })).model_version.aliases).toEqual([
    'champion',
  ]);
  await expect(set('9')).rejects.toMatchObject(notFound('m', '9'));
  await modelVersions.deleteModelVersion({ name: 'm', version: '2' });
  await expect(named()).rejects.toMatchObject({
    status: 400,
    errorCode: 'INVALID_PARAMETER_VALUE',
    message: 'Registered model alias champion not found.',
  });
  await set('1');
  await registeredModels.deleteRegisteredModelAlias({ name: 'm', alias: 'champion' });
  await registeredModels.deleteRegisteredModelAlias({ name: 'm', alias: 'champion' });
  await expect(named()).rejects.toMatchObject({ status: 400 });
  await expect(registeredModels.getModelVersionByAlias({ name: 'nope', alias: 'a' })).rejects.toMatchObject({
    status: 404,
    message: 'Registered Model with name=nope not found',
  });
});

onEveryEngine('an alias has letters, digits, _ and -, up to 255 of them, and is not reserved', async ({ client }) => {
  const { registeredModels } = client;
  await aModel(client, 2);
  const set = (alias: string) => registeredModels.setRegisteredModelAlias({ name: 'm', alias, version: '1' });
  for (const alias of ['v1a', 'ü', '1', '-', 'a'.repeat(255)]) await set(alias);
  await expect(set('a'.repeat(256))).rejects.toThrow(
    "'Registered model alias name' exceeds the maximum length of 255 characters",
  );
  for (const alias of ['a b', 'a.b', 'a/b', 'a\n']) {
    await expect(set(alias)).rejects.toThrow(`Invalid alias name: '${alias}'.`);
  }
  for (const alias of ['latest', 'LATEST']) {
    await expect(set(alias)).rejects.toThrow("'latest' alias name (case insensitive) is reserved.");
    const { model_version } = await registeredModels.getModelVersionByAlias({ name: 'm', alias });
    expect(model_version.version).toBe('2');
  }
  await expect(set('V12')).rejects.toThrow("Version alias name 'V12' is reserved.");
});

onEveryEngine('tags of versions are set and deleted', async ({ client }) => {
  const { modelVersions } = client;
  await aModel(client, 1);
  const at = { name: 'm', version: '1' };
  await modelVersions.setModelVersionTag({ ...at, key: 'k', value: 'v' });
  await modelVersions.setModelVersionTag({ ...at, key: 'k', value: '' });
  expect((await modelVersions.getModelVersion(at)).model_version.tags).toEqual([{ key: 'k', value: '' }]);
  await modelVersions.deleteModelVersionTag({ ...at, key: 'k' });
  await modelVersions.deleteModelVersionTag({ ...at, key: 'k' });
  expect((await modelVersions.getModelVersion(at)).model_version.tags ?? []).toEqual([]);
});
