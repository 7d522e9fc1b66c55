import { MlflowError } from '@lazuli/contract';
import { describe, expect, test } from 'vitest';
import { waitBefore } from './retry-policy.ts';
import { createTransport, type TransportOptions } from './transport.ts';

type Reply = Response | Error | ((init: RequestInit) => Promise<Response>);

/** A transport whose requests are answered in turn by what is given. */
function answering(replies: Reply[], options: Partial<TransportOptions> = {}) {
  const seen: { url: string; headers: Record<string, string> }[] = [];
  const transport = createTransport({
    url: 'http://server.test/base/',
    retries: { backoffFactor: 0, backoffJitter: 0 },
    fetch: async (url, init = {}) => {
      seen.push({ url: new Request(url).url, headers: init.headers as Record<string, string> });
      const reply = replies.shift();
      if (reply === undefined) throw new Error('no more replies');
      if (reply instanceof Error) throw reply;
      return typeof reply === 'function' ? reply(init) : reply;
    },
    ...options,
  });
  return { transport, seen };
}

const busy = (status: number, headers: Record<string, string> = {}): Response =>
  new Response('busy', { status, headers });
const reset = new TypeError('fetch failed', { cause: Object.assign(new Error('reset'), { code: 'ECONNRESET' }) });

test('what is transient is sent again until it is answered, whatever the method', async () => {
  const replies = [busy(408), busy(429), busy(500), busy(502), busy(503), busy(504), reset, new Response('done')];
  const { transport, seen } = answering(replies);
  expect(await transport.send('POST', '/x', '{}')).toBe('done');
  expect(seen).toHaveLength(8);
});

test('what will fail again is sent once', async () => {
  for (const status of [400, 401, 403, 404, 409, 501]) {
    const { transport, seen } = answering([busy(status)]);
    await expect(transport.send('GET', '/x', undefined)).rejects.toMatchObject({ status });
    expect(seen).toHaveLength(1);
  }
  for (const code of ['ENOTFOUND', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']) {
    const failure = new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) });
    const { transport, seen } = answering([failure]);
    await expect(transport.send('GET', '/x', undefined)).rejects.toBeInstanceOf(MlflowError);
    expect(seen).toHaveLength(1);
  }
});

test('the number of repetitions is kept, and the last failure is what the caller gets', async () => {
  const { transport, seen } = answering([busy(503), busy(503), busy(500, { 'x-request-id': 'r7' })], {
    retries: { maxRetries: 2, backoffFactor: 0, backoffJitter: 0 },
  });
  await expect(transport.send('GET', '/x', undefined)).rejects.toMatchObject({ status: 500, requestId: 'r7' });
  expect(seen).toHaveLength(3);
});

test('waits double from the second repetition on, up to two minutes, with a random share', () => {
  const waits = [1, 2, 3, 4, 5, 6, 7].map((n) => waitBefore(n, {}, undefined, () => 0.5));
  expect(waits).toEqual([500, 4_500, 8_500, 16_500, 32_500, 64_500, 120_000]);
});

test('Retry-After is obeyed as seconds and as a date, and only where it is to be respected', () => {
  expect(waitBefore(5, {}, '3')).toBe(3_000);
  const inTenSeconds = new Date(Date.now() + 10_000).toUTCString();
  expect(waitBefore(1, {}, inTenSeconds)).toBeGreaterThan(8_000);
  expect(waitBefore(1, {}, inTenSeconds)).toBeLessThanOrEqual(10_000);
  expect(waitBefore(2, { respectRetryAfter: false, backoffJitter: 0 }, '60')).toBe(4_000);
  expect(waitBefore(2, { backoffJitter: 0 }, 'nonsense')).toBe(4_000);
});

