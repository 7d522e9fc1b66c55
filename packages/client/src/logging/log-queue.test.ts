import { compileWriter, contract, MlflowError } from '@lazuli/contract';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { batchLength, batchOf, type LogEntry } from './log-entry.ts';
import { createLogQueue, type LogQueue, type LogQueueOptions } from './log-queue.ts';

const metric = (index: number): LogEntry => ({
  kind: 'metric',
  key: 'loss',
  value: index,
  timestamp: index,
  step: index,
});
const point = { kind: 'metric', key: 'loss', value: 1, timestamp: 1, step: 1 } as const;
const param = (key: string, value = '1'): LogEntry => ({ kind: 'param', key, value });
const tag = (key: string, value = '1'): LogEntry => ({ kind: 'tag', key, value });
const unavailable = new MlflowError('TEMPORARILY_UNAVAILABLE', 'nobody is there');

/** A queue whose server does as it is told for each request, and remembers what reached it. */
function queueTo(
  server: (batch: readonly LogEntry[], request: number) => 'take' | 'lose answer' | Error,
  options: Partial<LogQueueOptions> = {},
) {
  const taken: LogEntry[] = [];
  const kept: LogEntry[] = [];
  const warnings: string[] = [];
  let requests = 0;
  const queue = createLogQueue({
    gatherMs: 0,
    send: async (batch) => {
      const order = server(batch, requests++);
      await Promise.resolve();
      if (order instanceof Error) throw order;
      taken.push(...batch);
      if (order === 'lose answer') throw unavailable;
    },
    keep: (entries) => {
      kept.push(...entries);
      return 'kept.jsonl';
    },
    warn: (message) => warnings.push(message),
    ...options,
  });
  return { queue, taken, kept, warnings, requests: () => requests };
}

async function emptied(queue: LogQueue): Promise<void> {
  await vi.waitFor(() => expect(queue.waiting).toBe(0));
}

test('what is logged arrives in its order, in batches', async () => {
  const { queue, taken, requests } = queueTo(() => 'take');
  const entries = Array.from({ length: 2_500 }, (_, index) => metric(index));
  for (const entry of entries) void queue.push(entry);
  await queue.wait();
  expect(taken).toEqual(entries);
  expect(requests()).toBeLessThanOrEqual(4);
});

test('a batch keeps within 1000 entries, 100 params, 100 tags and 1 MB, and holds a key of params and tags once', () => {
  const many = (count: number, make: (index: number) => LogEntry): LogEntry[] =>
    Array.from({ length: count }, (_, index) => make(index));
  expect(batchLength(many(1_001, metric), 0)).toBe(1_000);
  expect(
    batchLength(
      many(101, (index) => param(`p${index}`)),
      0,
    ),
  ).toBe(100);
  expect(
    batchLength(
      many(101, (index) => tag(`t${index}`)),
      0,
    ),
  ).toBe(100);
  expect(batchLength([tag('a', 'x'), param('a'), tag('a', 'y')], 0)).toBe(2);
  expect(
    batchLength(
      many(90, (index) => tag(`t${index}`, 'ü'.repeat(8_000))),
      0,
    ),
  ).toBe(41);
  expect(batchLength([tag('t', 'ü'.repeat(900_000))], 0)).toBe(1);
  expect(batchLength(many(10, metric), 7)).toBe(3);
});

test('one bad entry is found and named, and all others arrive in order', async () => {
  const { queue, taken } = queueTo((batch) =>
    batch.some((entry) => entry.kind === 'param')
      ? new MlflowError('INVALID_PARAMETER_VALUE', 'already logged')
      : 'take',
  );
  const entries = Array.from({ length: 500 }, (_, index) => (index === 321 ? param('rate') : metric(index)));
  for (const entry of entries) void queue.push(entry);
  await expect(queue.wait()).rejects.toThrow("The server refused the param 'rate': already logged");
  expect(taken).toEqual(entries.filter((entry) => entry.kind === 'metric'));
  await queue.wait();
});

test('a run that takes nothing costs a few requests, not one for each entry', async () => {
  const { queue, requests } = queueTo(() => new MlflowError('INVALID_PARAMETER_VALUE', 'The run is deleted'));
  for (let index = 0; index < 3_000; index++) void queue.push(metric(index));
  await expect(queue.close()).rejects.toThrow(/refused the metric 'loss' and 2999 others: The run is deleted/);
  expect(requests()).toBeLessThan(60);
});

test('what is refused while nobody waits is said at once, and again where somebody does', async () => {
  const { queue, warnings } = queueTo(() => new MlflowError('INVALID_PARAMETER_VALUE', 'The run is deleted'));
  for (let index = 0; index < 3; index++) {
    await queue.push(metric(index));
    await emptied(queue);
  }
  expect(warnings).toEqual(["The server refused the metric 'loss': The run is deleted"]);
  await expect(queue.wait()).rejects.toThrow(/the metric 'loss' and 2 others: The run is deleted/);
});

test('values of a run whose token is refused are kept, and that is said at once', async () => {
  const { queue, kept, warnings } = queueTo(() => new MlflowError('UNAUTHENTICATED', 'The token has expired'));
  for (let index = 0; index < 3; index++) {
    await queue.push(metric(index));
    await emptied(queue);
  }
  expect(kept).toHaveLength(3);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/^1 logged values could not be sent: The token has expired. They are kept in kept.jsonl/);
  await expect(queue.close()).rejects.toThrow(/^3 logged values could not be sent/);
});

