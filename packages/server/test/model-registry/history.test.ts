import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'vitest';
import { onEveryEngine } from '../server-fixture.ts';

onEveryEngine('every change is told with who did it, when, and what was before', async ({ client }) => {
  const { modelVersions, registeredModels, registryHistory } = client;
  await registeredModels.createRegisteredModel({ name: 'm', description: 'd', tags: [{ key: 'k', value: 'v' }] });
  await registeredModels.setRegisteredModelTag({ name: 'm', key: 'k', value: 'w' });
  await registeredModels.setRegisteredModelTag({ name: 'm', key: 'k', value: 'w' });
  await registeredModels.deleteRegisteredModelTag({ name: 'm', key: 'k' });
  await registeredModels.updateRegisteredModel({ name: 'm' });
  await modelVersions.createModelVersion({ name: 'm', source: 's3://b/x' });
  await modelVersions.createModelVersion({ name: 'm', source: 's3://b/x' });
  for (const version of ['1', '2']) {
    await modelVersions.transitionModelVersionStage({
      name: 'm',
      version,
      stage: 'Production',
      archive_existing_versions: true,
    });
  }
  await modelVersions.setModelVersionTag({ name: 'm', version: '1', key: 't', value: 'u' });
  await registeredModels.setRegisteredModelAlias({ name: 'm', alias: 'a', version: '2' });
  await registeredModels.renameRegisteredModel({ name: 'm', new_name: 'n' });
  await modelVersions.deleteModelVersion({ name: 'n', version: '2' });
  await registeredModels.deleteRegisteredModel({ name: 'n' });
  const { changes = [] } = await registryHistory.listRegistryChanges({ name: 'n' });
  const told = changes
    .map(({ kind, name, version, key, old_value, new_value }) =>
      [kind, name, version ?? '', key ?? '', old_value ?? '', new_value ?? ''].join(' '),
    )
    .reverse();
  expect(told).toEqual([
    'MODEL_CREATED m    m',
    'DESCRIPTION m    d',
    'TAG m  k  v',
    'TAG m  k v w',
    'TAG m  k w ',
    'DESCRIPTION m   d ',
    'VERSION_CREATED m 1   None',
    'VERSION_CREATED m 2   None',
    'STAGE m 1  None Production',
    'STAGE m 1  Production Archived',
    'STAGE m 2  None Production',
    'TAG m 1 t  u',
    'ALIAS m 2 a  2',
    'MODEL_RENAMED n   m n',
    'ALIAS n 2 a 2 ',
    'VERSION_DELETED n 2  Production ',
    'VERSION_DELETED n 1  Archived ',
    'MODEL_DELETED n   n ',
  ]);
  expect(changes.every(({ principal, timestamp }) => principal === 'anonymous' && Number(timestamp) > 0)).toBe(true);
});

onEveryEngine('what an alias named, or which versions were in a stage, at a time is one call', async ({ client }) => {
  const { modelVersions, registeredModels, registryHistory } = client;
  const times: number[] = [];
  const mark = async (): Promise<void> => {
    await wait(5);
    times.push(Date.now());
    await wait(5);
  };
  await registeredModels.createRegisteredModel({ name: 'm' });
  for (let index = 0; index < 2; index += 1) await modelVersions.createModelVersion({ name: 'm', source: 's3://b/x' });
  await mark();
  for (const version of ['1', '2']) {
    await registeredModels.setRegisteredModelAlias({ name: 'm', alias: 'champion', version });
    await modelVersions.transitionModelVersionStage({ name: 'm', version, stage: 'Staging' });
    await mark();
  }
  await modelVersions.deleteModelVersion({ name: 'm', version: '2' });
  await mark();
  await registeredModels.renameRegisteredModel({ name: 'm', new_name: 'n' });
  await registeredModels.createRegisteredModel({ name: 'm' });
  await mark();
  const at = async (asked: { alias?: string; stage?: string }, name: string, time?: number) => {
    const { assignments = [] } = await registryHistory.getRegistryAssignments({
      name,
      ...asked,
      ...(time !== undefined && { timestamp: time }),
    });
    return assignments.map(({ version }) => version);
  };
  const alias = { alias: 'champion' };
  expect(await at(alias, 'm', times[0])).toEqual([]);
  expect(await at(alias, 'm', times[1])).toEqual(['1']);
  expect(await at(alias, 'm', times[2])).toEqual(['2']);
  expect(await at(alias, 'm', times[3])).toEqual([]);
  expect(await at(alias, 'n', times[1])).toEqual(['1']);
  expect(await at(alias, 'm')).toEqual([]);
  expect(await at({ stage: 'none' }, 'm', times[0])).toEqual(['1', '2']);
  expect(await at({ stage: 'Staging' }, 'm', times[1])).toEqual(['1']);
  expect(await at({ stage: 'Staging' }, 'm', times[2])).toEqual(['1', '2']);
  expect(await at({ stage: 'Staging' }, 'n')).toEqual(['1']);
  await registeredModels.deleteRegisteredModel({ name: 'n' });
  expect(await at({ stage: 'Staging' }, 'n')).toEqual([]);
  expect(await at({ stage: 'Staging' }, 'n', times[4])).toEqual(['1']);
});

