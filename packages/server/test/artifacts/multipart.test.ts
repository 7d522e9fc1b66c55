import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anArtifactServer, digest, proxy, second, send, type Answer, type ArtifactServer } from './fixture.ts';
import { objectStores } from './stores.ts';

const folder = '0/run/artifacts/models';
/** S3 takes parts of 5 MiB and more, but for the last one. */
const partBytes = 5 * 1024 * 1024;

interface Plan {
  readonly upload_id: string;
  readonly credentials: readonly { url: string; part_number: number; headers?: Record<string, string> }[];
}

describe.each(objectStores)('an upload in parts to $name', ({ open }) => {
  const undo = new AsyncDisposableStack();
  let server: ArtifactServer;
  beforeAll(async () => {
    server = undo.use(await anArtifactServer({ store: await open(undo) }));
  });
  afterAll(() => undo.disposeAsync());

  const post = (verb: string, body: object, headers = {}): Promise<Answer> =>
    send(server, 'POST', `/api/2.0/mlflow-artifacts/mpu/${verb}/${folder}`, {
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
    });
  const begin = async (path: string, num_parts: number): Promise<Plan> =>
    (await post('create', { path, num_parts })).json as Plan;
  /** As clients do: a bare PUT without any credentials of theirs. */
  const sendPart = async ({ credentials }: Plan, number: number, bytes: Buffer) => {
    const { url, headers = {} } = credentials[number - 1] as Plan['credentials'][number];
    const answer = await fetch(url, { method: 'PUT', headers, body: new Uint8Array(bytes) });
    expect(answer.status, await answer.text()).toBeLessThan(300);
    return { part_number: number, etag: answer.headers.get('etag') ?? '', url };
  };
  const get = (name: string): Promise<Answer> => send(server, 'GET', `${proxy}/${folder}/${name}`);
  const names = async (): Promise<unknown> => (await send(server, 'GET', `${proxy}?path=${folder}`)).json;

  test('ends with the whole file, whatever the order in which its parts came and are named', async () => {
    const bytes = randomBytes(2 * partBytes + 1000);
    const plan = await begin('/home/ann/model.bin', 3);
    expect(plan.credentials.map((part) => part.part_number)).toEqual([1, 2, 3]);
    const parts = [];
    for (const number of [3, 1, 2]) {
      parts.push(await sendPart(plan, number, bytes.subarray((number - 1) * partBytes, number * partBytes)));
    }
    expect(await names()).toEqual({});
    const { upload_id } = plan;
    expect(await post('complete', { path: '/home/ann/model.bin', upload_id, parts })).toMatchObject({
      status: 200,
      json: {},
    });
    expect(digest((await get('model.bin')).body)).toBe(digest(bytes));
  });

  test('takes a part that is sent again, in its last version', async () => {
    const [first, wrong] = [randomBytes(partBytes), randomBytes(partBytes)];
    const last = randomBytes(10);
    const plan = await begin('again.bin', 2);
    await sendPart(plan, 1, wrong);
    const parts = [await sendPart(plan, 1, first), await sendPart(plan, 2, last)];
    expect((await post('complete', { path: 'again.bin', upload_id: plan.upload_id, parts })).status).toBe(200);
    expect(digest((await get('again.bin')).body)).toBe(digest(Buffer.concat([first, last])));
  });

  test('is not completed with a part missing, named twice, never sent, or of no such number', async () => {
    const plan = await begin('holes.bin', 3);
    const { upload_id } = plan;
    const [one, two] = [
      await sendPart(plan, 1, randomBytes(partBytes)),
      await sendPart(plan, 2, randomBytes(partBytes)),
    ];
    const three = { part_number: 3, etag: one.etag };
    for (const [parts, message] of [
      [[], 'Part 1 of 3 is missing'],
      [[one, three], 'Part 2 of 3 is missing'],
      [[one, two], 'Part 3 of 3 is missing'],
      [[one, two, two], 'Part 2 is named twice'],
      [[one, two, { part_number: 4, etag: one.etag }], 'no part 4'],
      [[one, two, { part_number: 0, etag: one.etag }], 'no part 0'],
      [[one, two, three], 'A part was not uploaded'],
    ] as const) {
      const answer = await post('complete', { path: 'holes.bin', upload_id, parts });
      expect(answer, message).toMatchObject({
        status: 400,
        json: { error_code: 'INVALID_PARAMETER_VALUE', message: expect.stringContaining(message) as string },
      });
    }
    expect((await get('holes.bin')).status).toBe(404);
    // What was sent is still there, and the upload can be ended well.
    const parts = [one, two, await sendPart(plan, 3, randomBytes(5))];
    expect((await post('complete', { path: 'holes.bin', upload_id, parts })).status).toBe(200);
    expect((await get('holes.bin')).body).toHaveLength(2 * partBytes + 5);
  });

  test('that is aborted or given up shows nothing and leaves the old file; aborting twice is fine', async () => {
    await send(server, 'PUT', `${proxy}/${folder}/kept.bin`, { body: 'old' });
    const before = await names();
    const [aborted, forgotten] = [await begin('kept.bin', 2), await begin('new.bin', 2)];
    await sendPart(aborted, 1, randomBytes(partBytes));
    await sendPart(forgotten, 1, randomBytes(partBytes));
    for (let count = 0; count < 2; count += 1) {
      expect((await post('abort', { path: 'kept.bin', upload_id: aborted.upload_id })).status).toBe(200);
    }
    expect((await get('kept.bin')).text).toBe('old');
    expect((await get('new.bin')).status).toBe(404);
    expect(await names()).toEqual(before);
  });

  test('of a name of any characters reaches exactly that name', async () => {
    const name = '50% of #a?b+c 日.bin';
    const plan = await begin(`C:\\models\\${name}`, 1);
    const parts = [await sendPart(plan, 1, Buffer.from('x'))];
    expect(await post('complete', { path: name, upload_id: plan.upload_id, parts })).toMatchObject({
      status: 200,
      json: {},
    });
    expect((await get(encodeURIComponent(name))).text).toBe('x');
  });

  test('of one name twice ends with one of them, whole', async () => {
    const plans = [await begin('raced.bin', 2), await begin('raced.bin', 2)];
    const contents = plans.map(() => randomBytes(partBytes + 7));
    const answers = await Promise.all(
      plans.map(async (plan, index) => {
        const bytes = contents[index] as Buffer;
        const parts = [
          await sendPart(plan, 1, bytes.subarray(0, partBytes)),
          await sendPart(plan, 2, bytes.subarray(partBytes)),
        ];
        return await post('complete', { path: 'raced.bin', upload_id: plan.upload_id, parts });
      }),
    );
    expect(answers.map(({ status }) => status)).toContain(200);
    expect(contents.map(digest)).toContain(digest((await get('raced.bin')).body));
  });

  test('has 1 to 10,000 parts, and an id that was given out', async () => {
    for (const num_parts of [0, -1, 10_001]) {
      expect(await post('create', { path: 'x', num_parts })).toMatchObject({ status: 400 });
    }
    expect((await begin('many', 10_000)).credentials).toHaveLength(10_000);
    for (const upload_id of ['', 'x', '1.', '1.x', '0.x', `2.${'x'.repeat(3000)}`]) {
      const parts = [{ part_number: 1, etag: 'x' }];
      expect((await post('complete', { path: 'x', upload_id, parts })).status, upload_id).toBe(400);
    }
  });

  test.each(['..', 'C:\\..', '/home/ann/..', 'a/', '', 'x\u0000y', '%2e%2e'])(
    'refuses the file name %j',
    async (path) => {
      for (const [verb, rest] of [
        ['create', { num_parts: 1 }],
        ['complete', { upload_id: '1.x', parts: [{ part_number: 1 }] }],
        ['abort', { upload_id: '1.x' }],
      ] as const) {
        expect(await post(verb, { path, ...rest }), verb).toMatchObject({ status: 400 });
      }
    },
  );

  test("reaches no other workspace's files, and needs the right to write", async () => {
    const plan = await begin('of-first.bin', 1);
    const parts = [await sendPart(plan, 1, Buffer.from('x'))];
    const elsewhere = { 'x-workspace': 'second' };
    const completed = await post('complete', { path: 'of-first.bin', upload_id: plan.upload_id, parts }, elsewhere);
    expect(completed.status).toBe(400);
    expect((await get('of-first.bin')).status).toBe(404);
    const hostile = `/api/2.0/mlflow-artifacts/mpu/create/..%2F${second.guid}%2F0`;
    const headers = { 'content-type': 'application/json' };
    expect((await send(server, 'POST', hostile, { headers, body: '{"path":"x"}' })).status).toBe(400);
    server.decided.length = 0;
    expect((await post('create', { path: 'x' }, { authorization: 'nobody' })).status).toBe(403);
    expect(server.decided[0]?.[0]).toBe('experiments/runs/write');
  });
});

