import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { aFolder, serving } from './lazuli-process.ts';
import { run } from './run-command.ts';

/** A folder's name with what shells take for signs of their own. */
const odd = String.raw`it's "a" 
 \ ' $HOME ${'$'}{x} $(id) ${'`'}id${'`'} 100%; & | * ? ~ # ! {a,b} ‘typo’‚graphic‛`;

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
    const authority = variables['AZURE_AUTHORITY_HOST'] ?? '';
    expect(authority).toMatch(/^https:/);
    const discovery = `${authority}/adfs/.well-known/openid-configuration`;
    expect(await statusOf(discovery, variables['NODE_EXTRA_CA_CERTS'] ?? '')).toBe(200);
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

  test.for([
    ['bash', '--norc'],
    ['zsh', '-f'],
    ['fish', '--no-config'],
  ] as const)('gives %s every value as it is', async ([shell, flag], context) => {
    const program = ['/bin', '/usr/bin', '/usr/local/bin'].map((bin) => join(bin, shell)).find(existsSync);
    if (program === undefined && process.env['CI'] === undefined) context.skip(`there is no ${shell} here`);
    using folder = aFolder();
    await using server = await serving([], { cwd: folder.path });
    const home = join(folder.path, odd);
    const asked = ['env', '--url', server.url, '--shell', shell];
    const { stdout } = await run(asked, { cwd: folder.path, env: { HOME: home } });
    const script = join(folder.path, 'script');
    writeFileSync(script, `${stdout}\nenv -0\n`);
    // A login name and a path are all that the shell has of its own.
    const env = { PATH: '/usr/bin:/bin', HOME: folder.path };
    const seen = execFileSync(program ?? shell, [flag, script], { env, encoding: 'utf8' }).split('\0');
    expect(seen).toContain(
      `REQUESTS_CA_BUNDLE=${join(home, '.cache', 'lazuli', new URL(server.url).host.replace(':', '_'), 'ca-bundle.pem')}`,
    );
    expect(seen.filter((line) => /^(MLFLOW_TRACKING_URI=azureml:|IDENTITY_HEADER=lzm_)/.test(line))).toHaveLength(2);
  });

  test('doubles for PowerShell every quote that would end the text', async () => {
    using folder = aFolder();
    await using server = await serving([], { cwd: folder.path });
    const asked = ['env', '--url', server.url, '--shell', 'powershell'];
    const { stdout } = await run(asked, { cwd: folder.path, env: { HOME: join(folder.path, odd) } });
    expect(stdout).toContain(`$env:REQUESTS_CA_BUNDLE = '${folder.path}/${odd.replaceAll(/['‘’‚‛]/g, '$&$&')}/.cache/`);
  });

  test('names no authority to sign in at without https, and where issuers elsewhere sign people in', async () => {
    for (const flags of [['--no-tls'], ['--oidc-issuer', 'https://sso.example.org/realms/lab']]) {
      using folder = aFolder();
      await using server = await serving(flags, { cwd: folder.path });
      const { status, stdout } = await run(['env', '--url', server.url], {
        cwd: folder.path,
        env: { HOME: folder.path },
      });
      expect(status).toBe(0);
      expect(stdout).toContain('ARM_CLOUD_METADATA_URL');
      expect(stdout).not.toContain('AZURE_AUTHORITY_HOST');
    }
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
