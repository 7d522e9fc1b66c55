import { expect } from 'vitest';
import { onEveryEngine } from '../server-fixture.ts';

const invalid = (message: string) => ({ status: 400, errorCode: 'INVALID_PARAMETER_VALUE', message });

onEveryEngine('a registered model is created, found, described and deleted', async ({ client }) => {
  const { registeredModels } = client;
  const tags = [
    { key: 'a', value: '1' },
    { key: 'b', value: '' },
  ];
  const { registered_model } = await registeredModels.createRegisteredModel({ name: 'm', tags, description: 'd' });
  expect(registered_model).toMatchObject({ name: 'm', description: 'd', tags, user_id: 'anonymous' });
  expect(registered_model.last_updated_timestamp).toBe(registered_model.creation_timestamp);
  expect((await registeredModels.getRegisteredModel({ name: 'm' })).registered_model).toEqual(registered_model);
  const described = await registeredModels.updateRegisteredModel({ name: 'm', description: 'e' });
  expect(described.registered_model.description).toBe('e');
  const bare = await registeredModels.updateRegisteredModel({ name: 'm' });
  expect(bare.registered_model).not.toHaveProperty('description');
  await registeredModels.deleteRegisteredModel({ name: 'm' });
  const gone = { status: 404, errorCode: 'RESOURCE_DOES_NOT_EXIST', message: 'Registered Model with name=m not found' };
  await expect(registeredModels.getRegisteredModel({ name: 'm' })).rejects.toMatchObject(gone);
  await expect(registeredModels.deleteRegisteredModel({ name: 'm' })).rejects.toMatchObject(gone);
  await expect(registeredModels.updateRegisteredModel({ name: 'm' })).rejects.toMatchObject(gone);
});

onEveryEngine('names are unique, and a prompt and a model do not share one', async ({ client }) => {
  const create = (name: string, isPrompt = 'false') =>
    client.registeredModels.createRegisteredModel({
      name,
      tags: [{ key: 'mlflow.prompt.is_prompt', value: isPrompt }],
    });
  await create('m');
  await create('M');
  await create('p', 'true');
  const taken = { status: 400, errorCode: 'RESOURCE_ALREADY_EXISTS' };
  await expect(create('m')).rejects.toMatchObject({ ...taken, message: 'Registered Model (name=m) already exists.' });
  await expect(create('p', 'true')).rejects.toMatchObject({ ...taken, message: 'Prompt (name=p) already exists.' });
  await expect(create('p')).rejects.toMatchObject({
    ...taken,
    message: expect.stringContaining(
      "Tried to create a registered model with name 'p', but the name is already taken by a prompt.",
    ) as string,
  });
  await expect(create('m', 'true')).rejects.toMatchObject({
    ...taken,
    message: expect.stringContaining(
      "Tried to create a prompt with name 'm', but the name is already taken by a registered model.",
    ) as string,
  });
});

onEveryEngine('a name is no path, and no encoded one', async ({ client }) => {
  const create = (name: string) => client.registeredModels.createRegisteredModel({ name });
  for (const name of ['a b#ü', '50% off', 'a'.repeat(256), '%', 'a.b']) await create(name);
  for (const name of ['a/b', 'a:b']) {
    await expect(create(name)).rejects.toMatchObject(
      invalid(`Invalid model name '${name}'. Names cannot contain '/' or ':'.`),
    );
  }
  for (const name of ['a%2Fb', 'a%252fb', '%2e%2e', 'a%3ab', 'a%00b']) {
    await expect(create(name)).rejects.toMatchObject({ status: 400, errorCode: 'INVALID_PARAMETER_VALUE' });
  }
  for (const name of ['.', '..']) {
    await expect(create(name)).rejects.toThrow(`This name would resolve to '${name}'`);
  }
  await expect(create(' ')).rejects.toMatchObject(invalid("Missing value for required parameter 'name'."));
  await expect(create('a'.repeat(257))).rejects.toMatchObject(
    invalid("'name' exceeds the maximum length of 256 characters"),
  );
});

