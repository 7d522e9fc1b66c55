import { createServer } from 'node:http';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { walkForms } from '../../client/test/azure/form-walker.ts';
import { aFolder, finished, serving, startLazuli, type RunningServer } from './lazuli-process.ts';
import { run } from './run-command.ts';

const password = 'correct horse battery';
let folder: ReturnType<typeof aFolder>;
let server: RunningServer;
let robot: Record<string, string>;
let token: string;
beforeAll(async () => {
  folder = aFolder();
  const offline = async (...args: string[]) => {
    const { stdout } = await run([...args, '--data-dir', 'data'], { cwd: folder.path });
    return stdout.trim();
  };
  const made = await offline('ad', 'sp', 'create-for-rbac', 'robot', '--role', 'Owner', '--scopes', '/');
  robot = Object.fromEntries(made.split('\n').map((line) => line.split('=') as [string, string]));
  await offline('ad', 'user', 'create', 'ann@example.org', '--password', password);
  const ann = JSON.parse(await offline('ad', 'user', 'show', 'ann@example.org')) as { object_id: string };
  const assigned = ['--assignee', ann.object_id, '--assignee-type', 'User', '--role', 'Reader'];
  await offline('role', 'assignment', 'create', ...assigned);
  token = await offline('token', 'create', '--role', 'Reader', '--principal', 'ci');
  server = await serving(['--data-dir', 'data', '--auth', 'entra'], { cwd: folder.path });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** A person's machine, on which nothing is known yet. */
function aHome() {
  const home = aFolder();
  const around = { cwd: home.path, env: { HOME: home.path, LAZULI_URL: server.url, PATH: process.env['PATH'] ?? '' } };
  return {
    around,
    lazuli: (...args: string[]) => run(args, around),
    files: () => readdirSync(join(home.path, '.lazuli')).map((name) => join(home.path, '.lazuli', name)),
    path: home.path,
    [Symbol.dispose]: () => home[Symbol.dispose](),
  };
}

const asRobot = () => {
  const { AZURE_CLIENT_ID = '', AZURE_CLIENT_SECRET = '' } = robot;
  return ['login', '--service-principal', '-u', AZURE_CLIENT_ID, '-p', AZURE_CLIENT_SECRET];
};

test('a service principal signs in once, and the commands after it are that, until it signs out', async () => {
  using home = aHome();
  expect(await home.lazuli('experiments', 'search')).toMatchObject({ status: 1, stdout: '' });
  const login = await home.lazuli(...asRobot());
  const name = robot['AZURE_CLIENT_ID'];
  const account = { environmentName: server.url, user: { name, type: 'servicePrincipal' } };
  expect([login.status, login.stderr]).toEqual([0, '']);
  expect(JSON.parse(login.stdout)).toMatchObject(account);
  expect(login.stdout).not.toContain(robot['AZURE_CLIENT_SECRET']);
  expect((await home.lazuli('experiments', 'search', '--query', '[].name')).stdout).toContain('Default');
  expect(JSON.parse((await home.lazuli('token', 'list', '--query', '[].principal')).stdout)).toEqual(['ci']);
  expect(JSON.parse((await home.lazuli('account', 'show')).stdout)).toMatchObject(account);
  expect((await home.lazuli('account', 'list', '-o', 'tsv', '--query', '[].user.name')).stdout).toBe(`${name}\n`);
  const given = await home.lazuli('account', 'get-access-token', '--query', 'accessToken', '-o', 'tsv');
  const authorization = `Bearer ${given.stdout.trim()}`;
  const experiment = `${server.url}/api/2.0/mlflow/experiments/get?experiment_id=0`;
  expect((await fetch(experiment, { headers: { authorization } })).status).toBe(200);
  expect(home.files()).toHaveLength(2);
  for (const file of home.files()) expect(statSync(file).mode & 0o777).toBe(0o600);

  expect(await home.lazuli('logout')).toMatchObject({ status: 0, stdout: '' });
  expect(home.files()).toEqual([]);
  expect(await home.lazuli('experiments', 'search')).toMatchObject({ status: 1, stdout: '' });
  expect(await home.lazuli('account', 'show')).toMatchObject({
    status: 3,
    stderr: expect.stringContaining('run lazuli login') as string,
  });
});

test('a sign-in goes to no other server, and behind what the environment says', async () => {
  using home = aHome();
  await home.lazuli(...asRobot());
  const seen: (string | undefined)[] = [];
  const other = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.setHeader('content-type', 'application/json');
    response.end('{"experiments":[]}');
  });
  await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  expect(await home.lazuli('experiments', 'search', '--url', url)).toMatchObject({ status: 0, stdout: '[]\n' });
  const env = { ...home.around.env, MLFLOW_TRACKING_TOKEN: 'wrong' };
  const refused = await run(['experiments', 'search'], { ...home.around, env });
  expect(refused).toMatchObject({ status: 1, stdout: '' });
  await run(['experiments', 'search', '--url', url], { ...home.around, env });
  expect(seen).toEqual([undefined, 'Bearer wrong']);
  other.close();
});

