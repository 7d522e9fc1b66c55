import { expect } from 'vitest';
import { onEveryEngine } from '../server-fixture.ts';

const outcome = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'done',
    (error: unknown) => (error as { errorCode: string }).errorCode,
  );

onEveryEngine('50 versions that are created at once have the numbers 1 to 50', async ({ client }) => {
  await client.registeredModels.createRegisteredModel({ name: 'm' });
  const created = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      client.modelVersions.createModelVersion({ name: 'm', source: `s3://b/${index}` }),
    ),
  );
  const numbers = created.map(({ model_version }) => Number(model_version.version)).sort((a, b) => a - b);
  expect(numbers).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
});

onEveryEngine('of many who create one model, one does', async ({ client }) => {
  const outcomes = await Promise.all(
    Array.from({ length: 10 }, () => outcome(client.registeredModels.createRegisteredModel({ name: 'm' }))),
  );
  expect(outcomes.sort()).toEqual([...Array<string>(9).fill('RESOURCE_ALREADY_EXISTS'), 'done']);
});

onEveryEngine('writers of one alias come one after another', async ({ client }) => {
  const { modelVersions, registeredModels, registryHistory } = client;
  await registeredModels.createRegisteredModel({ name: 'm' });
  for (let index = 0; index < 4; index += 1) await modelVersions.createModelVersion({ name: 'm', source: 's3://b/x' });
  await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      registeredModels.setRegisteredModelAlias({ name: 'm', alias: 'champion', version: String((index % 4) + 1) }),
    ),
  );
  const { model_version } = await registeredModels.getModelVersionByAlias({ name: 'm', alias: 'champion' });
  const { changes = [] } = await registryHistory.listRegistryChanges({ name: 'm', kind: 'ALIAS' });
  expect(changes[0]?.new_value).toBe(model_version.version);
  // Each change begins where the one before it ended.
  for (const [index, change] of changes.entries()) expect(change.old_value).toBe(changes[index + 1]?.new_value);
});

onEveryEngine('an alias never names a version that is deleted at the same time', async ({ client }) => {
  const { modelVersions, registeredModels } = client;
  await registeredModels.createRegisteredModel({ name: 'm' });
  for (let version = 1; version <= 10; version += 1) {
    await modelVersions.createModelVersion({ name: 'm', source: 's3://b/x' });
    const at = { name: 'm', version: String(version) };
    const [aliased, deleted] = await Promise.all([
      outcome(registeredModels.setRegisteredModelAlias({ ...at, alias: 'a' })),
      outcome(modelVersions.deleteModelVersion(at)),
    ]);
    expect(deleted).toBe('done');
    expect(['done', 'RESOURCE_DOES_NOT_EXIST']).toContain(aliased);
    const { registered_model } = await registeredModels.getRegisteredModel({ name: 'm' });
    expect(registered_model.aliases ?? []).toEqual([]);
  }
});

onEveryEngine('a rename and creations of versions and models meet in some order', async ({ client }) => {
  const { modelVersions, registeredModels } = client;
  for (let round = 0; round < 5; round += 1) {
    const [old, next] = [`old${round}`, `new${round}`];
    await registeredModels.createRegisteredModel({ name: old });
    const [renamed, version, model] = await Promise.all([
      outcome(registeredModels.renameRegisteredModel({ name: old, new_name: next })),
      outcome(modelVersions.createModelVersion({ name: old, source: 's3://b/x' })),
      outcome(registeredModels.createRegisteredModel({ name: next })),
    ]);
    expect([renamed, model].sort()).toEqual(['RESOURCE_ALREADY_EXISTS', 'done']);
    expect(['done', 'RESOURCE_DOES_NOT_EXIST']).toContain(version);
    const holder = renamed === 'done' ? next : old;
    const { registered_model } = await registeredModels.getRegisteredModel({ name: holder });
    expect(registered_model.latest_versions?.length ?? 0).toBe(version === 'done' ? 1 : 0);
  }
});

onEveryEngine('a model that is deleted takes no version with it into nowhere', async ({ client }) => {
  const { modelVersions, registeredModels } = client;
  for (let round = 0; round < 5; round += 1) {
    await registeredModels.createRegisteredModel({ name: 'm' });
    const [deleted, created] = await Promise.all([
      outcome(registeredModels.deleteRegisteredModel({ name: 'm' })),
      outcome(modelVersions.createModelVersion({ name: 'm', source: 's3://b/x' })),
    ]);
    expect(deleted).toBe('done');
    expect(['done', 'RESOURCE_DOES_NOT_EXIST']).toContain(created);
    expect((await modelVersions.searchModelVersions({})).model_versions ?? []).toEqual([]);
  }
});
