import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from './run-command.ts';
import { sharedServer } from './shared-server.ts';

const server = sharedServer();

function lazuli(args: readonly string[], env: Record<string, string> = {}) {
  return run(args, { cwd: server.folder, env: { MLFLOW_TRACKING_URI: server.url, HOME: server.folder, ...env } });
}

async function json(args: readonly string[]): Promise<unknown> {
  const { status, stdout, stderr } = await lazuli(args);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

describe('lazuli experiments', () => {
  test('creates, finds, renames, deletes and restores an experiment', async () => {
    const created = (await json(['experiments', 'create', '-n', 'churn'])) as { experiment_id: string };
    const id = ['-x', created.experiment_id];
    expect(await json(['experiments', 'rename', ...id, '--new-name', 'churn 2'])).toMatchObject({ name: 'churn 2' });
    expect(await json(['experiments', 'get', '-n', 'churn 2'])).toMatchObject({
      experiment_id: created.experiment_id,
    });
    expect((await lazuli(['experiments', 'delete', ...id])).stdout).toBe('');
    const names = ['--query', '[].name', '-o', 'tsv'];
    expect((await lazuli(['experiments', 'search', ...names])).stdout).toBe('Default\n');
    expect((await lazuli(['experiments', 'search', '--view', 'deleted_only', ...names])).stdout).toBe('churn 2\n');
    await lazuli(['experiments', 'restore', ...id]);
    expect(await json(['experiments', 'get', ...id, '--query', 'lifecycle_stage'])).toBe('active');
  });

  test('that are more than a page are all listed', async () => {
    await Promise.all(
      Array.from({ length: 1_005 }, (_, count) =>
        server.client.experiments.createExperiment({ name: `page ${count}` }),
      ),
    );
    const found = ['experiments', 'search', '--filter', "name LIKE 'page %'", '--query', 'length(@)'];
    expect(await json(found)).toBe(1_005);
    expect(await json([...found, '--max-results', '1003'])).toBe(1_003);
  });

  test('writes the runs of an experiment as CSV that quotes what needs it', async () => {
    const { experiment_id } = await server.client.experiments.createExperiment({ name: 'as csv' });
    const { run: first } = await server.client.runs.createRun({ experiment_id, run_name: 'a, "b"', start_time: 0 });
    await server.client.runs.logBatch({
      run_id: first.info.run_id,
      metrics: [{ key: 'loss', value: 0.5, timestamp: 1 }],
      params: [{ key: 'note', value: 'two\nlines' }],
    });
    await lazuli(['experiments', 'csv', '-x', experiment_id, '--filename', 'runs.csv']);
    const text = readFileSync(join(server.folder, 'runs.csv'), 'utf8');
    expect(text).toMatch(/^run_id,run_name,.*metrics\.loss,params\.note,/);
    expect(text).toContain('"a, ""b"""');
    expect(text).toContain('1970-01-01T00:00:00.000Z');
    expect(text).toContain('0.5,"two\nlines"');
  });
});

describe('lazuli runs', () => {
  test('creates, lists in an order, shows, deletes and restores runs', async () => {
    const { experiment_id } = await server.client.experiments.createExperiment({ name: 'runs' });
    for (const [name, loss] of [
      ['worse', 2],
      ['better', 1],
    ] as const) {
      const id = (await json([
        ...['runs', 'create', '-n', 'runs', '--run-name', name, '-t', 'team=a=b', '--query', 'info.run_id'],
      ])) as string;
      await server.client.runs.logMetric({ run_id: id, key: 'loss', value: loss, timestamp: 1 });
    }
    const best = ['runs', 'list', '-x', experiment_id, '--order-by', 'metrics.loss ASC', '--query', '[0].info'];
    const info = (await json(best)) as { run_id: string };
    expect(info).toMatchObject({ run_name: 'better' });
    const table = (await lazuli(['runs', 'list', '-x', experiment_id, '-o', 'table'])).stdout;
    expect(table).toMatch(/^Run ID +Name +Status +Experiment\n-+ /);
    const described = await json(['runs', 'describe', '--run-id', info.run_id]);
    expect(described).toMatchObject({
      data: { tags: expect.arrayContaining([{ key: 'team', value: 'a=b' }]) as unknown },
    });
    await lazuli(['runs', 'delete', '--run-id', info.run_id]);
    expect(await json(['runs', 'list', '-x', experiment_id, '--query', 'length(@)'])).toBe(1);
    await lazuli(['runs', 'restore', '--run-id', info.run_id]);
    expect(await json(['runs', 'list', '-x', experiment_id, '--query', 'length(@)'])).toBe(2);
  });
});

describe('lazuli model', () => {
  test('registers versions, finds them by label, moves aliases and stages, and deletes', async () => {
    const register = (path: string) => json(['model', 'create', '-n', 'churn', '--path', path, '--tags', 'team=red']);
    expect(await register('s3://bucket/a')).toMatchObject({ name: 'churn', version: '1', tags: { team: 'red' } });
    expect(await register('s3://bucket/b')).toMatchObject({ version: '2' });
    await lazuli(['model', 'set-alias', '-n', 'churn', '-a', 'champion', '-v', '1']);
    const champion = ['-n', 'churn', '--label', 'champion'];
    expect(await json(['model', 'show', ...champion])).toMatchObject({ version: '1', path: 's3://bucket/a' });
    expect(await json(['model', 'show', '-n', 'churn', '--label', 'latest', '--query', 'version'])).toBe('2');
    expect(await json(['model', 'list', '-n', 'churn', '--query', '[].version'])).toEqual(['2', '1']);
    expect(await json(['model', 'list', '--filter', "name = 'churn'"])).toMatchObject([
      { name: 'churn', latest_version: '2', aliases: { champion: '1' } },
    ]);
    expect(await json(['model', 'update', ...champion, '-d', 'good', '-s', 'Production'])).toMatchObject({
      description: 'good',
      stage: 'Production',
    });
    const set = ['--tags', 'a=1', '--set', 'description=better', 'tags.b=2'];
    expect(await json(['model', 'update', ...champion, ...set])).toMatchObject({
      description: 'better',
      stage: 'Production',
      tags: { team: 'red', a: '1', b: '2' },
    });
    expect(await json(['model', 'update', '-n', 'churn', '--set', 'tags.c=3'])).toMatchObject({ tags: { c: '3' } });
    expect(await lazuli(['model', 'update', '-n', 'churn', '--set', 'path=s3://x'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--set: path cannot be changed; description, stage, tags.<name> can.') as string,
    });
    await lazuli(['model', 'archive', ...champion]);
    expect(await json(['model', 'show', ...champion, '--query', 'stage'])).toBe('Archived');
    await lazuli(['model', 'delete-alias', '-n', 'churn', '-a', 'champion']);
    expect(await lazuli(['model', 'show', ...champion])).toMatchObject({ status: 1, stdout: '' });
    await lazuli(['model', 'delete', '-n', 'churn']);
    expect(await lazuli(['model', 'show', '-n', 'churn'])).toMatchObject({
      status: 3,
      stdout: '',
      stderr: expect.stringContaining('churn') as string,
    });
  });

  test('tells what an alias named at a time, and who changed what', async () => {
    for (const path of ['s3://bucket/a', 's3://bucket/b']) {
      await lazuli(['model', 'create', '-n', 'past', '--path', path]);
    }
    await lazuli(['model', 'set-alias', '-n', 'past', '-a', 'champion', '-v', '1']);
    const ask = ['model', 'assignments', '-n', 'past'];
    const champion = [...ask, '--alias', 'champion'];
    const [first] = (await json(champion)) as { since: string }[];
    const since = first?.since ?? '';
    const named = { version: '1', since, by: 'anonymous', deleted: false, path: 's3://bucket/a', job_name: null };
    expect(first).toEqual(named);
    await lazuli(['model', 'set-alias', '-n', 'past', '-a', 'champion', '-v', '2']);
    await lazuli(['model', 'delete', '-n', 'past', '-v', '1']);
    const gone = { ...named, deleted: true, path: null };
    expect(await json([...champion, '--at', since])).toEqual([gone]);
    expect(await json([...champion, '--at', String(Date.parse(since))])).toEqual([gone]);
    expect(await json([...champion, '--at', since.slice(0, 10)])).toEqual([]);
    expect(await json([...champion, '--query', '[].version'])).toEqual(['2']);
    expect(await json([...ask, '--stage', 'none', '--at', since, '--query', '[].version'])).toEqual(['1', '2']);
    expect((await lazuli([...champion, '-o', 'table'])).stdout).toMatch(
      /^Version +Since +By +Path\n-.*\n2 +\S+Z +anonymous +s3:\/\/bucket\/b\n$/,
    );
    expect(await lazuli([...champion, '--at', '2026'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("'2026' for parameter 'at'") as string,
    });
    expect(await lazuli([...champion, '--stage', 'None'])).toMatchObject({ status: 2 });

    const changes = ['model', 'changes', '-n', 'past'];
    expect(await json([...changes, '--kind', 'ALIAS', '--query', '[].[old_value, new_value]'])).toEqual([
      ['1', '2'],
      [null, '1'],
    ]);
    expect(await json([...changes, '-r', '2', '--query', '[].kind'])).toEqual(['VERSION_DELETED', 'ALIAS']);
    expect((await lazuli([...changes, '-v', '2', '-o', 'table'])).stdout).toContain('VERSION_CREATED');
    expect(await lazuli([...changes, '--kind', 'alias'])).toMatchObject({ status: 2 });
  });
});

describe('lazuli doctor', () => {
  test('says that all is well, and which workspace is meant', async () => {
    const findings = (await json(['doctor'])) as { check: string; state: string; detail: string }[];
    expect(findings.map(({ check, state }) => `${check} ${state}`)).toEqual([
      'command ok',
      'server ok',
      'clock ok',
      'sign-in ok',
      'workspace ok',
    ]);
    expect(findings.at(-1)?.detail).toBe('default, because none is named');
  });

  test.each([
    ['http://127.0.0.1:9', {}, 'server', 'It is not reached'],
    [undefined, { LAZULI_TOKEN: 'wrong' }, 'sign-in', 'token'],
    [undefined, { LAZULI_WORKSPACE: 'nowhere' }, 'workspace', 'nowhere'],
  ] as const)('at %s with %j says what fails, and asks nothing after it', async (url, env, check, reason) => {
    const { status, stdout } = await lazuli(['doctor', ...(url === undefined ? [] : ['--url', url])], env);
    expect(status).toBe(1);
    const failed = (JSON.parse(stdout) as unknown[]).at(-1);
    expect(failed).toMatchObject({ check, state: 'failed', detail: expect.stringContaining(reason) as string });
  });
});

describe('where a command goes and how it prints', () => {
  test('is told by the line, then by the environment, config.json, and what lazuli configure keeps', async () => {
    await server.client.workspaces.createWorkspace({ name: 'team-a' });
    await server.client.workspaces.createWorkspace({ name: 'team-b' });
    await server.client.workspaces.createWorkspace({ name: 'team-c' });
    const where = async (args: string[] = [], env: Record<string, string> = {}) =>
      (
        await lazuli(['experiments', 'get', '-x', '0', '--query', 'workspace', '-o', 'tsv', ...args], env)
      ).stdout.trim();
    expect(await where()).toBe('default');
    await lazuli(['configure', '--defaults', 'workspace=team-a', 'output=yaml']);
    expect(await where()).toBe('team-a');
    writeFileSync(join(server.folder, 'config.json'), JSON.stringify({ workspace_name: 'team-b' }));
    expect(await where()).toBe('team-b');
    expect(await where([], { LAZULI_WORKSPACE: 'team-c' })).toBe('team-c');
    expect(await where(['-w', 'default'], { LAZULI_WORKSPACE: 'team-c' })).toBe('default');
    const kept = await lazuli(['configure', '--list-defaults']);
    expect(kept.stdout).toBe('- name: workspace\n  value: team-a\n- name: output\n  value: yaml\n');
    await lazuli(['configure', '--defaults', 'workspace=', 'output=']);
    expect((await lazuli(['configure', '--list-defaults'])).stdout).toBe('[]\n');
  });

  test.each([
    [['experiments', 'search', '--query', '[?'], '--query: "[?" is no JMESPath'],
    [['experiments', 'search', '-o', 'xml'], '--output: "xml" must be one of json, jsonc, table, tsv, yaml, none'],
    [['experiments', 'search', '--view', 'some'], '--view: "some" must be one of active_only, deleted_only, all'],
    [['experiments', 'get'], 'Give one of --experiment-id and --experiment-name.'],
    [['experiments', 'search', '--max-results', '0'], '--max-results: "0" must be a whole number from 1 on'],
    [['runs', 'create', '-x', '0', '-t', 'team'], '--tags: "team" must be name=value'],
    [['runs', 'list', '-x', '0', '--url', 'ftp://there'], '"ftp://there" is no URL of a server'],
    [['configure', '--defaults', 'colour=red'], '--defaults: "colour" must be one of url'],
  ])('%j is refused with the reason', async (args, reason) => {
    const { status, stdout, stderr } = await lazuli(args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(reason);
  });

  test('a server that does not answer is named', async () => {
    const { status, stderr } = await lazuli(['runs', 'list', '-x', '0', '--url', 'http://127.0.0.1:9']);
    expect(status).toBe(1);
    expect(stderr).toContain('http://127.0.0.1:9');
  });

  test('who has no server yet is told how to come by one', async () => {
    const listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    await new Promise((done) => listener.close(done));
    const nobody = { cwd: server.folder, env: { HOME: server.folder, LAZULI_URL: `http://127.0.0.1:${port}` } };
    for (const args of [
      ['runs', 'list', '-x', '0'],
      ['workspace', 'list'],
      ['env'],
      ['job', 'run', '--', 'true'],
      ['gc'],
    ]) {
      const { status, stdout, stderr } = await run(args, nobody);
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(
        /ECONNREFUSED 127\.0\.0\.1:\d+\. lazuli serve starts a server; --url or LAZULI_URL names one/,
      );
    }
  });
});
