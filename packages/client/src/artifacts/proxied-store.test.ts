import { expect, test } from 'vitest';
import { createTransport } from '../transport.ts';
import type { TransferProgress } from './artifact-store.ts';
import { proxiedStore } from './proxied-store.ts';

type Request = { readonly call: string; readonly body: unknown; readonly headers: Headers };

/** A proxy that answers as it is told, and remembers what was asked of it. */
function proxy(answer: (call: string) => Response | undefined) {
  const requests: Request[] = [];
  const fetch: typeof globalThis.fetch = async (input, { method = 'GET', headers, body } = {}) => {
    const url = new URL(new Request(input).url);
    const call = `${method} ${url.host === 'server.test' ? url.pathname.replace('/api/2.0/mlflow-artifacts', '') : url.href}`;
    const text = await new Response(body).text();
    requests.push({ call, body: text.startsWith('{') ? JSON.parse(text) : text, headers: new Headers(headers) });
    return answer(call) ?? Response.json({});
  };
  const transport = createTransport({ url: 'http://server.test', token: 't', fetch, retries: { maxRetries: 0 } });
  return { store: proxiedStore(transport, '0/run/artifacts', { minimumSize: 10, partSize: 4 }), requests };
}

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
