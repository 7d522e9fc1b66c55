import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createQuestions } from './questions.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('an answer belongs to its question, in whatever order answers come', async () => {
  const questions = createQuestions<string>(1_000);
  const numbers: number[] = [];
  const first = questions.ask((question) => numbers.push(question));
  const second = questions.ask((question) => numbers.push(question));
  const [one = NaN, two = NaN] = numbers;
  questions.answer(two, 'second');
  questions.answer(one, 'first');
  questions.answer(one, 'first again');
  questions.answer(99, 'nobody asked');
  expect(await Promise.all([first, second])).toEqual(['first', 'second']);
});

test('what is not answered in time is not waited for', async () => {
  const questions = createQuestions<string>(1_000);
  const asked = questions.ask(() => undefined);
  await vi.advanceTimersByTimeAsync(999);
  expect(vi.getTimerCount()).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(await asked).toBeUndefined();
  questions.answer(1, 'late');
});

test('who gives up leaves nobody waiting, and no timer', async () => {
  const questions = createQuestions<string>(1_000);
  const asked = [questions.ask(() => undefined), questions.ask(() => undefined)];
  questions.giveUp();
  expect(await Promise.all(asked)).toEqual([undefined, undefined]);
  expect(vi.getTimerCount()).toBe(0);
});
