import { readdir, readFile } from 'node:fs/promises';
import { createServer, type OutgoingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anArtifactServer, first, second, send, type Answer, type ArtifactServer } from './fixture.ts';

/**
 * Published attacks on paths and locations of artifacts, and their relatives, sent as they would be. Each row says what
 * it would reach where its check is missing: `<outside>/secret` beside the artifact root, another workspace, the host.
 */
const pathAttacks: readonly (readonly [mechanism: string, path: string])[] = [
  ['CVE-2023-30172: parent folders', '../../secret'],
  ['CVE-2023-30172: parent folders behind a folder', 'd/../../../secret'],
  ['CVE-2023-1176: an absolute path', '%2Fetc%2Fpasswd'],
  ['CVE-2023-1176: a UNC path', '%5C%5Chost%5Cshare'],
  ['CVE-2023-1176: a UNC path, encoded twice', '%255C%255Chost%255Cshare'],
  ['CVE-2023-1176: a UNC path with slashes', '%2F%2Fhost%2Fshare'],
  ['CVE-2023-2780: a file URI with a relative host', 'file:%2F%2F.%2Fetc%2Fpasswd'],
  ['CVE-2023-2780: a file URI', 'file:%2F%2F%2Fetc%2Fpasswd'],
  ['CVE-2023-2780: backslashes', '..\\..\\secret'],
  ['CVE-2023-3765: a Windows drive', 'C:/Windows/win.ini'],
  ['CVE-2023-3765: a Windows drive with backslashes', 'C:%5CWindows%5Cwin.ini'],
  ['CVE-2023-3765: a path relative to a drive', 'C:secret'],
  ['CVE-2023-6015: encoded dots', '%2e%2e/%2E%2E/secret'],
  ['CVE-2023-6015: half encoded dots', '.%2e/%2e./secret'],
  ['CVE-2023-6018: an existing file outside', 'd/..%2F..%2F..%2Fsecret'],
  ['CVE-2023-6753: encoded backslashes', '..%5C..%5Csecret'],
  ['CVE-2023-6753: backslashes encoded twice', '..%255C..%255Csecret'],
  ['CVE-2023-6753: a backslash that leads nowhere here', 'd%5Csecret'],
  ['CVE-2023-6831: encoded dots and slashes', '%2e%2e%2f%2e%2e%2fsecret'],
  ['CVE-2023-6977: the root of a process', '%2F%2Fproc%2Fself%2Froot%2Fetc%2Fpasswd'],
  ['CVE-2024-1558: encoded twice', '%252e%252e/%252e%252e/secret'],
  ['CVE-2024-1560: encoded twice, slashes too', '%252e%252e%252f%252e%252e%252fsecret'],
  ['CVE-2024-1560: encoded three times', '%25252e%25252e%25252fsecret'],
  ['CVE-2024-1560: encoded twenty times', `%${'25'.repeat(20)}2e%${'25'.repeat(20)}2e/secret`],
  ['CVE-2024-1593: parameters', 'd;/../../../secret'],
  ['CVE-2024-1594: a fragment', 'd%23/../../../secret'],
  ['CVE-2024-8859: a query in the path', 'd%3F/../../../secret'],
  ['CVE-2026-2033: dots at the end', 'd/../..'],
  ['CVE-2026-2033: the folder above', '..'],
  ['another workspace', `../${second.guid}/0/secret`],
  ['another workspace, encoded', `%2e%2e%2f${second.guid}%2f0%2fsecret`],
  ['unfinished uploads', '../.lazuli-staging/secret'],
  ['a NUL that cuts the name', 'd/x%00.txt'],
  ['a line break for the log', 'd/x%0Ainjected'],
  ['a header in a name', 'd/x%0D%0ASet-Cookie:%20a=b'],
];

