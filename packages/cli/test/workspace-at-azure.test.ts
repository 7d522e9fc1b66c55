import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { aFolder, serving, type RunningServer } from './lazuli-process.ts';
import { run } from './run-command.ts';

/**
 * The resource manager of a cloud of Azure's shape: that of a server of ours, over HTTPS, under another name than servers of
 * ours have for their clouds. In front of it stands one that does as Azure does and a server of ours does not: it takes its
 * time over changes, and gives lists in small pages.
 */
const subscription = 'a3b1c2d4-0000-4000-8000-000000000009';
const there = ['--subscription', subscription, '-g', 'team'];
const resources = ['--storage-account', '/s/account', '--key-vault', '/s/vault'];

let folder: ReturnType<typeof aFolder>;
let server: RunningServer;
let robot: Record<string, string>;
let token: string;
let trust: string;
beforeAll(async () => {
  folder = aFolder();
  const offline = async (...args: string[]) => {
    const { stdout } = await run([...args, '--data-dir', 'data'], { cwd: folder.path, env: { HOME: folder.path } });
    return stdout;
  };
  const made = await offline('ad', 'sp', 'create-for-rbac', 'robot', '--role', 'Owner', '--scopes', '/');
  robot = Object.fromEntries(
    [...made.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value] as const),
  );
  token = (await offline('token', 'create', '--role', 'Owner')).trim();
  server = await serving(['--data-dir', 'data', '--auth', 'entra'], { cwd: folder.path });
  const env = { HOME: folder.path, LAZULI_TOKEN: token };
  const { stdout } = await run(['env', '--url', server.url, '--data-dir', 'data'], { cwd: folder.path, env });
  trust = /NODE_EXTRA_CA_CERTS='(.*)'/.exec(stdout)?.[1] ?? '';
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** The document of the cloud. */
function described(resourceManager: string, loginEndpoint = resourceManager): string {
  return JSON.stringify([{ name: 'Shaped', resourceManager, authentication: { loginEndpoint } }]);
}

async function listening(answer: (request: IncomingMessage, origin: string) => Promise<Answer>) {
  const listener = createServer((request, response) => {
    answer(request, origin).then(
      ({ status = 200, headers = {}, body = '' }) => response.writeHead(status, headers).end(body),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
  const origin = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  return {
    origin,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((done) => {
        listener.close(() => done());
        listener.closeAllConnections();
      }),
  };
}

interface Answer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

test('who has signed in to a cloud speaks with its resource manager, without the address of a server', async () => {
  using home = aFolder();
  const secure = /and (https:\/\/\S+)/.exec(server.greeting)?.[1] ?? '';
  await using document = await listening(async () => ({ body: described(secure) }));
  const env = { HOME: home.path, MLFLOW_TRACKING_SERVER_CERT_PATH: trust };
  const lazuli = (...args: string[]) => run(args, { cwd: home.path, env });
  await lazuli('cloud', 'register', '-n', 'shaped', '--endpoint-resource-manager', document.origin);
  await lazuli('cloud', 'set', '-n', 'shaped');
  const { AZURE_CLIENT_ID = '', AZURE_CLIENT_SECRET = '' } = robot;
  const asRobot = ['--service-principal', '-u', AZURE_CLIENT_ID, '-p', AZURE_CLIENT_SECRET];
  expect(await lazuli('login', ...asRobot, '--query', 'environmentName')).toMatchObject({ stdout: '"shaped"\n' });
  expect((await lazuli('account', 'show', '--query', 'user.name')).stdout).toBe(`"${AZURE_CLIENT_ID}"\n`);

  const incomplete = await lazuli('workspace', 'create', '-n', 'vision', ...there);
  expect(incomplete).toMatchObject({ status: 2, stderr: expect.stringContaining('--storage-account') as string });
  const made = await lazuli('workspace', 'create', '-n', 'vision', ...there, '-l', 'eastus', ...resources);
  expect([made.status, made.stderr]).toEqual([0, 'The workspace vision is created.\n']);
  const uri = `azureml://${new URL(secure).host}/mlflow/v1.0/subscriptions/${subscription}/resourceGroups/team/providers/Microsoft.MachineLearningServices/workspaces/vision`;
  expect(JSON.parse(made.stdout)).toMatchObject({
    name: 'vision',
    location: 'eastus',
    resource_group: 'team',
    mlflow_tracking_uri: uri,
    storage_account: '/s/account',
    key_vault: '/s/vault',
  });
  // A second one lies where its group does.
  await lazuli('workspace', 'create', 'text', ...there, ...resources);
  expect((await lazuli('workspace', 'show', 'text', ...there, '--query', 'location')).stdout).toMatch(/^"\w+"\n$/);
  expect((await lazuli('workspace', 'list', '--query', '[].name | sort(@) | join(`,`, @)')).stdout).toBe(
    '"default,text,vision"\n',
  );
  await lazuli('configure', '--defaults', `subscription=${subscription}`, 'group=team', 'workspace=vision');
  expect((await lazuli('workspace', 'list', '--query', '[].name', '-o', 'tsv')).stdout.split('\n').toSorted()).toEqual([
    '',
    'text',
    'vision',
  ]);
  expect((await lazuli('workspace', 'show', '--query', 'mlflow_tracking_uri')).stdout).toBe(`"${uri}"\n`);
  const changed = await lazuli('workspace', 'update', '-n', 'text', '--description', 'Words', '--query', 'description');
  expect(changed.stdout).toBe('"Words"\n');

  const findings = JSON.parse((await lazuli('doctor')).stdout) as { state: string; detail: string }[];
  expect(findings.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok']);
  expect(findings.slice(-2).map(({ detail }) => detail)).toEqual([
    `with the account ${AZURE_CLIENT_ID} of lazuli login`,
    'vision',
  ]);

  // The commands that do what MLflow's clients do reach the workspace by the address that its resource tells.
  expect(await lazuli('model', 'create', '-n', 'churn', '--path', 's3://bucket/a')).toMatchObject({ status: 0 });
  expect((await lazuli('model', 'list', '--query', '[].name')).stdout).toContain('churn');
  expect((await lazuli('model', 'show', '-n', 'churn', '-v', '1', '--query', 'path')).stdout).toBe('"s3://bucket/a"\n');
  expect((await lazuli('model', 'list', '-w', 'text')).stdout).toBe('[]\n');
  expect(await lazuli('model', 'list', '-w', 'nowhere')).toMatchObject({ status: 3, stdout: '' });

  // In a shell that `lazuli env` has set up, the line goes before the address, unless that leads to one workspace alone.
  using elsewhere = aFolder();
  const withAddress = (address: string, ...args: string[]) =>
    run(['model', 'list', '--query', '[].name', ...args], {
      cwd: elsewhere.path,
      env: {
        ...env,
        HOME: elsewhere.path,
        AZUREML_CURRENT_CLOUD: 'LazuliCloud',
        ARM_CLOUD_METADATA_URL: `${secure}/metadata/endpoints?api-version=2019-05-01`,
        LAZULI_TOKEN: token,
        MLFLOW_TRACKING_URI: address,
      },
    });
  expect((await withAddress(uri)).stdout).toContain('churn');
  expect(await withAddress(uri, '-w', 'text')).toMatchObject({ stdout: '[]\n', status: 0 });
  const own = uri.replace('azureml://', 'azureml://0.workspace.eastus.api.');
  expect(await withAddress(own, '-w', 'text')).toMatchObject({
    stderr: expect.stringContaining("leads to 'vision' alone") as string,
    status: 2,
  });

  expect(await lazuli('workspace', 'delete', 'text')).toMatchObject({ status: 0, stdout: '' });
  expect(await lazuli('workspace', 'show', 'text')).toMatchObject({ status: 3, stdout: '' });
  await lazuli('logout');
  expect(await lazuli('account', 'show')).toMatchObject({ status: 3, stdout: '' });
});

test('changes that take their time are waited for, and lists are read to their end', async () => {
  using home = aFolder();
  const waiting = new Map<string, { asked: number; readonly finish: () => Promise<Response> }>();
  const seen: string[] = [];
  const forwarded = (request: IncomingMessage, path: string, body: string) =>
    fetch(server.url + path, {
      method: request.method ?? 'GET',
      headers: { authorization: request.headers.authorization ?? '', 'content-type': 'application/json' },
      ...(body === '' ? {} : { body }),
    });
  await using azure = await listening(async (request, origin) => {
    const { method = '', url = '' } = request;
    if (url.startsWith('/metadata/')) return { body: described(origin) };
    seen.push(`${method} ${url.replace(/^.*workspaces/, '').replaceAll(/\/operations.*/g, 'operation')}`);
    const operation = waiting.get(url);
    if (operation !== undefined) {
      operation.asked += 1;
      const isDone = operation.asked > 2;
      const isLocation = url.includes('location');
      if (!isDone) {
        const headers = { 'retry-after': '0' };
        return isLocation ? { status: 202, headers } : { headers, body: '{"status":"InProgress"}' };
      }
      const done = await operation.finish();
      const text = await done.text();
      if (isLocation) return { status: done.status, body: text };
      const error = done.ok ? {} : (JSON.parse(text) as object);
      return { body: JSON.stringify({ status: done.ok ? 'Succeeded' : 'Failed', ...error }) };
    }
    const body = await textOf(request);
    if (method !== 'GET') {
      const header = url.includes('by-location') ? 'location' : 'azure-asyncoperation';
      const path = `/operations/${waiting.size}/${header}`;
      waiting.set(path, { asked: 0, finish: () => forwarded(request, url, body) });
      return { status: 202, headers: { [header]: origin + path, 'retry-after': '0' } };
    }
    const asked = new URL(url, server.url);
    if (/workspaces$/.test(asked.pathname)) {
      asked.searchParams.set('$top', '1');
      asked.searchParams.set('$skip', asked.searchParams.get('$skiptoken') ?? '0');
      asked.searchParams.delete('$skiptoken');
    }
    const answer = await forwarded(request, asked.pathname + asked.search, '');
    return { status: answer.status, body: (await answer.text()).replace(/%24skip=/, '%24skiptoken=') };
  });
  const env = {
    HOME: home.path,
    LAZULI_TOKEN: token,
    AZUREML_CURRENT_CLOUD: 'Shaped',
    ARM_CLOUD_METADATA_URL: `${azure.origin}/metadata/endpoints`,
    MLFLOW_TRACKING_URI: `azureml://elsewhere/mlflow/v1.0/subscriptions/${subscription}/resourceGroups/slow/providers/Microsoft.MachineLearningServices/workspaces/vision`,
  };
  const workspace = (...args: string[]) => run(['workspace', ...args], { cwd: home.path, env });
  for (const name of ['vision', 'by-location', 'third']) {
    const made = await workspace('create', name, '-l', 'eastus', ...resources);
    expect([made.stderr, made.status]).toEqual([`The workspace ${name} is created.\n`, 0]);
    expect(JSON.parse(made.stdout)).toMatchObject({ name, location: 'eastus', resource_group: 'slow' });
  }
  expect((await workspace('list', '--query', '[].name', '-o', 'tsv')).stdout.trim().split('\n')).toHaveLength(3);
  expect((await workspace('show', '--query', 'name')).stdout).toBe('"vision"\n');
  const changed = await workspace('update', 'by-location', '--tags', 'a=b', '--query', 'tags.a');
  expect(changed.stdout).toBe('"b"\n');
  seen.length = 0;
  expect(await workspace('delete', 'by-location')).toMatchObject({ status: 0, stdout: '' });
  const [path] = ['/by-location?api-version=2024-10-01'];
  expect(seen).toEqual([`GET ${path}`, `DELETE ${path}`, 'GET operation', 'GET operation', 'GET operation']);
  expect(await workspace('show', 'by-location')).toMatchObject({ status: 3 });
  // What fails in the end fails.
  const wrong = await workspace('create', 'x', '-l', 'eastus', ...resources);
  expect(wrong).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringContaining("workspace name 'x'") as string,
  });
});
