import { expect, test } from 'vitest';
import { aRun, onEveryEngine, startServer } from './server-fixture.ts';

const changed = (run_id: string, key: string, old: string, value: string) => ({
  status: 400,
  errorCode: 'INVALID_PARAMETER_VALUE',
  message: `Changing param values is not allowed. Param with key='${key}' was already logged with value='${old}' for run ID='${run_id}'. Attempted logging new value '${value}'.`,
});

onEveryEngine('a param is written once: the same value again is fine, another is refused', async ({ client }) => {
  const { run_id } = await aRun(client);
  await client.runs.logParam({ run_id, key: 'lr', value: '1' });
  await client.runs.logParam({ run_id, key: 'lr', value: '1' });
  await expect(client.runs.logParam({ run_id, key: 'lr', value: '2' })).rejects.toMatchObject(
    changed(run_id, 'lr', '1', '2'),
  );
  expect((await client.runs.getRun({ run_id })).run.data.params).toEqual([{ key: 'lr', value: '1' }]);
});

onEveryEngine(
  'of two clients that log different values at once, exactly one is accepted',
  async ({ client, clientFor }) => {
    const other = clientFor({});
    for (let round = 0; round < 10; round++) {
      const { run_id } = await aRun(client);
      const outcomes = await Promise.allSettled([
        client.runs.logParam({ run_id, key: 'lr', value: '1' }),
        other.runs.logBatch({ run_id, params: [{ key: 'lr', value: '2' }] }),
        client.runs.logParam({ run_id, key: 'lr', value: '3' }),
      ]);
      const accepted = outcomes.flatMap(({ status }, index) => (status === 'fulfilled' ? [String(index + 1)] : []));
      expect(accepted).toHaveLength(1);
      expect((await client.runs.getRun({ run_id })).run.data.params).toEqual([{ key: 'lr', value: accepted[0] }]);
    }
  },
);

onEveryEngine('of many that log the same value at once, all are accepted', async ({ client }) => {
  const { run_id } = await aRun(client);
  await Promise.all(Array.from({ length: 20 }, () => client.runs.logParam({ run_id, key: 'lr', value: '1' })));
  expect((await client.runs.getRun({ run_id })).run.data.params).toEqual([{ key: 'lr', value: '1' }]);
});

onEveryEngine('a param may be empty, and so it is without a value', async ({ client, request }) => {
  const { run_id } = await aRun(client);
  await client.runs.logParam({ run_id, key: 'empty', value: '' });
  await client.runs.logParam({ run_id, key: 'bare' });
  await request('POST', '/api/2.0/mlflow/runs/log-parameter', { run_id, key: 'null', value: null });
  const { params = [] } = (await client.runs.getRun({ run_id })).run.data;
  expect(Object.fromEntries(params.map(({ key, value }) => [key, value]))).toEqual({ empty: '', bare: '', null: '' });
});

onEveryEngine(
  'a long value is cut to 6000 characters, and what is the same until there is the same',
  async ({ client }) => {
    const { run_id } = await aRun(client);
    const first = '😀'.repeat(6_000);
    await client.runs.logParam({ run_id, key: 'long', value: `${first}x` });
    await client.runs.logParam({ run_id, key: 'long', value: `${first}y` });
    await expect(client.runs.logParam({ run_id, key: 'long', value: `x${first}` })).rejects.toThrow(
      'Changing param values',
    );
    expect((await client.runs.getRun({ run_id })).run.data.params).toEqual([{ key: 'long', value: first }]);
  },
);

test('a key has at most 250 characters of the allowed ones', async () => {
  await using server = await startServer();
  const { run_id } = await aRun(server.client);
  const log = (key: string) => server.client.runs.logParam({ run_id, key, value: '1' });
  await log('k'.repeat(250));
  await log('a/b c:d.e-f_ü');
  await expect(log('k'.repeat(251))).rejects.toThrow("'Param key' exceeds the maximum length of 250 characters");
  await expect(log('a$')).rejects.toThrow(`Invalid value "a$" for parameter 'key' supplied: Names may only contain`);
  await expect(log('a//b')).rejects.toThrow("This name would resolve to 'a/b'");
});

test('a key is checked before the run is looked for', async () => {
  await using server = await startServer();
  await expect(server.client.runs.logParam({ run_id: 'nope', key: 'a$', value: '1' })).rejects.toMatchObject({
    status: 400,
  });
  await expect(server.client.runs.logParam({ run_id: 'nope', key: 'a', value: '1' })).rejects.toMatchObject({
    status: 404,
  });
});

onEveryEngine('runs do not share params', async ({ client }) => {
  const [one, two] = [await aRun(client), await aRun(client)];
  await client.runs.logParam({ run_id: one.run_id, key: 'lr', value: '1' });
  await client.runs.logParam({ run_id: two.run_id, key: 'lr', value: '2' });
  expect((await client.runs.getRun({ run_id: one.run_id })).run.data.params).toEqual([{ key: 'lr', value: '1' }]);
});
