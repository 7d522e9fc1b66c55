import { mkdirSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { aFolder, serving } from './lazuli-process.ts';
import { run } from './run-command.ts';

describe('lazuli env', () => {
  test('prints what makes a shell’s programs trust and reach the workspace, in the language of the shell', async () => {
    using folder = aFolder();
    await using server = await serving([], { cwd: folder.path });
    const home = { HOME: folder.path };
    const { status, stdout } = await run(['env', '--url', server.url], { cwd: folder.path, env: home });
    expect(status).toBe(0);
    const variables = Object.fromEntries(
      [...stdout.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name = '', value = '']) => [name, value]),
    );
    expect(variables['MLFLOW_TRACKING_URI']).toMatch(
      /^azureml:\/\/127\.0\.0\.1:\d+\/mlflow\/v1\.0\/subscriptions\/.*\/workspaces\/default$/,
    );
    expect(variables['IDENTITY_ENDPOINT']).toBe(`${server.url}/msi/token`);
    expect(variables['IDENTITY_HEADER']).toMatch(/^lzm_/);
    expect(await statusOf(variables['ARM_CLOUD_METADATA_URL'] ?? '', variables['NODE_EXTRA_CA_CERTS'] ?? '')).toBe(200);
    expect(await statusOf(variables['ARM_CLOUD_METADATA_URL'] ?? '', variables['REQUESTS_CA_BUNDLE'] ?? '')).toBe(200);

    const fish = await run(['env', '--url', server.url, '--shell', 'fish'], { cwd: folder.path, env: home });
    expect(fish.stdout).toContain("set -gx MLFLOW_TRACKING_URI 'azureml://");
    const elsewhere = join(folder.path, 'elsewhere');
    mkdirSync(elsewhere);
    const other = await run(['env', '--url', server.url, '--shell', 'powershell'], { cwd: elsewhere, env: home });
    expect(other.stdout).toContain("$env:MLFLOW_TRACKING_URI = 'azureml://");
    expect(other.stdout).not.toContain('IDENTITY_HEADER');
    expect(other.stderr).toContain('--data-dir');
  });

  test('says in one sentence that no server answers', async () => {
    using folder = aFolder();
    const { status, stderr, stdout } = await run(['env', '--url', 'http://127.0.0.1:9'], { cwd: folder.path });
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toContain('http://127.0.0.1:9 did not say how it is reached');
  });
});

function statusOf(url: string, caFile: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { ca: readFileSync(caFile), agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('error', reject);
    sent.end();
  });
}
