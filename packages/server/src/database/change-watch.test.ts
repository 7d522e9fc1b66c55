import { expect, test } from 'vitest';
import { createChangeWatch } from './change-watch.ts';
import type { Engine } from './engine.ts';

/** An engine that answers the question for the count when it is told to, with what the count is when it is asked. */
function slowEngine(ownership: Engine['ownership']) {
  const questions: { answer: () => void; fail: (error: Error) => void }[] = [];
  const state = { count: 1 };
  const engine = {
    ownership,
    group: () =>
      new Promise((resolve, reject) => {
        const seen = state.count;
        questions.push({ answer: () => resolve([{ changes: seen }]), fail: reject });
      }),
  } as unknown as Pick<Engine, 'group' | 'ownership'>;
  return { engine, questions, state };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('where one process owns the database there is nothing to ask', () => {
  const { engine, questions } = slowEngine('sole');
  expect(createChangeWatch(engine, () => undefined).catchUp()).toBeUndefined();
  expect(questions).toEqual([]);
});

test('requests that come before the question is sent share it, and those that come later wait for the next one', async () => {
  const { engine, questions, state } = slowEngine('shared');
  const forgotten: number[] = [];
  const watch = createChangeWatch(engine, () => forgotten.push(state.count));
  const early = [watch.catchUp(), watch.catchUp()];
  await turn();
  expect(questions).toHaveLength(1);
  // Somebody changes something, and a request comes that may know of it.
  state.count = 2;
  let isLateDone = false;
  const late = watch.catchUp()?.then(() => (isLateDone = true));
  questions[0]?.answer();
  for (const request of early) await request;
  await turn();
  expect(isLateDone).toBe(false);
  questions[1]?.answer();
  await late;
  expect(forgotten).toHaveLength(2);
});

test('without a change nothing is forgotten, and a question that fails is asked again by the next request', async () => {
  const { engine, questions } = slowEngine('shared');
  let forgotten = 0;
  const watch = createChangeWatch(engine, () => forgotten++);
  for (let round = 0; round < 3; round++) {
    const caughtUp = watch.catchUp();
    await turn();
    questions[round]?.answer();
    await caughtUp;
  }
  expect(forgotten).toBe(1);
  const failing = watch.catchUp();
  await turn();
  questions[3]?.fail(new Error('the database is away'));
  await expect(failing).rejects.toThrow('the database is away');
  const next = watch.catchUp();
  await turn();
  questions[4]?.answer();
  await next;
});
