import { describe, expect, test } from 'vitest';
import { aFolder, lazuli, serving } from './lazuli-process.ts';
import { run } from './run-command.ts';

const secretAlone = /^lzl_[A-Za-z0-9_-]{43}\n$/;

describe('lazuli token', () => {
  test('makes the first token before the server starts, which then asks for it, makes more and revokes them', async () => {
    using folder = aFolder();
    const cwd = folder.path;
    const first = await lazuli(['token', 'create', '--data-dir', 'data', '--role', 'Owner', '--principal', 'ann'], {
      cwd,
      // What a container says about its server must not keep it from getting its first token.
      env: { LAZULI_HOST: '0.0.0.0' },
    });
    expect(first).toMatchObject({ status: 0, stdout: expect.stringMatching(secretAlone) as string });
    expect(first.stderr).toContain('ann is Owner of every workspace until it is revoked');
    const secret = first.stdout.trim();
    expect(first.stderr).not.toContain(secret);

    await using server = await serving(['--data-dir', 'data', '--auth', 'token'], { cwd });
    const place = ['--url', server.url];
    const experiment = `${server.url}/api/2.0/mlflow/experiments/get?experiment_id=0`;
    expect((await fetch(experiment)).status).toBe(401);
    expect((await fetch(experiment, { headers: { authorization: `Bearer ${secret}` } })).status).toBe(200);

    const env = { LAZULI_TOKEN: secret };
    const args = ['--role', 'reader', '--principal', 'ci', '--workspace', 'default', '--expires-in', '30d'];
    const second = await run(['token', 'create', ...place, ...args], { cwd, env });
    expect(second.stdout).toMatch(secretAlone);
    const ci = { authorization: `Bearer ${second.stdout.trim()}` };
    expect((await fetch(experiment, { headers: ci })).status).toBe(200);
    const creating = await fetch(`${server.url}/api/2.0/mlflow/experiments/create`, {
      method: 'POST',
      headers: { ...ci, 'content-type': 'application/json' },
      body: '{"name":"x"}',
    });
    expect(creating.status).toBe(403);

    const listed = await run(['token', 'list'], { cwd, env: { ...env, MLFLOW_TRACKING_URI: server.url } });
    const tokens = JSON.parse(listed.stdout) as { token_id: string; principal: string }[];
    expect(tokens.map(({ principal }) => principal)).toEqual(['ann', 'ci']);
    const table = await run(['token', 'list', '-o', 'table'], { cwd, env: { ...env, LAZULI_URL: server.url } });
    expect(table.stdout).toMatch(/^Token +Principal +Role/);

    const revoked = await run(['token', 'revoke', ...place, tokens[1]?.token_id ?? ''], { cwd, env });
    expect(revoked).toMatchObject({ status: 0, stdout: '' });
    expect((await fetch(experiment, { headers: ci })).status).toBe(401);

    const beside = await run(['token', 'list', '--data-dir', 'data'], { cwd });
    expect(beside).toMatchObject({ status: 1, stdout: '' });
    expect(beside.stderr).toContain('If a server runs there, leave out --data-dir');

    server.kill('SIGTERM');
    const { stdout, stderr } = await server.end;
    for (const text of [stdout, stderr]) expect(text).not.toContain(secret.slice(4));
  });

  test('says in one sentence what is wrong', async () => {
    using folder = aFolder();
    const cwd = folder.path;
    const ends = (args: readonly string[], env = {}) => run(['token', ...args], { cwd, env });
    const [role, time, place, missing, absent, url] = await Promise.all([
      ends(['create', '--role', 'Admin']),
      ends(['create', '--role', 'Owner', '--expires-in', 'soon']),
      ends(['list', '--url', 'http://127.0.0.1:9', '--data-dir', 'data']),
      ends(['create']),
      ends(['list', '--data-dir', 'nowhere']),
      ends(['list'], { MLFLOW_TRACKING_URI: 'sqlite:///mlflow.db' }),
    ]);
    expect(role).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--role: "Admin" must be one of Owner, Contributor, Reader') as string,
    });
    expect(time).toMatchObject({ status: 2, stderr: expect.stringContaining('"soon" must be a number of') as string });
    expect(place).toMatchObject({ status: 2, stderr: expect.stringContaining('Either --url') as string });
    expect(missing).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("required option '--role <role>'") as string,
    });
    expect(absent).toMatchObject({ status: 1, stderr: expect.stringContaining('There is no database at') as string });
    expect(url).toMatchObject({ status: 2, stderr: expect.stringContaining('is no URL of a server') as string });
  });
});
