import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MlflowError } from '@lazuli/contract';
import type { ArtifactStore, TransferProgress } from '../artifacts/artifact-store.ts';
import { proxiedStore } from '../artifacts/proxied-store.ts';
import { createTransport } from '../transport.ts';
import { download } from './download.ts';

let folder = '';
const undo: (() => unknown)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lazuli-download-'));
  undo.push(() => rm(folder, { recursive: true, force: true }));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const one of undo.splice(0)) await one();
});

const content = Buffer.from('0123456789'.repeat(20_000));

interface Served {
  /** The byte of the file before which an answer stands still. */
  haltAt: number;
  etag: string;
  content: Buffer;
  headers: http.OutgoingHttpHeaders;
}

/** A proxy with one file, which gives ranges of the version that it has. */
async function served({ asked, ...given }: Partial<Served> & { readonly asked?: unknown[] } = {}) {
  const state: Served = { haltAt: Infinity, etag: '"v1"', content, headers: {}, ...given };
  const ranges: (string | undefined)[] = [];
  const server = http.createServer((request, response) => {
    const { range, 'if-range': known } = request.headers;
    if (request.url?.includes('artifacts?')) {
      response.end(JSON.stringify({ files: [] }));
      return;
    }
    ranges.push(range);
    asked?.push(request.headers['want-repr-digest']);
    const start = range === undefined || known !== state.etag ? 0 : Number(/\d+/.exec(range)?.[0]);
    const size = state.content.length;
    if (start >= size) {
      response.writeHead(416).end();
      return;
    }
    const part = start === 0 ? {} : { 'content-range': `bytes ${start}-${size - 1}/${size}` };
    response.writeHead(start === 0 ? 200 : 206, {
      ...part,
      'content-length': size - start,
      etag: state.etag,
      ...state.headers,
    });
    if (size <= state.haltAt) response.end(state.content.subarray(start));
    else response.write(state.content.subarray(start, state.haltAt));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  undo.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const transport = createTransport({ url, retries: { maxRetries: 0 } });
  const store = proxiedStore(transport, 'root', { minimumSize: Infinity, partSize: 1 });
  return {
    state,
    ranges,
    cut: () => server.closeAllConnections(),
    fetchFile: (options = {}) => download({ store, folder: 'a.bin' }, folder, options),
    fetchAnywhere: () => download({ store, folder: 'a.bin' }, undefined),
  };
}

const downloaded = (): Promise<Buffer> => readFile(join(folder, 'a.bin'));

test('a connection that breaks goes on where it was', async () => {
  const { fetchFile, ranges, state, cut } = await served({ haltAt: 90_000 });
  const seen: TransferProgress[] = [];
  const onProgress = (now: TransferProgress): void => {
    seen.push(now);
    if (now.bytes !== state.haltAt) return;
    state.haltAt += 90_000;
    cut();
  };
  await fetchFile({ onProgress });
  expect((await downloaded()).equals(content)).toBe(true);
  expect(ranges).toHaveLength(3);
  expect(ranges.slice(1)).toEqual([expect.stringMatching(/^bytes=\d+-$/), expect.stringMatching(/^bytes=\d+-$/)]);
  expect(seen.at(-1)).toEqual({ path: 'a.bin', bytes: 200_000, total: 200_000 });
  expect(await readdir(folder)).toEqual(['a.bin']);
});

/** Gives a download up in the middle. */
async function brokenOff({ fetchFile, state }: Awaited<ReturnType<typeof served>>): Promise<void> {
  state.haltAt = 90_000;
  const stop = new AbortController();
  const onProgress = ({ bytes }: TransferProgress): void => {
    if (bytes === 90_000) stop.abort();
  };
  await expect(fetchFile({ signal: stop.signal, onProgress })).rejects.toThrow(/abort/i);
  state.haltAt = Infinity;
  expect((await readdir(folder)).sort()).toEqual(['a.bin.part', 'a.bin.part.etag']);
}

test('a download that was given up goes on with the next one', async () => {
  const file = await served();
  await brokenOff(file);
  await file.fetchFile();
  expect((await downloaded()).equals(content)).toBe(true);
  expect(file.ranges).toEqual([undefined, expect.stringMatching(/^bytes=\d+-$/)]);
  expect(await readdir(folder)).toEqual(['a.bin']);
});

test('a part of an older version is thrown away', async () => {
  const file = await served();
  await brokenOff(file);
  file.state.etag = '"v2"';
  file.state.content = Buffer.alloc(150_000, 'y');
  await file.fetchFile();
  expect((await downloaded()).equals(file.state.content)).toBe(true);
  expect(file.ranges).toEqual([undefined, expect.stringMatching(/^bytes=\d+-$/)]);
});

test('a part that is the whole, and one whose version nobody knows, begin anew', async () => {
  const file = await served();
  await writeFile(join(folder, 'a.bin.part'), Buffer.alloc(content.length, 'z'));
  await file.fetchFile();
  expect(file.ranges).toEqual([undefined]);
  await writeFile(join(folder, 'a.bin.part'), content);
  await writeFile(join(folder, 'a.bin.part.etag'), '"v1"');
  await file.fetchFile();
  expect(file.ranges).toEqual([undefined, 'bytes=200000-', undefined]);
  expect((await downloaded()).equals(content)).toBe(true);
});

test('a store that refuses an older version is asked anew', async () => {
  const asked: unknown[] = [];
  const store: ArtifactStore = {
    list: async () => [],
    upload: async () => undefined,
    async open(_, { offset, etag } = {}) {
      asked.push([offset, etag]);
      // *Blobs of Azure are read on condition that they are still the same.*
      if (etag !== undefined) throw new MlflowError('RESOURCE_CONFLICT', 'ConditionNotMet', { status: 412 });
      return { body: new Blob(['new']).stream(), offset: 0, size: 3, etag: '"v2"' };
    },
  };
  await writeFile(join(folder, 'a.bin.part'), 'olde');
  await writeFile(join(folder, 'a.bin.part.etag'), '"v1"');
  await download({ store, folder: 'a.bin' }, folder);
  expect(asked).toEqual([
    [4, '"v1"'],
    [0, undefined],
  ]);
  expect(await readFile(join(folder, 'a.bin'), 'utf8')).toBe('new');
  expect(await readdir(folder)).toEqual(['a.bin']);
});

const digests: [string, (bytes: Buffer) => http.OutgoingHttpHeaders][] = [
  ['Repr-Digest', (bytes) => ({ 'repr-digest': `sha-256=:${hash('sha256', bytes)}:` })],
  ['x-amz-checksum-sha256', (bytes) => ({ 'x-amz-checksum-sha256': hash('sha256', bytes) })],
  ['Content-MD5', (bytes) => ({ 'content-md5': hash('md5', bytes) })],
  ['x-ms-blob-content-md5', (bytes) => ({ 'x-ms-blob-content-md5': hash('md5', bytes) })],
];
function hash(algorithm: string, bytes: Buffer): string {
  return createHash(algorithm).update(bytes).digest('base64');
}

test.each(digests)(
  'a file that is not of the digest in %s is refused, and nothing of it stays',
  async (_, headersOf) => {
    const file = await served({ headers: headersOf(content) });
    await file.fetchFile();
    await rm(join(folder, 'a.bin'));
    file.state.headers = headersOf(Buffer.from('something else'));
    await expect(file.fetchFile()).rejects.toThrow(
      /'a\.bin' came damaged: its (sha256|md5) is .+ Nothing of it was kept/,
    );
    expect(await readdir(folder)).toEqual([]);
  },
);

test('what only looks like a digest is none', async () => {
  const other = hash('sha256', Buffer.from('a part'));
  for (const headers of [
    { etag: `"${createHash('md5').update('other').digest('hex')}"` },
    { 'x-amz-checksum-sha256': `${other}-3` },
    { 'x-amz-checksum-sha256': other, 'x-amz-checksum-type': 'COMPOSITE' },
  ]) {
    const file = await served({ headers });
    await file.fetchFile();
    expect((await downloaded()).equals(content)).toBe(true);
  }
});

test('an MD5 of a range says nothing of the whole', async () => {
  const file = await served();
  await brokenOff(file);
  file.state.headers = { 'content-md5': hash('md5', content.subarray(90_000)) };
  await file.fetchFile();
  expect((await downloaded()).equals(content)).toBe(true);
});

test('a file that is not there leaves nothing', async () => {
  const file = await served({ content: Buffer.alloc(0) });
  await expect(file.fetchFile()).rejects.toMatchObject({ status: 416 });
  expect(await readdir(folder)).toEqual([]);
});

test('a new temporary folder takes what comes, and goes where nothing does', async () => {
  vi.stubEnv('TMPDIR', folder);
  const file = await served();
  const [to = ''] = await file.fetchAnywhere();
  expect(to).toMatch(join(folder, 'lazuli-artifacts-'));
  expect((await readFile(to)).equals(content)).toBe(true);
  const left = await readdir(folder);
  const damaged = await served({ headers: { 'content-md5': hash('md5', Buffer.from('something else')) } });
  await expect(damaged.fetchAnywhere()).rejects.toThrow('came damaged');
  expect(await readdir(folder)).toEqual(left);
});

test('a download that is to be verified asks for the digest, and is refused where there is none', async () => {
  const asked: unknown[] = [];
  const digest = `sha-256=:${createHash('sha256').update(content).digest('base64')}:`;
  const file = await served({ headers: { 'repr-digest': digest }, asked });
  await file.fetchFile();
  await file.fetchFile({ verify: true });
  expect(asked).toEqual([undefined, 'sha-256=10']);
  await rm(join(folder, 'a.bin'));
  file.state.headers = {};
  await expect(file.fetchFile({ verify: true })).rejects.toThrow(
    "'a.bin' cannot be verified: the server tells no digest",
  );
  expect(asked, 'asking again would not help').toHaveLength(3);
  expect(await readdir(folder)).toEqual([]);
  file.state.headers = { 'repr-digest': `sha-256=:${'A'.repeat(43)}=:` };
  await expect(file.fetchFile({ verify: true })).rejects.toThrow('came damaged');
  await file.fetchFile({ verify: false });
  expect((await downloaded()).equals(content)).toBe(true);
});