onEveryEngine('a renamed model keeps its versions, tags and aliases', async ({ client }) => {
  const { registeredModels, modelVersions } = client;
  await registeredModels.createRegisteredModel({ name: 'old', tags: [{ key: 'k', value: 'v' }] });
  await modelVersions.createModelVersion({ name: 'old', source: 's3://b/x', tags: [{ key: 't', value: 'u' }] });
  await registeredModels.setRegisteredModelAlias({ name: 'old', alias: 'champion', version: '1' });
  const { registered_model } = await registeredModels.renameRegisteredModel({ name: 'old', new_name: 'new' });
  expect(registered_model).toMatchObject({
    name: 'new',
    tags: [{ key: 'k', value: 'v' }],
    aliases: [{ alias: 'champion', version: '1' }],
    latest_versions: [{ name: 'new', version: '1', tags: [{ key: 't', value: 'u' }] }],
  });
  const { model_version } = await registeredModels.getModelVersionByAlias({ name: 'new', alias: 'champion' });
  expect(model_version).toMatchObject({ name: 'new', version: '1', aliases: ['champion'] });
  await expect(registeredModels.getRegisteredModel({ name: 'old' })).rejects.toMatchObject({ status: 404 });
  await registeredModels.renameRegisteredModel({ name: 'new', new_name: 'new' });
  await registeredModels.createRegisteredModel({ name: 'old' });
  await expect(registeredModels.renameRegisteredModel({ name: 'old', new_name: 'new' })).rejects.toMatchObject({
    errorCode: 'RESOURCE_ALREADY_EXISTS',
    message: 'Registered Model (name=new) already exists.',
  });
  await expect(registeredModels.renameRegisteredModel({ name: 'old', new_name: 'a/b' })).rejects.toMatchObject({
    errorCode: 'INVALID_PARAMETER_VALUE',
  });
  await expect(registeredModels.renameRegisteredModel({ name: 'nope', new_name: 'x' })).rejects.toMatchObject({
    status: 404,
  });
});

onEveryEngine('tags are set and deleted, also those that are not there', async ({ client }) => {
  const { registeredModels } = client;
  await registeredModels.createRegisteredModel({ name: 'm' });
  await registeredModels.setRegisteredModelTag({ name: 'm', key: 'k', value: 'v' });
  await registeredModels.setRegisteredModelTag({ name: 'm', key: 'k', value: 'w' });
  await registeredModels.setRegisteredModelTag({ name: 'm', key: 'e' });
  const tags = async () => (await registeredModels.getRegisteredModel({ name: 'm' })).registered_model.tags;
  expect(await tags()).toEqual([
    { key: 'e', value: '' },
    { key: 'k', value: 'w' },
  ]);
  await registeredModels.deleteRegisteredModelTag({ name: 'm', key: 'k' });
  await registeredModels.deleteRegisteredModelTag({ name: 'm', key: 'k' });
  expect(await tags()).toEqual([{ key: 'e', value: '' }]);
  await expect(registeredModels.deleteRegisteredModelTag({ name: 'nope', key: 'k' })).rejects.toMatchObject({
    status: 404,
  });
});

onEveryEngine('keys have 250 and values 100000 characters at most', async ({ client }) => {
  const { registeredModels } = client;
  await registeredModels.createRegisteredModel({ name: 'm' });
  const set = (key: string, value: string) => registeredModels.setRegisteredModelTag({ name: 'm', key, value });
  await set('k'.repeat(250), '😀'.repeat(100_000));
  await expect(set('k'.repeat(251), '')).rejects.toMatchObject(
    invalid("'key' exceeds the maximum length of 250 characters"),
  );
  await expect(set('k', 'v'.repeat(100_001))).rejects.toMatchObject(
    invalid("'value' exceeds the maximum length of 100000 characters"),
  );
  await expect(set('a$', 'v')).rejects.toThrow('Names may only contain alphanumerics');
  await expect(set('../a', 'v')).rejects.toThrow("This name would resolve to '../a'");
});

onEveryEngine('a DELETE is read from its body', async ({ client, request }) => {
  await client.registeredModels.createRegisteredModel({ name: 'm' });
  const path = '/api/2.0/mlflow/registered-models/delete';
  expect(await request('DELETE', `${path}?name=m`)).toMatchObject({
    status: 400,
    json: { message: expect.stringContaining("Missing value for required parameter 'name'") as string },
  });
  expect(await request('DELETE', `/ajax-api/2.0/mlflow/registered-models/delete`, { name: 'm' })).toMatchObject({
    status: 200,
    text: '{}',
  });
});

onEveryEngine('models of one workspace are unknown in another', async ({ client, clientFor }) => {
  await client.workspaces.createWorkspace({ name: 'other' });
  const other = clientFor({ workspace: 'other' });
  await client.registeredModels.createRegisteredModel({ name: 'm' });
  await expect(other.registeredModels.getRegisteredModel({ name: 'm' })).rejects.toMatchObject({ status: 404 });
  await other.registeredModels.createRegisteredModel({ name: 'm' });
  await other.modelVersions.createModelVersion({ name: 'm', source: 's3://b/x' });
  expect((await client.modelVersions.searchModelVersions({})).model_versions ?? []).toEqual([]);
  await other.registeredModels.setRegisteredModelAlias({ name: 'm', alias: 'a', version: '1' });
  await client.workspaces.deleteWorkspace({ workspace_name: 'other', mode: 'CASCADE' });
  await client.registeredModels.getRegisteredModel({ name: 'm' });
});
