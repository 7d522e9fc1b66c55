import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request, type RequestOptions } from 'node:https';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer as createTls } from 'node:tls';
import { createResourceManager } from '@lazuli/client';
import { createServer, type Server } from '@lazuli/server';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { openCertificates } from '../../src/tls/certificates.ts';
import { makeAuthority, makeLeaf } from '../../src/tls/local-authority.ts';
import { openSecretKeep } from '../../src/secrets/secret-keep.ts';
import { openTestEngine } from '../engine-fixture.ts';
import { settingsFor } from '../server-fixture.ts';
import { defaultScope, mlflowAt } from './azure-workspace.ts';

const day = 24 * 60 * 60 * 1000;
const nowhere = async (): Promise<string[]> => [];
const unnamed = {
  tlsCert: undefined,
  tlsKey: undefined,
  tlsNames: [],
  host: '127.0.0.1',
  publicUrl: undefined,
  allowedHosts: [],
} as const;

describe('HTTPS', () => {
  test('is there from the first start, and whoever trusts the authority is answered by every name of the machine', async () => {
    await using place = await aFolder();
    await using server = await listening(place.path);
    const [, url = ''] = server.urls;
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const ca = authorityOf(server);
    for (const name of ['127.0.0.1', 'localhost']) {
      const answer = await ask(`https://${name}:${new URL(url).port}/api/2.0/mlflow/experiments/get?experiment_id=0`, {
        ca,
      });
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.text)).toMatchObject({ experiment: { name: 'Default' } });
    }
    await expect(ask(`${url}/health`, {})).rejects.toThrow(/self-signed|unable to verify/);
  });

  test('takes the logging verbs in the hot lane', async () => {
    await using place = await aFolder();
    await using server = await listening(place.path);
    const [, url = ''] = server.urls;
    const ca = authorityOf(server);
    const body = JSON.stringify({ experiment_id: '0', start_time: 1 });
    const answer = await ask(`${url}/api/2.0/mlflow/runs/create`, { ca, method: 'POST' }, body);
    expect(answer.status).toBe(200);
    expect(answer.headers['x-request-id']).toBeDefined();
  });

  test('answers what is no request at all, and lets the server close while a client holds on', async () => {
    await using place = await aFolder();
    const server = await listening(place.path);
    const port = Number(new URL(server.urls[1] ?? '').port);
    const idle = createConnection({ port, host: '127.0.0.1' });
    idle.on('error', () => undefined);
    idle.write('GET / HTTP/1.1\r\n\r\n');
    await new Promise((resolve) => idle.once('close', resolve));
    await server.close();
  });

  test('has a certificate for workspaces behind a private link, in every region, as soon as they are there', async () => {
    await using place = await aFolder();
    await using server = await listening(place.path);
    const { port } = new URL(server.urls[1] ?? '');
    const ca = authorityOf(server);
    const arm = createResourceManager({ url: server.urls[0] ?? '' });
    for (const region of ['westeurope', 'eastus2']) {
      const scope = defaultScope.replace('workspaces/default', `workspaces/in-${region}`);
      const properties = { publicNetworkAccess: 'Disabled' };
      const made = await arm('PUT', scope, { location: region, properties });
      const { workspaceId, mlFlowTrackingUri } = (made as { properties: Record<string, string> }).properties;
      const own = `${workspaceId}.workspace.${region}.api.localhost`;
      expect(mlFlowTrackingUri).toBe(`azureml://${own}:${port}/mlflow/v1.0${scope}`);
      for (const path of [
        `${mlflowAt(scope)}/api/2.0/mlflow/experiments/get?experiment_id=0`,
        `/artifact/v2.0${scope}/artifacts/Workspace/all`,
      ]) {
        const url = `https://127.0.0.1:${port}${path}`;
        const answer = await ask(url, { ca, servername: own, headers: { host: `${own}:${port}` } });
        expect([path, answer.status]).toEqual([path, 200]);
        const regional = await ask(url, { ca });
        expect([path, regional.status]).toEqual([path, 403]);
        expect((JSON.parse(regional.text) as { message: string }).message).toMatch(
          /behind a private link .* fetch its MLflow tracking URI .*mlFlowTrackingUri/,
        );
      }
    }
    expect(authorityOf(server)).toBe(ca);
    const strange = ask(`https://127.0.0.1:${port}/health`, { ca, servername: 'x.workspace.mars.api.localhost' });
    await expect(strange).rejects.toThrow(/altnames/);
  });

  test('leads whoever is inside a private link nowhere but to the host of its workspace', async () => {
    await using place = await aFolder();
    await using server = await listening(place.path);
    const [plain = '', secure = ''] = server.urls;
    const { port } = new URL(secure);
    const ca = authorityOf(server);
    const scope = defaultScope.replace('workspaces/default', 'workspaces/linked');
    const arm = createResourceManager({ url: plain });
    const made = await arm('PUT', scope, { location: 'westeurope', properties: { publicNetworkAccess: 'Disabled' } });
    const { workspaceId } = (made as { properties: Record<string, string> }).properties;
    const own = `${workspaceId}.workspace.westeurope.api.localhost`;
    /** By name: what is inside the link resolves that one alone. */
    const inside = (method: string, url: string, body?: string): Promise<Answer> => {
      const { host, pathname, search } = new URL(url);
      return ask(
        `https://127.0.0.1:${port}${pathname}${search}`,
        { ca, method, servername: host.replace(/:\d+$/, ''), headers: { host, 'content-type': 'application/json' } },
        body,
      );
    };
    const at = (path: string): string => `https://${own}:${port}${path}`;
    const created = await inside(
      'POST',
      at(`${mlflowAt(scope)}/api/2.0/mlflow/runs/create`),
      '{"experiment_id":"0","start_time":1}',
    );
    const { info } = (JSON.parse(created.text) as { run: { info: { run_id: string; artifact_uri: string } } }).run;
    expect(info.artifact_uri).toBe(
      `azureml://${own}:${port}/mlflow/v2.0${scope}/experiments/0/runs/${info.run_id}/artifacts`,
    );
    const artifacts = at(`/history/v1.0${scope}/experiments/0/runs/${info.run_id}/artifacts`);
    const reserved = await inside('POST', `${artifacts}/batch/metadata`, '{"paths":[{"path":"a.txt"}]}');
    const { contentUri: writing } = (
      JSON.parse(reserved.text) as { artifactContentInformation: Record<string, { contentUri: string }> }
    ).artifactContentInformation['a.txt'] as { contentUri: string };
    expect(new URL(writing).host).toBe(`${own}:${port}`);
    expect((await inside('PUT', writing, 'content')).status).toBe(201);
    const content = await inside('GET', `${artifacts}/contentinfo?path=a.txt`);
    const { contentUri: reading } = JSON.parse(content.text) as { contentUri: string };
    expect(new URL(reading).host).toBe(`${own}:${port}`);
    expect((await inside('GET', reading)).text).toBe('content');
    const regional = await ask(reading.replace(new URL(reading).host, `127.0.0.1:${port}`), { ca });
    expect([regional.status, regional.headers['x-ms-error-code']]).toEqual([403, 'AuthenticationFailed']);
    expect(regional.text).toMatch(/behind a private link/);
  });

  test('keeps its authority over a restart', async () => {
    await using place = await aFolder();
    let first: string | undefined;
    for (let start = 0; start < 2; start += 1) {
      await using server = await listening(place.path);
      const ca = authorityOf(server);
      first ??= ca;
      expect(ca).toBe(first);
    }
  });

  test('is off where the operator wants none', async () => {
    await using place = await aFolder();
    await using server = await listening(place.path, { tls: 'off' });
    expect(server.urls).toHaveLength(1);
    expect(server.authority).toBeUndefined();
  });

  test('refuses a certificate and a key that do not belong together, in a sentence', async () => {
    await using place = await aFolder();
    const [one, other] = await Promise.all([
      makeAuthority(['localhost'], Date.now()),
      makeAuthority(['localhost'], Date.now()),
    ]);
    const [cert, key] = [join(place.path, 'cert.pem'), join(place.path, 'key.pem')];
    await writeFile(cert, one.certificate);
    await writeFile(key, other.key);
    await expect(listening(place.path, { 'tls-cert': cert, 'tls-key': key })).rejects.toThrow(
      /are not a certificate and its key/,
    );
  });

  test("answers with the operator's certificate, and with a new one once its files have changed", async () => {
    await using place = await aFolder();
    const authority = await makeAuthority(['localhost'], Date.now());
    const [cert, key] = [join(place.path, 'cert.pem'), join(place.path, 'key.pem')];
    const write = async (): Promise<string> => {
      const leaf = await makeLeaf(authority, ['localhost'], Date.now());
      await writeFile(cert, leaf.certificate);
      await writeFile(key, leaf.key);
      return leaf.certificate;
    };
    await using engine = await openTestEngine();
    const keep = await openSecretKeep(engine, keyIn(place));
    const first = await write();
    const certificates = await openCertificates(
      { ...unnamed, tlsCert: cert, tlsKey: key },
      { keep, now: Date.now, regions: nowhere },
    );
    expect(certificates.current.certificate).toBe(first);
    expect(await certificates.refresh()).toBe(false);
    const second = await write();
    expect(await certificates.refresh()).toBe(true);
    expect(certificates.current.certificate).toBe(second);
  });
});