test('who gives up waiting hears of nothing, and the next one of everything', async () => {
  const { queue } = queueTo(() => new MlflowError('INVALID_PARAMETER_VALUE', 'The run is deleted'));
  const given = new AbortController();
  await queue.push(metric(1));
  const waited = queue.wait(given.signal);
  given.abort(new Error('enough'));
  await expect(waited).rejects.toThrow('enough');
  await expect(queue.wait(given.signal)).rejects.toThrow('enough');
  await expect(queue.wait()).rejects.toThrow('The run is deleted');
});

test('an outage is waited for while the run lives', async () => {
  const { queue, taken, warnings } = queueTo((_, request) => (request < 5 ? unavailable : 'take'));
  void queue.push(metric(1));
  await queue.wait();
  expect(taken).toEqual([metric(1)]);
  expect(warnings).toHaveLength(5);
});

test('what gets no answer at the end is kept, and the error says where', async () => {
  const { queue, kept } = queueTo(() => unavailable);
  for (let index = 0; index < 1_500; index++) void queue.push(metric(index));
  await expect(queue.close()).rejects.toThrow(
    /1500 logged values could not be sent: nobody is there. They are kept in kept.jsonl/,
  );
  expect(kept).toHaveLength(1_500);
  expect(kept[1_499]).toEqual(metric(1_499));
});

test('without a place to keep them, lost values are reported as lost', async () => {
  const { queue } = queueTo(() => unavailable, { keep: undefined });
  void queue.push(metric(1));
  await expect(queue.close()).rejects.toThrow(/They are lost/);
});

test('a process that ends keeps what is on its way', async () => {
  const hanging = createLogQueue({
    gatherMs: 0,
    send: (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    keep: (entries) => {
      kept.push(...entries);
      return 'kept.jsonl';
    },
    warn: () => undefined,
  });
  const kept: LogEntry[] = [];
  void hanging.push(metric(1));
  const waited = hanging.wait();
  void hanging.push(metric(2));
  hanging.abandon();
  await expect(waited).rejects.toThrow(/2 logged values could not be sent/);
  expect(kept).toEqual([metric(1), metric(2)]);
});

test('logging waits for room, and throws where nobody waits', async () => {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const queue = createLogQueue({ send: () => opened, warn: () => undefined, gatherMs: 0, highWater: 10, capacity: 20 });
  const pushed = Array.from({ length: 20 }, (_, index) => queue.push(metric(index)));
  expect(() => queue.push(metric(20))).toThrow(/Await what logMetric/);
  const state = (promise: Promise<void> | undefined): Promise<unknown> =>
    Promise.race([promise?.then(() => 'room'), new Promise((resolve) => setImmediate(resolve, 'full'))]);
  expect(await state(pushed[0])).toBe('room');
  expect(await state(pushed[19])).toBe('full');
  open();
  await pushed[19];
  await queue.push(metric(21));
});

test('a bad name or value is refused where it is logged', () => {
  const { queue } = queueTo(() => 'take');
  expect(() => queue.push({ ...point, value: NaN })).not.toThrow();
  expect(() => queue.push({ ...metric(1), key: '' })).toThrow(/needs a name/);
  expect(() => queue.push({ ...metric(1), key: 'a!b' })).toThrow(/Names may only contain/);
  const text = { ...metric(1), value: '1' } as unknown as LogEntry;
  expect(() => queue.push(text)).toThrow(/must be a number/);
});

test.each([
  ['step', 1.5],
  ['step', NaN],
  ['step', '3'],
  ['timestamp', 0.1],
  ['timestamp', new Date(0)],
  ['model_id', 7],
])('a point whose %s is %j is refused where it is logged, and stops nothing', async (name, value) => {
  const { queue, taken } = queueTo((batch) => {
    compileWriter(contract.runs.logBatch.input)({ run_id: 'r', ...batchOf(batch) });
    return 'take';
  });
  void queue.push(metric(1));
  expect(() => queue.push({ ...metric(2), [name]: value })).toThrow(`The ${name} of the metric 'loss' must be`);
  void queue.push({ ...point, step: 2n ** 53n + 1n });
  await queue.close();
  expect(taken).toHaveLength(2);
});

test('after the end nothing can be logged', async () => {
  const { queue } = queueTo(() => 'take');
  await queue.close();
  expect(() => queue.push(metric(1))).toThrow(/has ended/);
});

test('whatever fails, delays or cuts, nothing is lost, and the order of first arrivals is the order of logging', async () => {
  const orders = fc.array(fc.constantFrom('take', 'lose answer', 'fail'), { maxLength: 30 });
  const pushes = fc.array(fc.constantFrom('metric', 'tag', 'param', 'pause'), { minLength: 1, maxLength: 300 });
  await fc.assert(
    fc.asyncProperty(orders, pushes, async (faults, kinds) => {
      const { queue, taken } = queueTo((_, request) => {
        const fault = faults[request];
        return fault === 'fail' ? unavailable : fault === 'lose answer' ? fault : 'take';
      });
      const logged: LogEntry[] = [];
      for (const [index, kind] of kinds.entries()) {
        if (kind === 'pause') {
          await new Promise<void>((resolve) => setImmediate(resolve));
          continue;
        }
        const entry = kind === 'metric' ? metric(index) : kind === 'tag' ? tag('t', `${index}`) : param(`p${index}`);
        logged.push(entry);
        void queue.push(entry);
      }
      await queue.wait();
      expect([...new Map(taken.map((entry) => [JSON.stringify(entry), entry])).values()]).toEqual(logged);
      expect(queue.waiting).toBe(0);
    }),
    { numRuns: 100 },
  );
});
