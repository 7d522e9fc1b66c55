import { MlflowError } from '@lazuli/contract';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { searchExperimentIds, type ExperimentQuery } from '../../src/search/search-experiments.ts';
import { openTestEngine } from '../engine-fixture.ts';

describe('a search of experiments', () => {
  let engine: Awaited<ReturnType<typeof openTestEngine>>;
  const everything: ExperimentQuery = { workspaceId: 1, viewType: 'ACTIVE_ONLY', maxResults: 100, orderBy: [] };

  beforeAll(async () => {
    engine = await openTestEngine();
    await engine.transaction(async ({ db }) => {
      await sql`insert into workspaces
        (workspace_id, guid, subscription_id, resource_group, name, region, next_experiment_id, creation_time)
        values (1, 'g1', 's', 'g', 'one', 'r', 10, 0), (2, 'g2', 's', 'g', 'two', 'r', 10, 0)`.execute(db);
      await sql`insert into experiments values
        (1, 0, 'Default', '', 'active', 100, 900),
        (1, 1, 'Apple', '', 'active', 200, 300),
        (1, 2, 'apple', '', 'active', 200, 500),
        (1, 3, 'ba_n', '', 'active', 300, 300),
        (1, 4, 'gone', '', 'deleted', 400, 400),
        (1, 5, 'É', '', 'active', 300, 300),
        (2, 1, 'Apple', '', 'active', 200, 200)`.execute(db);
      await sql`insert into experiment_tags
        values (1, 1, 'a', '1'), (1, 2, 'a', '2'), (1, 3, 'a b', ''), (2, 1, 'a', '1')`.execute(db);
    });
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  const search = async (query: Partial<ExperimentQuery>) =>
    (await searchExperimentIds(engine.db, { ...everything, ...query })).keys;

  test.each([
    ['', [3, 5, 1, 2, 0]],
    ["name = 'Apple'", [1]],
    ["name != 'Apple'", [3, 5, 2, 0]],
    ["attribute.name LIKE 'a%'", [2]],
    ["name ilike 'A%'", [1, 2]],
    ["name LIKE 'ba\\_n'", []],
    ['name IN (\'Apple\', "É")', [5, 1]],
    ["experiment_id = '1'", [1]],
    ["experiment_id IN ('1', '3', 'x')", [3, 1]],
    ["experiment_id NOT IN ('1', '3')", [5, 2, 0]],
    ["experiment_id != 'x'", [3, 5, 1, 2, 0]],
    ["tags.a = '1'", [1]],
    ["tag.a != '1'", [2]],
    ['tags.a IS NULL', [3, 5, 0]],
    ['tags.`a b` is not null', [3]],
    ['creation_time > 200.5', [3, 5]],
    ['last_update_time <= 300', [3, 5, 1]],
    ["NOT tags.a = '1'", [3, 5, 2, 0]],
    ["tags.a = '1' OR (name = 'É' AND creation_time = 300)", [5, 1]],
  ])('by the filter %s finds %j', async (filter, ids) => {
    expect(await search({ filter })).toEqual(ids);
  });

  test.each<[ExperimentQuery['viewType'], number[]]>([
    ['ACTIVE_ONLY', [3, 5, 1, 2, 0]],
    ['DELETED_ONLY', [4]],
    ['ALL', [4, 3, 5, 1, 2, 0]],
  ])('in the view %s finds %j, the newest first', async (viewType, ids) => {
    expect(await search({ viewType })).toEqual(ids);
  });

  test.each<[string[], number[]]>([
    [['name'], [1, 0, 2, 3, 5]],
    [['name DESC'], [5, 3, 2, 0, 1]],
    [['creation_time'], [0, 2, 1, 5, 3]],
    [
      ['creation_time', 'name'],
      [0, 1, 2, 3, 5],
    ],
    [
      ['last_update_time DESC', 'experiment_id'],
      [0, 2, 1, 3, 5],
    ],
    [['experiment_id DESC'], [5, 3, 2, 1, 0]],
    [
      ['name', 'name DESC'],
      [1, 0, 2, 3, 5],
    ],
  ])('in the order %j finds %j', async (orderBy, ids) => {
    expect(await search({ orderBy })).toEqual(ids);
  });

  test.each([
    ['tags.a', 'Invalid order_by entity: tag'],
    ['attributes.name', "Invalid entity type 'attributes'"],
    ['bogus', "Invalid attribute key 'bogus' specified"],
  ])('refuses the order %s', async (clause, words) => {
    await expect(search({ orderBy: [clause] })).rejects.toThrow(words);
  });

  test('page by page finds each once, in every order', async () => {
    for (const orderBy of [[], ['name'], ['creation_time DESC'], ['last_update_time', 'name DESC']]) {
      const ids: number[] = [];
      let pageToken: string | undefined;
      do {
        const page = await searchExperimentIds(engine.db, {
          ...everything,
          orderBy,
          maxResults: 2,
          pageToken,
        });
        ids.push(...page.keys);
        pageToken = page.nextPageToken;
      } while (pageToken !== undefined);
      expect(ids).toEqual(await search({ orderBy }));
    }
  });

  test('a page token of another search is refused', async () => {
    const { nextPageToken } = await searchExperimentIds(engine.db, {
      ...everything,
      maxResults: 1,
    });
    await expect(search({ filter: "name != 'x'", pageToken: nextPageToken })).rejects.toBeInstanceOf(MlflowError);
  });
});