/** Artifact URIs as a client could have stored them, were it not for the check of locations. */
const uriAttacks: readonly (readonly [mechanism: string, uri: (place: Place) => string])[] = [
  ['CVE-2023-1177: a file URI of the host', () => 'file:///etc'],
  ['CVE-2023-1177: a local path of the host', ({ server }) => server.outside],
  ['CVE-2023-2356: a traversal behind the proxy', () => 'mlflow-artifacts:/../..'],
  ['CVE-2023-2356: an encoded traversal behind the proxy', () => 'mlflow-artifacts:/%2e%2e/%2e%2e'],
  ['CVE-2023-2356: a traversal behind the proxy, encoded twice', () => 'mlflow-artifacts:/%252e%252e/%252e%252e'],
  ['CVE-2023-2780: a relative file host', () => 'file://./etc'],
  ['CVE-2023-6909: a traversal in a query', () => 'http:///?/../../etc'],
  ['CVE-2023-6974: a URL that the server would fetch', ({ trap }) => `http://127.0.0.1:${trap}/x`],
  ['CVE-2023-6974: a proxy elsewhere', ({ trap }) => `mlflow-artifacts://127.0.0.1:${trap}/../..`],
  ['CVE-2023-6975: a traversal out of a local root', ({ server }) => `${server.localRoot}/${first.guid}/../..`],
  ['CVE-2023-6977: the root of a process', () => '//proc/self/root/etc'],
  ['CVE-2024-1483: a fragment in a file URI', ({ server }) => `file://${server.localRoot}/#/../..`],
  ['CVE-2024-1593: parameters', ({ server }) => `file://${server.localRoot}/${first.guid};/../../..`],
  ['CVE-2024-2928: a fragment behind a host', () => 'http:///#/../../../etc'],
  ['CVE-2024-3573: a scheme in mixed case', () => 'FILE:///etc'],
  ['CVE-2024-3573: an unknown scheme', () => 'local:///etc'],
  ['CVE-2024-3848: a traversal behind an encoded fragment', () => 'mlflow-artifacts:/%23/../../..'],
  ['CVE-2024-8859: dbfs with a query', () => 'dbfs:/x?/../../etc'],
  ['another workspace behind the proxy', () => `mlflow-artifacts:/../${second.guid}/0`],
  ['another workspace in the local root', ({ server }) => join(server.localRoot, second.guid)],
  ['the folders of all workspaces', ({ server }) => server.localRoot],
  ['the folder behind the proxy as a local path', ({ server }) => server.destination],
];

interface Place {
  readonly server: ArtifactServer;
  /** The port of a server that nobody may connect to. */
  readonly trap: number;
}

let server: ArtifactServer;
let trap: Server;
let caught = 0;
let before: string[];

beforeAll(async () => {
  server = await anArtifactServer();
  trap = createServer((_request, response) => response.end('caught')).on('connection', () => (caught += 1));
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
  await upload('d/x', 'own');
  await upload('0/secret', 'secret', { 'x-workspace': 'second' });
  before = await everythingBelow(server.outside);
});
afterAll(async () => {
  trap.close();
  await server[Symbol.asyncDispose]();
});

describe.each(pathAttacks)('%s (%s)', (_, path) => {
  const proxied = ['/api', '/ajax-api'].map((prefix) => `${prefix}/2.0/mlflow-artifacts/artifacts`);
  const requests = [
    ...proxied.flatMap((address) => ['GET', 'HEAD', 'PUT', 'DELETE'].map((method) => [method, `${address}/${path}`])),
    ...proxied.map((address) => ['GET', `${address}?path=${path}`]),
    ...['/api', '/ajax-api'].map((prefix) => ['GET', `${prefix}/2.0/mlflow/artifacts/list?run_id=run&path=${path}`]),
    ...['GET', 'HEAD'].map((method) => [method, `/get-artifact?run_id=run&path=${path}`]),
    ['GET', `/model-versions/get-artifact?name=model&version=1&path=${path}`],
    ['GET', `/api/lazuli/1.0/artifacts/archive?run_id=run&path=${path}`],
    ['GET', `/api/lazuli/1.0/model-versions/archive?name=model&version=1&path=${path}`],
    ['POST', `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=run&path=${path}`],
    ['GET', `/api/2.0/mlflow-artifacts/presigned/${path}`],
    ...['create', 'complete', 'abort'].map((verb) => ['POST', `/api/2.0/mlflow-artifacts/mpu/${verb}/${path}`]),
  ] as [string, string][];

  test.each(requests)('is refused for %s %s', async (method, address) => {
    const answer = await send(server, method, address, {
      ...sentWith(method),
      ...(method === 'PUT' && { body: 'overwritten' }),
    });
    expect(answer.status).toBe(400);
    if (method !== 'HEAD')
      expect(answer.json).toMatchObject({ message: expect.stringMatching(/^Invalid (path|value)/) as string });
    expectNothingTold(answer);
    expect(await everythingBelow(server.outside)).toEqual(before);
  });
});

