import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { digestOf } from '../node/files.ts';
import { createTransport } from '../transport.ts';
import type { TransferProgress } from './artifact-store.ts';
import type { DigestOf } from './content-digest.ts';
import { proxiedStore } from './proxied-store.ts';

type Request = { readonly call: string; readonly body: unknown; readonly headers: Headers };

/** A proxy that answers as it is told, and remembers what was asked of it. */
function proxy(answer: (call: string, text: string) => Response | undefined, hashed: number[] = []) {
  const requests: Request[] = [];
  const fetch: typeof globalThis.fetch = async (input, { method = 'GET', headers, body } = {}) => {
    const url = new URL(new Request(input).url);
    const call = `${method} ${url.host === 'server.test' ? url.pathname.replace('/api/2.0/mlflow-artifacts', '') : url.href}`;
    const text = await new Response(body).text();
    requests.push({ call, body: text.startsWith('{') ? JSON.parse(text) : text, headers: new Headers(headers) });
    return answer(call, text) ?? Response.json({});
  };
  const transport = createTransport({ url: 'http://server.test', token: 't', fetch, retries: { maxRetries: 0 } });
  const counting: DigestOf = (content, algorithm) => {
    hashed.push(content.size);
    return digestOf(content, algorithm);
  };
  const settings = { minimumSize: 10, partSize: 4, digestOf: counting };
  return {
    store: proxiedStore(transport, '0/run/artifacts', settings),
    storeOfWhole: proxiedStore(transport, '0/run/artifacts', { ...settings, minimumSize: Infinity }),
    storeWithoutHashes: proxiedStore(transport, '0/run/artifacts', { minimumSize: 10, partSize: 4 }),
    requests,
  };
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64');
/** A server that takes digests. */
const tells = (_call: string, text: string): Response =>
  new Response('', { headers: { 'repr-digest': `sha-256=:${sha256(text)}:` } });

const credentials = [1, 2, 3].map((part_number) => ({
  part_number,
  url: `https://store.test/${part_number}?sig=x`,
  headers: { 'x-part': String(part_number) },
}));
const parted = (call: string): Response | undefined => {
  if (call.startsWith('POST /mpu/create/')) return Response.json({ upload_id: 'u1', credentials });
  return call.startsWith('PUT https://store.test/')
    ? new Response('', { headers: { etag: `"${call.at(-7) ?? ''}"` } })
    : undefined;
};

test('a large file goes in parts, straight to the addresses that the server signs', async () => {
  const { store, requests } = proxy(parted);
  const progress: TransferProgress[] = [];
  await store.upload([{ path: 'd/a b.bin', content: new Blob(['0123456789']) }], {
    onProgress: (now) => progress.push(now),
    parallel: 1,
  });
  expect(requests.map(({ call, body }) => [call, body])).toEqual([
    ['POST /mpu/create/0/run/artifacts/d', { path: 'a b.bin', num_parts: 3 }],
    ['PUT https://store.test/1?sig=x', '0123'],
    ['PUT https://store.test/2?sig=x', '4567'],
    ['PUT https://store.test/3?sig=x', '89'],
    [
      'POST /mpu/complete/0/run/artifacts/d',
      {
        path: 'a b.bin',
        upload_id: 'u1',
        parts: credentials.map(({ part_number, url }) => ({ part_number, etag: `"${part_number}"`, url })),
      },
    ],
  ]);
  expect(requests[1]?.headers.get('x-part')).toBe('1');
  expect(requests[1]?.headers.has('authorization')).toBe(false);
  expect(progress.at(-1)).toEqual({ path: 'd/a b.bin', bytes: 10, total: 10 });
});

test('where the server signs nothing, and for small files, the proxy takes the whole', async () => {
  for (const status of [501, 404]) {
    const { store, requests } = proxy((call) => (call.startsWith('POST') ? new Response('no', { status }) : undefined));
    await store.upload([{ path: 'a', content: new Blob(['0123456789']) }]);
    expect(requests.map(({ call }) => call)).toEqual([
      'POST /mpu/create/0/run/artifacts',
      'PUT /artifacts/0/run/artifacts/a',
    ]);
  }
  const { store, requests } = proxy(() => undefined);
  await store.upload([{ path: 'a', content: new Blob(['012345678']) }]);
  expect(requests.map(({ call, body }) => [call, body])).toEqual([['PUT /artifacts/0/run/artifacts/a', '012345678']]);
});

test('an upload that fails takes its parts away', async () => {
  const { store, requests } = proxy((call) =>
    call.startsWith('PUT') ? new Response('no', { status: 403 }) : parted(call),
  );
  await expect(store.upload([{ path: 'a', content: new Blob(['0123456789']) }])).rejects.toMatchObject({ status: 403 });
  expect(requests.at(-1)).toMatchObject({
    call: 'POST /mpu/abort/0/run/artifacts',
    body: { path: 'a', upload_id: 'u1' },
  });
});

test('a refusal other than of parts is a refusal', async () => {
  const { store } = proxy(() => new Response('no', { status: 403 }));
  await expect(store.upload([{ path: 'a', content: new Blob(['0123456789']) }])).rejects.toMatchObject({ status: 403 });
});

test('what a server is to store it is told beforehand, where it takes digests or that costs next to nothing', async () => {
  const hashed: number[] = [];
  const { storeOfWhole: store, requests } = proxy(tells, hashed);
  const large = 'x'.repeat(2 * 1024 ** 2);
  for (const [path, content] of [
    ['first', large],
    ['second', large],
    ['third', 'small'],
  ] as const) {
    await store.upload([{ path, content: new Blob([content]) }]);
  }
  expect(requests.map(({ headers }) => headers.get('repr-digest'))).toEqual([
    null,
    `sha-256=:${sha256(large)}:`,
    `sha-256=:${sha256('small')}:`,
  ]);
  expect(requests.map(({ headers }) => headers.get('want-repr-digest'))).toEqual(Array(3).fill('sha-256=10'));
  expect(hashed).toEqual([large.length, large.length, 5]);
});

test('nothing is hashed for a server that takes no digests, nor where the caller does not want it', async () => {
  const hashed: number[] = [];
  const { storeOfWhole: store, requests } = proxy(() => undefined, hashed);
  const large = new Blob(['x'.repeat(2 * 1024 ** 2)]);
  await store.upload([{ path: 'first', content: large }]);
  await store.upload([{ path: 'second', content: new Blob(['small']) }]);
  expect(hashed).toEqual([]);
  expect(requests[1]?.headers.has('want-repr-digest')).toBe(false);

  const other = proxy(tells, hashed);
  await other.storeOfWhole.upload([{ path: 'unchecked', content: new Blob(['small']) }], { verify: false });
  expect(hashed).toEqual([]);
  expect(other.requests[0]?.headers.has('repr-digest')).toBe(false);
});

test('a server that has stored something else is an error that names both digests', async () => {
  const { storeOfWhole: store } = proxy((call) => tells(call, 'damaged'));
  const upload = store.upload([{ path: 'd/model.bin', content: new Blob(['x'.repeat(2 * 1024 ** 2)]) }]);
  await expect(upload).rejects.toMatchObject({
    errorCode: 'INTERNAL_ERROR',
    message: expect.stringMatching(/'d\/model\.bin' arrived damaged.* is [\w+/]{43}=.* stored [\w+/]{43}=/) as unknown,
  });
});

test('each part goes with its MD5, which stores hold it against', async () => {
  const { store, requests } = proxy(parted);
  await store.upload([{ path: 'd/m', content: new Blob(['0123456789']) }]);
  await store.upload([{ path: 'd/m', content: new Blob(['0123456789']) }], { verify: false });
  const parts = requests.filter(({ call }) => call.startsWith('PUT'));
  const md5 = (text: unknown): string => createHash('md5').update(String(text)).digest('base64');
  expect(parts.map(({ headers }) => headers.get('content-md5'))).toEqual([
    ...parts.slice(0, 3).map(({ body }) => md5(body)),
    ...[null, null, null],
  ]);
});

test('what cannot be hashed here is not sent as if it were verified', async () => {
  const { requests, storeWithoutHashes } = proxy(tells);
  const uploads = [{ path: 'a', content: new Blob(['bytes']) }];
  await expect(storeWithoutHashes.upload(uploads, { verify: true })).rejects.toThrow(/not in browsers/);
  await expect(
    storeWithoutHashes.upload([{ path: 'a', content: new Blob(['0123456789']) }], { verify: true }),
  ).rejects.toThrow(/'verify: true' cannot be had here/);
  expect(requests).toEqual([]);
  await storeWithoutHashes.upload(uploads);
  expect(requests).toHaveLength(1);
});

test('an upload that is to be verified fails where the server tells no digest', async () => {
  const { storeOfWhole } = proxy(() => undefined);
  const uploads = [{ path: 'a', content: new Blob(['bytes']) }];
  await storeOfWhole.upload(uploads);
  for (let time = 0; time < 2; time++) {
    await expect(storeOfWhole.upload(uploads, { verify: true })).rejects.toThrow(
      "'a' was sent, but cannot be verified: the server tells no digest of it.",
    );
  }
});
