import { expect } from 'vitest';
import { aModel } from '../logged-models/a-model.ts';
import { onEveryEngine } from '../server-fixture.ts';

onEveryEngine('a version of a logged model has its files and its run, and the model names it', async ({ client }) => {
  const { registeredModels, modelVersions, loggedModels } = client;
  const { model_id, run_id, experiment_id } = await aModel(client);
  const other = await loggedModels.createLoggedModel({ experiment_id });
  const registrationsOf = async () => {
    const { model } = await loggedModels.getLoggedModel({ model_id });
    const { models = [] } = await loggedModels.searchLoggedModels({ experiment_ids: [experiment_id] });
    const found = models.map(({ info }) => [info.model_id, info.registrations]);
    expect(Object.fromEntries(found)).toEqual({
      [model_id]: model.info.registrations,
      [other.model.info.model_id]: undefined,
    });
    return model.info.registrations;
  };
  expect(await registrationsOf()).toBeUndefined();

  const { model } = await loggedModels.getLoggedModel({ model_id });
  for (const name of ['n', 'm']) await registeredModels.createRegisteredModel({ name });
  const create = (name: string, source: string) => modelVersions.createModelVersion({ name, source, model_id });
  const { model_version: version } = await create('n', `models:/${model_id}`);
  expect(version).toMatchObject({ version: '1', source: `models:/${model_id}`, run_id, model_id, status: 'READY' });
  const uri = await modelVersions.getModelVersionDownloadUri({ name: 'n', version: '1' });
  expect(uri).toEqual({ artifact_uri: model.info.artifact_uri });
  expect((await create('n', model.info.artifact_uri)).model_version).toMatchObject({ version: '2', run_id });
  const copy = await modelVersions.createModelVersion({ name: 'm', source: 'models:/n/1' });
  expect(copy.model_version).toMatchObject({ run_id, model_id });
  expect(await registrationsOf()).toEqual([
    { name: 'm', version: '1' },
    { name: 'n', version: '1' },
    { name: 'n', version: '2' },
  ]);

  await modelVersions.deleteModelVersion({ name: 'n', version: '1' });
  await registeredModels.renameRegisteredModel({ name: 'm', new_name: 'o' });
  expect(await registrationsOf()).toEqual([
    { name: 'n', version: '2' },
    { name: 'o', version: '1' },
  ]);
});

onEveryEngine('a logged model that is deleted or is another one makes no version', async ({ client }) => {
  const { registeredModels, modelVersions, loggedModels } = client;
  const { model_id } = await aModel(client);
  const another = await aModel(client);
  await registeredModels.createRegisteredModel({ name: 'm' });
  const create = (id: string) =>
    modelVersions.createModelVersion({ name: 'm', source: `models:/${model_id}`, model_id: id });
  await expect(create(another.model_id)).rejects.toMatchObject({
    status: 400,
    message: `Invalid model version source: 'models:/${model_id}'. The model_id request parameter must identify the resource that contains the source.`,
  });
  await loggedModels.deleteLoggedModel({ model_id });
  await expect(create(model_id)).rejects.toMatchObject({
    status: 404,
    message: `Logged model with ID '${model_id}' not found.`,
  });
});