test('a person signs in with a code in a browser elsewhere, and is told to when that has ended', async () => {
  using home = aHome();
  const login = startLazuli(['login', '--use-device-code'], home.around);
  const end = finished(login);
  const prompt = await new Promise<string>((resolve) => {
    let text = '';
    login.stderr?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\n')) resolve(text);
    });
  });
  const [page = '', code = ''] = [/https?:\/\/\S+/.exec(prompt)?.[0], /code (\S+?)[.\s]/.exec(prompt)?.[1]];
  await walkForms(page.replace(new URL(page).origin, server.url), {
    user_code: code,
    username: 'ann@example.org',
    password,
  });
  const { status, stdout } = await end;
  expect([status, JSON.parse(stdout)]).toMatchObject([0, { user: { name: 'ann@example.org', type: 'user' } }]);
  expect((await home.lazuli('experiments', 'search', '--query', '[].name')).stdout).toContain('Default');

  const [tokens = ''] = home.files().filter((file) => file.includes('tokens-'));
  writeFileSync(tokens, '{}');
  expect(await home.lazuli('experiments', 'search')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`The sign-in to ${server.url} has ended; run lazuli login again.`) as string,
  });
});

test('a person signs in with the browser of this machine', async () => {
  using home = aHome();
  const told = join(home.path, 'url');
  const browser = join(home.path, 'browser');
  writeFileSync(browser, `#!/bin/sh\necho "$1" > ${told}\n`, { mode: 0o755 });
  const env = { ...home.around.env, BROWSER: browser };
  const login = run(['login', '--query', 'user.name'], { ...home.around, env });
  const url = (): string => readFileSync(told, { encoding: 'utf8', flag: 'a+' });
  await expect.poll(url).toMatch(/\n$/);
  await walkForms(url().trim(), { username: 'ann@example.org', password });
  expect(await login).toMatchObject({ status: 0, stdout: '"ann@example.org"\n' });
});

test('an API token is read from standard input, proved and kept', async () => {
  using home = aHome();
  const login = async (text: string) => {
    const child = startLazuli(['login', '--with-token', '--query', 'user.type'], home.around);
    child.stdin?.end(text);
    return finished(child);
  };
  expect(await login('lzl_wrong')).toMatchObject({ status: 1, stdout: '' });
  expect(await login(`${token}\n`)).toMatchObject({ status: 0, stdout: '"token"\n' });
  expect((await home.lazuli('experiments', 'search', '--query', '[].name')).stdout).toContain('Default');
});

test('says in one sentence what is missing', async () => {
  using home = aHome();
  const ends = async (...args: string[]) => (await home.lazuli(...args)).stderr;
  expect(await ends('login', '--service-principal')).toContain('--service-principal needs --username');
  expect(await ends('login', '--service-principal', '-u', 'x')).toContain('needs one of --password and --certificate');
  expect(await ends('login', '-p', 'x')).toContain('is one of a --service-principal');
  expect(await ends('login', '--url', 'http://127.0.0.1:9')).toContain('http://127.0.0.1:9 is not reached');
  expect(await ends('login', '--service-principal', '-u', 'x', '-p', 'y')).toContain('AADSTS700016');
  expect(await ends('login', '--cloud', 'Nowhere')).toContain("No cloud is named 'Nowhere'");
});

test('clouds are listed, chosen, registered and forgotten', async () => {
  using home = aHome();
  const active = async () => (await home.lazuli('cloud', 'list', '--query', '[?isActive].name', '-o', 'tsv')).stdout;
  expect(await active()).toBe('AzureCloud\n');
  await home.lazuli('cloud', 'set', '-n', 'azureusgovernment');
  expect(await active()).toBe('AzureUSGovernment\n');
  expect(JSON.parse((await home.lazuli('cloud', 'show')).stdout)).toMatchObject({
    name: 'AzureUSGovernment',
    isActive: true,
    endpoints: { resourceManager: 'https://management.usgovcloudapi.net' },
  });
  const register = ['cloud', 'register', '-n', 'team', '--endpoint-resource-manager', server.url];
  expect(await home.lazuli(...register)).toMatchObject({ status: 0, stdout: '' });
  await home.lazuli('cloud', 'set', '-n', 'team');
  expect(await active()).toBe('team\n');
  const env = { ...home.around.env, AZUREML_CURRENT_CLOUD: 'AzureChinaCloud' };
  const said = await run(['cloud', 'show', '--query', 'name'], { ...home.around, env });
  expect(said.stdout).toBe('"AzureChinaCloud"\n');
  await home.lazuli('cloud', 'unregister', '-n', 'team');
  expect(await active()).toBe('AzureCloud\n');
  expect(await home.lazuli('cloud', 'unregister', '-n', 'team')).toMatchObject({ status: 3 });
  for (const command of ['set', 'show']) {
    expect(await home.lazuli('cloud', command, '-n', 'nowhere')).toMatchObject({
      status: 3,
      stderr: expect.stringContaining("No cloud is named 'nowhere'") as string,
    });
  }
});