test('an abort ends a request, and a wait, with the reason of the signal', async () => {
  const stop = new AbortController();
  const hanging = (init: RequestInit): Promise<Response> =>
    new Promise((_, reject) => {
      init.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error));
      stop.abort(new Error('enough'));
    });
  const { transport } = answering([hanging]);
  await expect(transport.send('GET', '/x', undefined, { signal: stop.signal })).rejects.toThrow('enough');

  const second = new AbortController();
  const waiting = answering([busy(503, { 'retry-after': '100' }), () => Promise.reject(new Error('never'))]);
  const sent = waiting.transport.send('GET', '/x', undefined, { signal: second.signal });
  setTimeout(() => second.abort(new Error('too long')), 5);
  await expect(sent).rejects.toThrow('too long');
  expect(waiting.seen).toHaveLength(1);
});

test('a try that takes too long is given up and repeated', async () => {
  const hanging = (init: RequestInit): Promise<Response> =>
    new Promise((_, reject) => init.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error)));
  const { transport, seen } = answering([hanging, new Response('late but there')], { timeout: 0.01 });
  expect(await transport.send('GET', '/x', undefined)).toBe('late but there');
  expect(seen).toHaveLength(2);
});

test('the source of authorization is asked before each try, and told the target', async () => {
  const asked: string[] = [];
  const { transport, seen } = answering([busy(503), new Response('ok')], {
    authorization: {
      header: async (target) => {
        asked.push(target.href);
        return asked.length === 1 ? 'Bearer one' : undefined;
      },
    },
  });
  await transport.send('GET', '/x?y=1', undefined);
  expect(asked).toEqual(['http://server.test/base/x?y=1', 'http://server.test/base/x?y=1']);
  expect(seen.map(({ headers }) => headers['authorization'])).toEqual(['Bearer one', undefined]);
});

test('a signed URL gets no credentials', async () => {
  const { transport, seen } = answering([new Response('bytes')], { token: 'secret', workspace: 'team' });
  await transport.exchange('GET', 'https://store.test/file?sig=1', { signed: 'by URL' });
  expect(seen).toEqual([{ url: 'https://store.test/file?sig=1', headers: {} }]);
});

test('an unknown authority of a certificate comes with advice', async () => {
  const failure = new TypeError('fetch failed', {
    cause: Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
  });
  const { transport } = answering([failure]);
  await expect(transport.send('GET', '/x', undefined)).rejects.toThrow(/MLFLOW_TRACKING_SERVER_CERT_PATH/);
});

describe('long bodies', () => {
  const long = JSON.stringify({ text: 'x'.repeat(20_000) });
  const offering = (): Response => new Response('done', { headers: { 'accept-encoding': 'gzip' } });
  const codings = (seen: { headers: Record<string, string> }[]) =>
    seen.map(({ headers }) => headers['content-encoding']);

  test('go compressed once the server has said that it takes them so', async () => {
    const { transport, seen } = answering([offering(), new Response('done'), new Response('done')]);
    await transport.send('POST', '/x', long);
    await transport.send('POST', '/x', long);
    await transport.send('POST', '/x', '{}');
    expect(codings(seen)).toEqual([undefined, 'gzip', undefined]);
  });

  test('go as they are to this machine itself, and where compression is never wanted', async () => {
    for (const options of [{ url: 'http://127.0.0.1:5000' }, { compression: 'never' }] as const) {
      const { transport, seen } = answering([offering(), new Response('done')], options);
      await transport.send('POST', '/x', long);
      await transport.send('POST', '/x', long);
      expect(codings(seen)).toEqual([undefined, undefined]);
    }
  });

  test('go again as they are where a server that does not take them has come instead', async () => {
    for (const status of [400, 415]) {
      const { transport, seen } = answering([offering(), busy(status), new Response('done'), new Response('done')]);
      await transport.send('POST', '/x', long);
      expect(await transport.send('POST', '/x', long)).toBe('done');
      await transport.send('POST', '/x', long);
      expect(codings(seen)).toEqual([undefined, 'gzip', undefined, undefined]);
    }
  });
});