onEveryEngine('the time of an assignment may be said as a date or a moment', async ({ client }) => {
  const { modelVersions, registeredModels, registryHistory } = client;
  await registeredModels.createRegisteredModel({ name: 'm' });
  await modelVersions.createModelVersion({ name: 'm', source: 's3://b/x' });
  await registeredModels.setRegisteredModelAlias({ name: 'm', alias: 'champion', version: '1' });
  const ask = (time: { at?: string; timestamp?: number }) =>
    registryHistory.getRegistryAssignments({ name: 'm', alias: 'champion', ...time });
  const { assignments = [] } = await ask({});
  const since = Number(assignments[0]?.since);
  const moment = (time: number) => new Date(time).toISOString();
  for (const at of [moment(since), moment(since + 3_600_000).replace('Z', '+01:00'), moment(since + 86_400_000)]) {
    expect((await ask({ at })).assignments).toEqual(assignments);
  }
  for (const at of [moment(since - 1), moment(since).slice(0, 10), '2020-01-01']) {
    expect((await ask({ at })).assignments).toBeUndefined();
  }
  await expect(ask({ at: '2026-02-30' })).rejects.toMatchObject({
    status: 400,
    message: expect.stringContaining("'2026-02-30'") as string,
  });
  await expect(ask({ at: moment(since), timestamp: since })).rejects.toMatchObject({ status: 400 });
});

onEveryEngine('the trail comes in pages and by kind, version and key', async ({ client }) => {
  const { modelVersions, registeredModels, registryHistory } = client;
  await registeredModels.createRegisteredModel({ name: 'm' });
  await modelVersions.createModelVersion({ name: 'm', source: 's3://b/x' });
  for (const value of ['1', '2', '3']) await registeredModels.setRegisteredModelTag({ name: 'm', key: 'k', value });
  const list = registryHistory.listRegistryChanges;
  const first = await list({ name: 'm', max_results: 3 });
  expect(first.changes?.map(({ new_value }) => new_value)).toEqual(['3', '2', '1']);
  const second = await list({ name: 'm', max_results: 3, page_token: first.next_page_token ?? '' });
  expect(second.changes?.map(({ kind }) => kind)).toEqual(['VERSION_CREATED', 'MODEL_CREATED']);
  expect(second).not.toHaveProperty('next_page_token');
  expect((await list({ name: 'm', version: '1' })).changes).toHaveLength(1);
  expect((await list({ name: 'm', kind: 'TAG', key: 'k' })).changes).toHaveLength(3);
  await expect(list({ name: 'm', max_results: 1001 })).rejects.toMatchObject({ status: 400 });
  await expect(list({ name: 'm', page_token: 'x' })).rejects.toMatchObject({ status: 400 });
  await expect(list({ name: 'nope' })).rejects.toMatchObject({ status: 404 });
  await expect(registryHistory.getRegistryAssignments({ name: 'm' })).rejects.toMatchObject({ status: 400 });
});

onEveryEngine('a model that was made anew under the name of a deleted one has its own trail', async ({ client }) => {
  const { registeredModels, registryHistory } = client;
  await registeredModels.createRegisteredModel({ name: 'm' });
  await registeredModels.deleteRegisteredModel({ name: 'm' });
  await registeredModels.createRegisteredModel({ name: 'm' });
  const { changes = [] } = await registryHistory.listRegistryChanges({ name: 'm' });
  expect(changes.map(({ kind }) => kind)).toEqual(['MODEL_CREATED']);
});
