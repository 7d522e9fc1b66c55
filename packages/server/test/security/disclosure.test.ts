import { readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { startProcess } from '../crash/server-process.ts';
import { hostileTexts } from '../robustness/hostile-values.ts';
import { openDirectly } from '../direct-database.ts';
import { aRun, databaseFlags, startServer } from '../server-fixture.ts';
import { everyRoute, failuresOf } from './every-route.ts';

/** What only the person who runs the server should see: statements, paths of the machine, stacks. */
const inner =
  /\b(select|insert into|update|delete from)\b[^"]*\b(from|where|values|set)\b|sqlite|UNIQUE constraint|no such (table|column)|duplicate key value|violates [a-z-]+ constraint|(relation|column) \\?"?[\w.]+\\?"? (does not|already)|syntax error at|invalid (input syntax|byte sequence)|out of range for type|postgres(ql)?:\/\/|lazuli_|node_modules|node:internal|\.ts:\d|\.js:\d|\\n +at |\/home\/|\/Users\//i;

describe('an error', () => {
  test('tells nothing of the inside, whatever is asked of whichever endpoint', async () => {
    await using server = await startServer();
    const { run_id, experiment_id } = await aRun(server.client);
    let errors = 0;
    const failures = await failuresOf(everyRoute, async ({ method, path, endpoint }) => {
      const names = Object.keys(endpoint?.input.properties ?? {});
      for (const [index, text] of hostileTexts.entries()) {
        const chosen = names[index % Math.max(names.length, 1)] ?? 'x';
        const fields = {
          run_id,
          experiment_id,
          key: 'k',
          value: 'v',
          name: 'n',
          max_results: 1,
          [chosen]: text.toWellFormed(),
        };
        const inQuery = method === 'GET' || method === 'HEAD' || method === 'DELETE';
        const pairs = Object.entries(fields).map(([name, value]): [string, string] => [name, String(value)]);
        const query = `${path.includes('?') ? '&' : '?'}${new URLSearchParams(pairs).toString()}`;
        const answer = await server.request(method, inQuery ? path + query : path, inQuery ? undefined : fields);
        if (answer.status < 400) continue;
        errors++;
        // What the caller has sent may come back; it is taken out before the answer is looked at.
        const own = answer.text
          .replaceAll(JSON.stringify(text).slice(1, -1), '')
          .replaceAll(JSON.stringify(JSON.stringify(text)).slice(1, -1), '');
        if (inner.test(own) || answer.text.includes(server.dataDir)) return answer.text;
      }
      return undefined;
    });
    expect(failures).toEqual([]);
    expect(errors).toBeGreaterThan(500);
  });

  test('of a name that is taken says so, without the statement that found out', async () => {
    await using server = await startServer();
    await server.client.experiments.createExperiment({ name: 'taken' });
    const { status, text } = await server.request('POST', '/api/2.0/mlflow/experiments/create', { name: 'taken' });
    expect(status).toBe(400);
    expect(text).toContain('RESOURCE_ALREADY_EXISTS');
    expect(text).not.toMatch(inner);
  });

  test('of the server itself says which line of the log has the reason, and nothing more', async () => {
    await using server = await startServer();
    await using database = await openDirectly(server.dataDir);
    await database.execute('alter table experiment_tags rename to elsewhere');
    const path = '/api/2.0/mlflow/experiments/get?experiment_id=0';
    const { status, json, text, headers } = await server.request('GET', path);
    expect(status).toBe(500);
    expect(json).toMatchObject({
      error_code: 'INTERNAL_ERROR',
      message: expect.stringContaining(String(headers['x-request-id'])) as string,
    });
    expect(text).not.toMatch(inner);
    expect(text).not.toMatch(/select|experiment_tags|elsewhere/i);
  });
});

describe('a secret', () => {
  test('is in the answer that made it and nowhere else: not in the log, the database, a list or an error', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'lazuli-secret-'));
    try {
      const flags = Object.entries(await databaseFlags(dataDir)).flatMap(([name, value]) => [`--${name}`, value]);
      await using server = await startProcess({ dataDir, flags: ['--log-level', 'trace', ...flags] });
      const { token, secret } = await server.client.apiTokens.createToken({ principal: 'sam', role: 'Reader' });
      const password = Buffer.from(`sam:${secret}`).toString('base64');
      const answers: string[] = [];
      const send = async (
        path: string,
        headers: Record<string, string>,
        method = 'GET',
        body?: string,
      ): Promise<void> => {
        const response = await fetch(server.url + path, {
          method,
          headers: { 'content-type': 'application/json', ...headers },
          ...(body === undefined ? {} : { body }),
        });
        answers.push(await response.text(), JSON.stringify([...response.headers]));
      };
      const lost = `${secret.slice(0, -1)}_`;
      for (const authorization of [
        `Bearer ${secret}`,
        `Basic ${password}`,
        `Digest ${secret}`,
        `Bearer ${lost}`,
        `Basic ${btoa(`sam:${lost}`)}`,
        secret,
      ]) {
        await send('/api/2.0/mlflow/experiments/get?experiment_id=0', { authorization });
        await send('/api/2.0/mlflow/experiments/create', { authorization }, 'POST', '{"name":"x"}');
        await send('/api/lazuli/1.0/tokens', { authorization });
      }
      await send(`/api/2.0/mlflow/experiments/get?experiment_id=0&token=${secret}`, {
        cookie: `t=${secret}`,
        'x-api-key': secret,
      });
      await send('/api/lazuli/1.0/tokens', {});
      await send('/api/2.0/mlflow/experiments/create', {}, 'POST', `{"name": ["${secret}`);
      server.signal('SIGTERM');
      await server.ended;
      const stored = await bytesOf(dataDir);
      expect(stored).toContain(token.token_id);
      for (const text of [secret, password, lost, btoa(`sam:${lost}`)]) {
        expect(server.output()).not.toContain(text);
        expect(answers.join('\n')).not.toContain(text);
        expect(stored).not.toContain(text);
      }
      expect(server.logLines().filter(({ method }) => method !== undefined).length).toBeGreaterThan(15);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});

/** What a database holds: SQLite's files to the last byte, PostgreSQL's rows. */
async function bytesOf(dataDir: string): Promise<string> {
  if (inject('engine') === 'postgres') {
    await using database = await openDirectly(dataDir);
    return await database.contents();
  }
  const files = readdirSync(dataDir).filter((name) => name.startsWith('lazuli.db'));
  return files.map((name) => readFileSync(join(dataDir, name), 'latin1')).join('');
}

describe('SQL in a text', () => {
  const texts = hostileTexts.filter(
    (text) => text.isWellFormed() && !text.includes('\0') && text.length < 250 && text.trim() !== '',
  );

  test('is a text: it is stored and found as it was given, and does nothing', async () => {
    await using server = await startServer();
    const { client } = server;
    const { run_id, experiment_id } = await aRun(client);
    for (const text of texts) {
      await client.runs.setTag({ run_id, key: 'text', value: text });
      await client.runs.updateRun({ run_id, run_name: text });
      await client.experiments.setExperimentTag({ experiment_id, key: 'text', value: text });
      await client.experiments.updateExperiment({ experiment_id, new_name: `name ${text}` });
      const { run } = await client.runs.getRun({ run_id });
      expect(run.info.run_name).toBe(text);
      expect(run.data.tags).toContainEqual({ key: 'text', value: text });
      const { experiment } = await client.experiments.getExperimentByName({ experiment_name: `name ${text}` });
      expect(experiment.tags).toEqual([{ key: 'text', value: text }]);
      const quoted = `'${text.replaceAll(`'`, `''`)}'`;
      for (const filter of [`tags.text = ${quoted}`, `attributes.run_name = ${quoted}`]) {
        const { runs = [] } = await client.runs.searchRuns({ experiment_ids: [experiment_id], filter });
        expect(
          runs.map(({ info }) => info.run_id),
          filter,
        ).toEqual([run_id]);
      }
    }
    expect((await client.experiments.searchExperiments({ max_results: 10 })).experiments).toHaveLength(2);
  });
});

test('CVE-2024-6838: a name without end is refused', async () => {
  await using server = await startServer();
  const { client } = server;
  await expect(client.experiments.createExperiment({ name: 'x'.repeat(501) })).rejects.toMatchObject({ status: 400 });
  await expect(client.experiments.createExperiment({ name: 'x'.repeat(500) })).resolves.toBeDefined();
  const { run_id } = await aRun(client);
  for (const key of ['k'.repeat(251), 'k'.repeat(100_000)]) {
    await expect(client.runs.setTag({ run_id, key, value: 'v' })).rejects.toMatchObject({ status: 400 });
    await expect(client.runs.logParam({ run_id, key, value: 'v' })).rejects.toMatchObject({ status: 400 });
    await expect(client.runs.logMetric({ run_id, key, value: 1, timestamp: 1 })).rejects.toMatchObject({ status: 400 });
  }
});
