import { expect } from 'vitest';
import type { Client } from '@lazuli/client';
import { onEveryEngine } from '../server-fixture.ts';

const prompt = { key: 'mlflow.prompt.is_prompt', value: 'true' };

async function fill({ registeredModels, modelVersions }: Client): Promise<void> {
  for (const name of ['s1', 's2', 'S3', 's_4']) {
    await registeredModels.createRegisteredModel({ name, tags: [{ key: 'team', value: name.toUpperCase() }] });
  }
  await registeredModels.createRegisteredModel({ name: 'p', tags: [prompt] });
  await modelVersions.createModelVersion({ name: 'p', source: 'dummy-source', tags: [prompt] });
  for (const name of ['s1', 's2']) {
    for (const index of [0, 1]) {
      await modelVersions.createModelVersion({
        name,
        source: `s3://b/${name}${index}`,
        run_id: `r${index}`,
        tags: [{ key: 'i', value: String(index) }],
      });
    }
  }
}

onEveryEngine('registered models are searched by name and tags', async ({ client }) => {
  await fill(client);
  const search = async (filter?: string, order_by: string[] = []) => {
    const { registered_models = [] } = await client.registeredModels.searchRegisteredModels({
      ...(filter !== undefined && { filter }),
      order_by,
    });
    return registered_models.map(({ name }) => name);
  };
  expect(await search()).toEqual(['S3', 's1', 's2', 's_4']);
  for (const [filter, names] of [
    ["name = 's1'", ['s1']],
    ["name != 's1'", ['S3', 's2', 's_4']],
    ["name LIKE 's%'", ['s1', 's2', 's_4']],
    ["name ILIKE 's%'", ['S3', 's1', 's2', 's_4']],
    ["name IN ('s1', 's2')", ['s1', 's2']],
    ["tags.team = 'S1'", ['s1']],
    ["tag.team != 'S1'", ['S3', 's2', 's_4']],
    ["tags.team ILIKE 's_'", ['S3', 's1', 's2']],
    ["tags.team = 'S1' AND name = 's2'", []],
    ["tags.`mlflow.prompt.is_prompt` = 'true'", ['p']],
    ["tags.`mlflow.prompt.is_prompt` LIKE 't%'", ['p']],
    ["tags.`mlflow.prompt.is_prompt` != 'true'", ['S3', 's1', 's2', 's_4']],
    ["tags.`mlflow.prompt.is_prompt` = 'false'", ['S3', 's1', 's2', 's_4']],
    ['tags.other IS NULL', ['S3', 's1', 's2', 's_4']],
    ["tags.x = 'mlflow.prompt.is_prompt'", []],
  ] as const) {
    expect(await search(filter), filter).toEqual(names);
  }
  expect(await search("name LIKE 's_'", ['name DESC'])).toEqual(['s2', 's1']);
  expect(await search("name LIKE 's_'", ['timestamp ASC'])).toEqual(['s1', 's2']);
  expect(await search("name LIKE 's_'", ['last_updated_timestamp DESC'])).toEqual(['s2', 's1']);
  const wrong: readonly (readonly [string, string[], string])[] = [
    ["name > 's'", [], 'Invalid comparator for attribute'],
    ['name = 1', [], 'Expected a quoted string value or a list of quoted string values for attributes. Got value 1'],
    ["bogus = 'x'", [], "Invalid attribute key 'bogus' specified."],
    ["foo.x = 'y'", [], "Invalid entity type 'foo'. Valid entity types are ('attribute', 'tag', 'tags')"],
    ['tags.team = 1', [], "Expected a quoted string value for tag (e.g. 'my-value'). Got value 1"],
    ["name = 's1'", ['bogus'], "'bogus' specified"],
    ["name = 's1'", ['tags.team'], 'Invalid order_by entity: tag'],
    ["name = 's1'", ['name', 'name'], '`order_by` contains duplicate fields'],
  ];
  for (const [filter, order, message] of wrong) {
    await expect(search(filter, order), filter).rejects.toMatchObject({
      status: 400,
      errorCode: 'INVALID_PARAMETER_VALUE',
      message: expect.stringContaining(message) as string,
    });
  }
});