describe('where the store signs nothing', () => {
  test.each([
    ['a local folder', {}],
    ['a store to which clients are not sent', { directTransfers: 'off' }],
  ] as const)('%s: the answer tells clients to send files through the server', async (_, options) => {
    await using server = await anArtifactServer(options);
    const json = { 'content-type': 'application/json' };
    const asked = [
      ['POST', '/api/2.0/mlflow-artifacts/mpu/create/0/run', { path: 'x', num_parts: 2 }, 'Multipart upload'],
      ['POST', '/api/2.0/mlflow-artifacts/mpu/abort/0/run', { path: 'x', upload_id: '2.x' }, 'Multipart upload'],
      ['GET', '/api/2.0/mlflow-artifacts/presigned/0/run/x', undefined, 'Presigned download'],
      ['POST', '/api/2.0/mlflow/artifacts/presigned-upload-url', { run_id: 'run', path: 'x' }, 'Presigned upload'],
      ['POST', '/api/2.0/mlflow/artifacts/presigned-download-url', { run_id: 'run', path: 'x' }, 'Presigned download'],
    ] as const;
    for (const [method, path, body, what] of asked) {
      const given = body === undefined ? {} : { headers: json, body: JSON.stringify(body) };
      expect(await send(server, method, path, given), path).toMatchObject({
        status: 501,
        json: {
          error_code: 'NOT_IMPLEMENTED',
          message: `${what} is not supported for the current artifact repository`,
        },
      });
    }
  });
});
