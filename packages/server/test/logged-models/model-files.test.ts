import { expect } from 'vitest';
import { onEveryEngine } from '../server-fixture.ts';
import { aModel } from './a-model.ts';

onEveryEngine('the files of a model are listed and downloaded; others are not reached', async ({ client, request }) => {
  const { model_id, experiment_id } = await aModel(client);
  const root_uri = (await client.loggedModels.getLoggedModel({ model_id })).model.info.artifact_uri;
  const list = (path?: string) =>
    client.loggedModels.listLoggedModelArtifacts({
      model_id,
      ...(path === undefined ? {} : { artifact_directory_path: path }),
    });
  expect(await list()).toEqual({ root_uri });
  const folder = `/api/2.0/mlflow-artifacts/artifacts/${experiment_id}/models/${model_id}/artifacts`;
  expect((await request('PUT', `${folder}/d/ML%20model`, 'flavors: {}')).status).toBe(200);
  expect((await request('PUT', `${folder}/secret/../../x`, 'x')).status).not.toBe(500);
  expect(await list()).toEqual({ root_uri, files: [{ path: 'd', is_dir: true }] });
  expect(await list('d')).toEqual({ root_uri, files: [{ path: 'd/ML model', is_dir: false, file_size: 11 }] });
  await expect(list('../x')).rejects.toMatchObject({ errorCode: 'INVALID_PARAMETER_VALUE' });

  const files = `/ajax-api/2.0/mlflow/logged-models/${model_id}/artifacts/files`;
  const download = (path: string, headers = {}) =>
    request('GET', `${files}?artifact_file_path=${encodeURIComponent(path)}`, undefined, headers);
  const file = await download('d/ML model');
  expect([file.status, file.text]).toEqual([200, 'flavors: {}']);
  expect(file.headers['content-disposition']).toContain('attachment');
  const part = await download('d/ML model', { range: 'bytes=0-3' });
  expect([part.status, part.text]).toEqual([206, 'flav']);
  expect((await request('GET', files)).json).toMatchObject({
    error_code: 'BAD_REQUEST',
    message: 'Request must include the "artifact_file_path" query parameter.',
  });
  for (const [path, status] of [
    ['../d', 400],
    ['d', 400],
    ['zz', 404],
    ['/etc/passwd', 400],
  ] as const) {
    expect([path, (await download(path)).status]).toEqual([path, status]);
  }
  await client.loggedModels.deleteLoggedModel({ model_id });
  expect((await download('d/ML model')).json).toMatchObject({ error_code: 'RESOURCE_DOES_NOT_EXIST' });
  expect(
    (await request('GET', '/ajax-api/2.0/mlflow/logged-models/m-x/artifacts/files?artifact_file_path=a')).status,
  ).toBe(404);
});

onEveryEngine(
  'a model that is READY without files lists none, and becomes a version all the same',
  async ({ client }) => {
    const { model_id } = await aModel(client);
    await client.loggedModels.finalizeLoggedModel({ model_id, status: 'LOGGED_MODEL_READY' });
    const { info } = (await client.loggedModels.getLoggedModel({ model_id })).model;
    expect(info.status).toBe('LOGGED_MODEL_READY');
    expect(await client.loggedModels.listLoggedModelArtifacts({ model_id })).toEqual({ root_uri: info.artifact_uri });
    await client.registeredModels.createRegisteredModel({ name: 'empty' });
    const { model_version } = await client.modelVersions.createModelVersion({
      ...{ name: 'empty', source: `models:/${model_id}`, model_id },
    });
    expect(model_version).toMatchObject({ version: '1', status: 'READY' });
  },
);
