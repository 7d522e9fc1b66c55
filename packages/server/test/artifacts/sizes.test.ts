import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anArtifactServer, first, proxy, send, type ArtifactServer } from './fixture.ts';
import { filePath, folderPath } from '../../src/artifact-store/artifact-path.ts';
import type { ArtifactStore } from '../../src/artifact-store/artifact-store.ts';
import { allStores } from './stores.ts';

/** Each night at full size; otherwise more than one page, and more than one part of an upload. */
const isNightly = process.env['LAZULI_NIGHTLY'] === '1';
const fileCount = isNightly ? 10_000 : 1_100;
const limitMs = isNightly ? 30 * 60_000 : 120_000;

describe.each(allStores)('sizes in $name', ({ name, open }) => {
  // The emulators keep all they have in memory or in a temporary folder.
  const megabytes = isNightly ? (name === 'a local folder' ? 5 * 1024 : 1024) : 30;
  const undo = new AsyncDisposableStack();
  let server: ArtifactServer;
  let store: ArtifactStore;
  beforeAll(async () => {
    store = await open(undo);
    server = undo.use(await anArtifactServer({ store }));
  });
  afterAll(() => undo.disposeAsync());

  test(
    'a folder of very many files is listed in pages that hold each once, and whole by the proxy',
    { timeout: limitMs },
    async () => {
      const folder = store.within(folderPath(first.guid));
      const names = Array.from({ length: fileCount }, (_, index) => `many/${String(index).padStart(5, '0')}`);
      const waiting = names.values();
      const put = async (): Promise<void> => {
        for (const name of waiting) await folder.put(filePath(`0/run/artifacts/${name}`), one());
      };
      await Promise.all(Array.from({ length: 16 }, put));
      const listed: string[] = [];
      let token: string | undefined;
      let pages = 0;
      do {
        const query = token === undefined ? '' : `&page_token=${encodeURIComponent(token)}`;
        const answer = await send(server, 'GET', `/api/2.0/mlflow/artifacts/list?run_id=run&path=many${query}`);
        const page = answer.json as { files: { path: string }[]; next_page_token?: string };
        expect(page.files.length).toBeLessThanOrEqual(1000);
        listed.push(...page.files.map(({ path }) => path));
        token = page.next_page_token;
        pages += 1;
      } while (token !== undefined);
      expect(pages).toBe(Math.ceil(fileCount / 1000));
      expect(listed.toSorted()).toEqual(names);
      const whole = (await send(server, 'GET', `${proxy}?path=0/run/artifacts/many`)).json as { files: unknown[] };
      expect(whole.files).toHaveLength(fileCount);
    },
  );

  test('a file of many parts goes up and comes down byte for byte', { timeout: limitMs }, async () => {
    const common = randomBytes(2 ** 20);
    const sent = createHash('sha256');
    const blockAt = (index: number): Buffer => {
      const block = Buffer.from(common);
      block.writeUInt32LE(index);
      sent.update(block);
      return block;
    };
    const path = `${proxy}/0/run/artifacts/large.bin`;
    await new Promise<void>((resolve, reject) => {
      const upload = request({ port: server.port, method: 'PUT', path }, (answer) => {
        answer.resume();
        if (answer.statusCode === 200) resolve();
        else reject(new Error(`answered with ${answer.statusCode}`));
      }).on('error', reject);
      let index = 0;
      const write = (): void => {
        while (index < megabytes) if (!upload.write(blockAt(index++))) return void upload.once('drain', write);
        upload.end();
      };
      write();
    });
    const received = createHash('sha256');
    await new Promise<void>((resolve, reject) => {
      request({ port: server.port, path }, (answer) => {
        expect(answer.headers['content-length']).toBe(String(megabytes * 2 ** 20));
        answer
          .on('data', (chunk: Buffer) => received.update(chunk))
          .on('end', resolve)
          .on('error', reject);
      })
        .on('error', reject)
        .end();
    });
    expect(received.digest('hex')).toBe(sent.digest('hex'));
    const last = await send(server, 'GET', path, { headers: { range: 'bytes=-1048576' } });
    expect(last.body.readUInt32LE(0)).toBe(megabytes - 1);
  });

  test('a very long name is kept whole', async () => {
    const long = `0/run/artifacts/${'日'.repeat(80)}/${'x'.repeat(200)}.txt`;
    const path = `${proxy}/${long.split('/').map(encodeURIComponent).join('/')}`;
    expect((await send(server, 'PUT', path, { body: 'x' })).status).toBe(200);
    expect((await send(server, 'GET', path)).text).toBe('x');
  });
});

async function* one(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('x');
}