onEveryEngine('versions are searched by name, number, run, source and tags', async ({ client }) => {
  await fill(client);
  const search = async (filter?: string, order_by: string[] = []) => {
    const { model_versions = [] } = await client.modelVersions.searchModelVersions({
      ...(filter !== undefined && { filter }),
      order_by,
    });
    return model_versions.map(({ name, version }) => `${name}/${version}`);
  };
  const order = ['name', 'version_number DESC'];
  expect(await search(undefined, order)).toEqual(['s1/2', 's1/1', 's2/2', 's2/1']);
  for (const [filter, found] of [
    ["name = 's1'", ['s1/2', 's1/1']],
    ["name IN ('s1', 'x')", ['s1/2', 's1/1']],
    ['version_number = 1', ['s1/1', 's2/1']],
    ["version_number >= 2 AND name = 's1'", ['s1/2']],
    ["run_id = 'r0'", ['s1/1', 's2/1']],
    ["run_id IN ('r0', 'r1')", ['s1/2', 's1/1', 's2/2', 's2/1']],
    ["source_path = 's3://b/s10'", ['s1/1']],
    ["source_path LIKE '%1'", ['s1/2', 's2/2']],
    ["tags.i = '0'", ['s1/1', 's2/1']],
    ["tags.i != '0'", ['s1/2', 's2/2']],
    ["tags.`mlflow.prompt.is_prompt` = 'true'", ['p/1']],
  ] as const) {
    expect(await search(filter, order), filter).toEqual(found);
  }
  await expect(search("current_stage = 'None'")).rejects.toThrow("Invalid attribute key 'current_stage' specified.");
  await expect(search(undefined, ['run_id', 'run_id'])).rejects.toMatchObject({ status: 400 });
  await client.modelVersions.updateModelVersion({ name: 's1', version: '1', description: 'last' });
  expect((await search())[0]).toBe('s1/1');
});

onEveryEngine('pages end where there is no more, and their size is bounded', async ({ client }) => {
  await fill(client);
  const { registeredModels, modelVersions } = client;
  const first = await registeredModels.searchRegisteredModels({ max_results: 3 });
  expect(first.registered_models?.map(({ name }) => name)).toEqual(['S3', 's1', 's2']);
  await registeredModels.createRegisteredModel({ name: 'A' });
  const page_token = first.next_page_token ?? '';
  const second = await registeredModels.searchRegisteredModels({ max_results: 3, page_token });
  expect(second.registered_models?.map(({ name }) => name)).toEqual(['s_4']);
  expect(second).not.toHaveProperty('next_page_token');
  await expect(registeredModels.searchRegisteredModels({ filter: "name = 'x'", page_token })).rejects.toMatchObject({
    status: 400,
  });
  const versions = await modelVersions.searchModelVersions({ max_results: 2, order_by: ['name'] });
  const rest = await modelVersions.searchModelVersions({
    max_results: 2,
    order_by: ['name'],
    page_token: versions.next_page_token ?? '',
  });
  expect([...(versions.model_versions ?? []), ...(rest.model_versions ?? [])]).toHaveLength(4);
  expect(rest).not.toHaveProperty('next_page_token');
  await registeredModels.searchRegisteredModels({ max_results: 1000 });
  await modelVersions.searchModelVersions({ max_results: 200_000 });
  for (const call of [
    () => registeredModels.searchRegisteredModels({ max_results: 1001 }),
    () => registeredModels.searchRegisteredModels({ max_results: 0 }),
    () => registeredModels.searchRegisteredModels({ page_token: 'abc' }),
    () => modelVersions.searchModelVersions({ max_results: 200_001 }),
    () => modelVersions.searchModelVersions({ max_results: -1 }),
  ]) {
    await expect(call()).rejects.toMatchObject({ status: 400, errorCode: 'INVALID_PARAMETER_VALUE' });
  }
});