describe.each(uriAttacks)('%s', (_, uri) => {
  test.each([
    'GET /api/2.0/mlflow/artifacts/list?run_id=attack',
    'GET /ajax-api/2.0/mlflow/artifacts/list?run_id=attack&path=etc',
    'GET /get-artifact?run_id=attack&path=secret',
    'HEAD /get-artifact?run_id=attack&path=passwd',
    'GET /model-versions/get-artifact?name=attack&version=1&path=secret',
    'GET /api/lazuli/1.0/artifacts/archive?run_id=attack',
    'GET /api/lazuli/1.0/model-versions/archive?name=attack&version=1',
    'POST /ajax-api/2.0/mlflow/upload-artifact?run_uuid=attack&path=secret',
    'POST /api/2.0/mlflow/artifacts/presigned-upload-url',
    'POST /api/2.0/mlflow/artifacts/presigned-download-url',
  ])('is refused for %s', async (line) => {
    const [method = '', address = ''] = line.split(' ');
    const hostile = uri({ server, trap: (trap.address() as AddressInfo).port });
    for (const id of ['attack', 'attack/1']) server.runs.set(id, hostile);
    const answer = await send(server, method, address, sentWith(method));
    expect([400, 501]).toContain(answer.status);
    expectNothingTold(answer);
    expect(caught).toBe(0);
    expect(await everythingBelow(server.outside)).toEqual(before);
  });
});

describe('a body or a name that is out of bounds', () => {
  test.each([
    ['a long name', 'x'.repeat(2_049)],
    ['many folders', 'd/'.repeat(300) + 'x'],
  ])('%s is refused before anything is stored', async (_, name) => {
    const answer = await send(server, 'PUT', `/api/2.0/mlflow-artifacts/artifacts/${name}`, { body: 'x' });
    expect(answer.status).toBe(400);
    expect(await everythingBelow(server.outside)).toEqual(before);
  });

  test('a name of 5,000 percent signs takes no time to refuse', async () => {
    const started = process.cpuUsage();
    const name = '%25'.repeat(5_000);
    expect((await send(server, 'GET', `/api/2.0/mlflow-artifacts/artifacts/${name}`)).status).toBe(400);
    expect(process.cpuUsage(started).user).toBeLessThan(500_000);
  });
});

/** A body that every POST here would take, were it not for the path. */
function sentWith(method: string): { headers?: OutgoingHttpHeaders; body?: string } {
  if (method !== 'POST') return {};
  const body = { run_id: 'attack', path: 'secret', upload_id: '1.x', parts: [{ part_number: 1 }] };
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

async function upload(path: string, body: string, headers = {}): Promise<void> {
  const answer = await send(server, 'PUT', `/api/2.0/mlflow-artifacts/artifacts/${path}`, { body, headers });
  expect(answer.status).toBe(200);
}

/** No content of another place, no path of the host, no stack. */
function expectNothingTold({ text, headers }: Answer): void {
  expect(text).not.toMatch(/^secret|root:|caught|\n\s+at |node:internal/);
  expect(text).not.toContain(server.outside);
  expect(headers['set-cookie']).toBeUndefined();
}

async function everythingBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.map(async (entry) => {
    const file = join(entry.parentPath, entry.name);
    return entry.isFile() ? `${file}: ${await readFile(file, 'utf8')}` : file;
  });
  return (await Promise.all(files)).sort();
}