describe('the local authority', () => {
  test('vouches for the names that it was made for and for no others', async () => {
    const authority = await makeAuthority(['localhost', '127.0.0.1', 'lazuli.example.org'], Date.now());
    const checks: readonly (readonly [string, boolean])[] = [
      ['lazuli.example.org', true],
      ['localhost', true],
      ['127.0.0.1', true],
      ['bank.example.com', false],
      ['10.0.0.1', false],
      ['::1', false],
    ];
    for (const [name, trusted] of checks) {
      const leaf = await makeLeaf(authority, [name], Date.now());
      expect(await isTrusted(leaf, authority.certificate, name), name).toBe(trusted);
    }
  });

  test('renews the certificate before it ends, and leaves the authority as it is', async () => {
    await using place = await aFolder();
    await using engine = await openTestEngine();
    let now = Date.now();
    const keep = await openSecretKeep(engine, keyIn(place));
    const certificates = await openCertificates(unnamed, { keep, now: () => now, regions: nowhere });
    const [leaf, ca] = [certificates.current.certificate, certificates.authority];
    now += 200 * day;
    expect(await certificates.refresh()).toBe(false);
    now += 100 * day;
    expect(await certificates.refresh()).toBe(true);
    expect(certificates.current.certificate).not.toBe(leaf);
    expect(certificates.authority).toBe(ca);
    expect(new X509Certificate(certificates.current.certificate).checkHost('localhost')).toBe('localhost');
  });

  test('is made anew where a name is added that it may not vouch for', async () => {
    await using place = await aFolder();
    await using engine = await openTestEngine();
    const keep = await openSecretKeep(engine, keyIn(place));
    const first = await openCertificates(unnamed, { keep, now: Date.now, regions: nowhere });
    const second = await openCertificates(
      { ...unnamed, tlsNames: ['lazuli.example.org'] },
      { keep, now: Date.now, regions: nowhere },
    );
    expect(second.authority).not.toBe(first.authority);
    const again = await openCertificates(unnamed, { keep, now: Date.now, regions: nowhere });
    expect(again.authority).toBe(second.authority);
  });

  test('lies sealed in the database, and is one for all servers that have the same key', async () => {
    await using place = await aFolder();
    await using engine = await openTestEngine();
    const open = async (name?: string) =>
      openCertificates(unnamed, {
        keep: await openSecretKeep(engine, keyIn(place, name)),
        now: Date.now,
        regions: nowhere,
      });
    const [one, other] = await Promise.all([open(), open()]);
    expect(one.authority).toBe(other.authority);
    expect(one.current.certificate).toBe(other.current.certificate);
    const rows = await engine.db.selectFrom('secrets').selectAll().execute();
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain('PRIVATE KEY');
    const stranger = await open('other.key');
    expect(stranger.authority).not.toBe(one.authority);
  });
});

function keyIn({ path }: { readonly path: string }, name = 'encryption.key'): { readonly encryptionKeyFile: string } {
  return { encryptionKeyFile: join(path, name) };
}

async function listening(dataDir: string, flags: Record<string, string> = {}): Promise<Server> {
  const server = await createServer(await settingsFor(dataDir, flags), { logger: pino({ level: 'silent' }) });
  try {
    await server.listen();
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

function authorityOf(server: Server): string {
  return server.authority ?? '';
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

function ask(url: string, options: RequestOptions, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = request(url, { agent: false, headers, ...options }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

async function isTrusted(leaf: { certificate: string; key: string }, ca: string, name: string): Promise<boolean> {
  const server = createTls({ cert: leaf.certificate, key: leaf.key }, (socket) => socket.end());
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  try {
    return await new Promise((resolve) => {
      const socket = connect(
        {
          port,
          host: '127.0.0.1',
          servername: name.includes('.1') || name.includes(':') ? '' : name,
          ca,
          checkServerIdentity: () => undefined,
        },
        () => resolve(true),
      );
      socket.on('error', () => resolve(false));
    });
  } finally {
    server.close();
  }
}

async function aFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'lazuli-tls-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
