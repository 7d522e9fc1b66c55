import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { aFolder, serving } from './lazuli-process.ts';
import { run } from './run-command.ts';

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n$/;

describe('lazuli ad', () => {
  test('makes who can sign in before a server starts, and on one that runs', async () => {
    using folder = aFolder();
    const cwd = folder.path;
    const offline = (...args: string[]) => run(['ad', ...args, '--data-dir', 'data'], { cwd });
    const user = await offline('user', 'create', 'Ann@Example.org', '--display-name', 'Ann');
    expect(user).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\w{18}\n$/) as string });
    expect(user.stderr).not.toContain(user.stdout.trim());
    const application = await offline('sp', 'create', 'ci');
    expect(application.stdout).toMatch(guid);
    const secret = await offline('secret', 'create', 'ci', '--expires-in', '30d', '--display-name', 'nightly');
    expect(secret.stdout).toMatch(/^lzs_[\w-]{43}\n$/);
    expect((await offline('group', 'create', 'team')).stdout).toMatch(guid);
    expect(await offline('group', 'add', 'team', 'ci')).toMatchObject({ status: 0, stderr: 'ci is in team.\n' });

    await using server = await serving(['--data-dir', 'data'], { cwd });
    const online = (...args: string[]) => run(['ad', ...args, '--url', server.url], { cwd });
    expect((await online('user', 'list')).stdout).toContain('ann@example.org');
    const members = JSON.parse((await online('group', 'members', 'team')).stdout) as { app_id: string }[];
    expect(members.map(({ app_id }) => app_id)).toEqual([application.stdout.trim()]);

    const made = await online('cert', 'create', 'ci', '--out', 'ci.pem', '--expires-in', '30d');
    expect(made).toMatchObject({ status: 0, stdout: '' });
    const file = join(cwd, 'ci.pem');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const pem = readFileSync(file, 'utf8');
    expect(pem).toContain('-----BEGIN PRIVATE KEY-----');
    expect(new X509Certificate(pem.slice(pem.indexOf('-----BEGIN CERT'))).subject).toBe('CN=ci');
    expect(await online('cert', 'add', 'ci', 'ci.pem')).toMatchObject({ status: 0 });
    const speaker = ['--issuer', 'https://token.example.org', '--subject', 'repo:lab/train:ref:refs/heads/main'];
    expect(await online('federated-credential', 'add', 'ci', ...speaker)).toMatchObject({ status: 0 });
    expect(JSON.parse((await online('federated-credential', 'list', 'ci')).stdout)).toMatchObject([
      { kind: 'federated', issuer: 'https://token.example.org', subject: 'repo:lab/train:ref:refs/heads/main' },
    ]);
    expect((await online('secret', 'list', 'ci', '-o', 'table')).stdout).toMatch(/secret +nightly/);
    const certificates = JSON.parse((await online('cert', 'list', 'ci')).stdout) as {
      credential_id: string;
    }[];
    expect(certificates).toHaveLength(2);
    expect(await online('cert', 'delete', certificates[0]?.credential_id ?? '')).toMatchObject({ status: 0 });

    const form = {
      grant_type: 'client_credentials',
      client_id: application.stdout.trim(),
      client_secret: secret.stdout.trim(),
    };
    const asked = async () => {
      const body = new URLSearchParams({ ...form, scope: 'https://management.azure.com/.default' });
      return (await fetch(`${server.url}/adfs/oauth2/v2.0/token`, { method: 'POST', body })).status;
    };
    expect(await asked()).toBe(200);
    expect(await online('sp', 'disable', 'ci')).toMatchObject({ status: 0, stderr: 'ci is disabled.\n' });
    expect(await asked()).toBe(400);
    expect(await online('sp', 'enable', 'ci')).toMatchObject({ status: 0 });
    expect(await online('user', 'set-password', 'Ann', '--password', 'a password of mine')).toMatchObject({
      status: 0,
      stdout: '',
    });
    expect(await online('user', 'delete', 'Ann')).toMatchObject({ status: 0 });
    expect(await online('user', 'show', 'Ann')).toMatchObject({
      status: 3,
      stderr: expect.stringContaining("'Ann' exists") as string,
    });
    expect((await online('tenant')).stdout).toMatch(guid);
  });
});
