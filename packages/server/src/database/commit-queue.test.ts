import { MlflowError } from '@lazuli/contract';
import { describe, expect, test } from 'vitest';
import { createCommitQueue, type Outcome } from './commit-queue.ts';
import { Outdated, type Engine, type GroupOptions, type GroupTransaction } from './engine.ts';

const nothing = {} as GroupTransaction;

/** Runs groups one after the other and keeps which members each commit held. */
function recordingEngine(commitFails: (members: readonly string[]) => boolean = () => false) {
  const commits: string[][] = [];
  let current: readonly string[] = [];
  const engine: Pick<Engine, 'group'> = {
    async group(work) {
      const result = await work(nothing);
      await new Promise((resolve) => setImmediate(resolve));
      if (commitFails(current)) throw new Error(`cannot commit ${current.join()}`);
      commits.push([...current]);
      return result;
    },
  };
  const queue = createCommitQueue<string, string>(engine, async (_tx, members): Promise<Outcome<string>[]> => {
    current = members;
    return members.map((member) =>
      member.startsWith('bad') ? { refused: new Error(`refused ${member}`) } : { value: `stored ${member}` },
    );
  });
  return { queue, commits };
}

test('requests of one turn share a commit, and each gets its own answer', async () => {
  const { queue, commits } = recordingEngine();
  const answers = await Promise.all(['a', 'b', 'c'].map((member) => queue.submit(member, 1)));
  expect(answers).toEqual(['stored a', 'stored b', 'stored c']);
  expect(commits).toEqual([['a', 'b', 'c']]);
});

test('what comes during a commit shares the next one', async () => {
  const { queue, commits } = recordingEngine();
  const first = queue.submit('a', 1);
  await new Promise((resolve) => setImmediate(resolve));
  const others = [queue.submit('b', 1), queue.submit('c', 1)];
  await Promise.all([first, ...others]);
  expect(commits).toEqual([['a'], ['b', 'c']]);
});

test('a refused member leaves its neighbours alone', async () => {
  const { queue } = recordingEngine();
  const outcomes = await Promise.allSettled(['a', 'bad', 'c'].map((member) => queue.submit(member, 1)));
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

test('when a commit fails its members are tried one by one, and only the one at fault fails', async () => {
  const { queue, commits } = recordingEngine((members) => members.includes('b'));
  const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((member) => queue.submit(member, 1)));
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(commits).toEqual([['a'], ['c']]);
});

test('a group ends at its size in bytes, so that the last one in it does not wait for ever', async () => {
  const { queue, commits } = recordingEngine();
  const megabyte = 1024 * 1024;
  await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((member) => queue.submit(member, megabyte)));
  expect(commits).toEqual([
    ['a', 'b', 'c', 'd'],
    ['e', 'f'],
  ]);
});

test('who watches is told of each commit, and of those that wait', async () => {
  const commits: { members: number; bytes: number; seconds: number }[] = [];
  const gate = Promise.withResolvers<undefined>();
  const engine: Pick<Engine, 'group'> = {
    async group(work) {
      const result = await work(nothing);
      await gate.promise;
      return result;
    },
  };
  const queue = createCommitQueue<string, string>(
    engine,
    async (_tx, members) => members.map((member) => ({ value: member })),
    { committed: (members, bytes, seconds) => commits.push({ members, bytes, seconds }) },
  );
  expect(queue.depth()).toBe(0);
  const first = queue.submit('a', 10);
  expect(queue.depth()).toBe(1);
  await new Promise((resolve) => setImmediate(resolve));
  const others = ['b', 'c', 'd'].map((member) => queue.submit(member, 100));
  expect(queue.depth()).toBe(3);
  gate.resolve(undefined);
  await Promise.all([first, ...others]);
  expect(queue.depth()).toBe(0);
  expect(commits).toEqual([
    { members: 1, bytes: 10, seconds: expect.any(Number) as number },
    { members: 3, bytes: 300, seconds: expect.any(Number) as number },
  ]);
});

test('a commit that fails is not counted, and its members are when they are tried alone', async () => {
  const sizes: number[] = [];
  const engine: Pick<Engine, 'group'> = {
    async group(work) {
      const result = await work(nothing);
      if (Array.isArray(result) && result.length > 1) throw new Error('too many at once');
      return result;
    },
  };
  const queue = createCommitQueue<string, string>(
    engine,
    async (_tx, members) => members.map((member) => ({ value: member })),
    { committed: (members) => sizes.push(members) },
  );
  await Promise.all([queue.submit('a', 1), queue.submit('b', 1)]);
  expect(sizes).toEqual([1, 1]);
});

describe('where other processes write as well', () => {
  interface Group {
    readonly memory: GroupOptions['memory'];
    readonly members: readonly string[];
  }

  /** Keeps which groups were tried, and fails the commit of those that `failure` has an error for. */
  function sharedEngine(failure: (group: Group) => unknown = () => undefined) {
    const tried: Group[] = [];
    let members: readonly string[] = [];
    const engine: Pick<Engine, 'group'> = {
      async group(work, { memory } = {}) {
        const result = await work({ memory: memory === 'trust' ? 'guess' : 'none' } as GroupTransaction);
        const group = { memory, members };
        tried.push(group);
        const error = failure(group);
        if (error !== undefined) throw error;
        return result;
      },
    };
    const queue = createCommitQueue<string, string>(engine, async (tx, waiting): Promise<Outcome<string>[]> => {
      members = waiting;
      return waiting.map((member) => {
        if (member.startsWith('unsure') && tx.memory === 'guess') return 'undecided';
        return member.endsWith('bad')
          ? { refused: new Error(`refused ${member}`) }
          : { value: `${member} ${tx.memory}` };
      });
    });
    return { queue, tried };
  }

  test('what is remembered of a member may not be enough: it goes to a second group, which asks', async () => {
    const { queue, tried } = sharedEngine();
    const outcomes = await Promise.allSettled(['a', 'unsure', 'c', 'unsure bad'].map((each) => queue.submit(each, 1)));
    expect(tried).toEqual([
      { memory: 'trust', members: ['a', 'unsure', 'c', 'unsure bad'] },
      { memory: 'ask', members: ['unsure', 'unsure bad'] },
    ]);
    expect(outcomes).toMatchObject([
      { value: 'a guess' },
      { value: 'unsure none' },
      { value: 'c guess' },
      { reason: { message: 'refused unsure bad' } },
    ]);
  });

  test('a group that remembered something wrong goes as a whole to one that asks', async () => {
    const { queue, tried } = sharedEngine(({ memory }) => (memory === 'trust' ? new Outdated() : undefined));
    const answers = await Promise.all(['a', 'unsure', 'c'].map((each) => queue.submit(each, 1)));
    expect(tried).toEqual([
      { memory: 'trust', members: ['a', 'unsure', 'c'] },
      { memory: 'ask', members: ['a', 'unsure', 'c'] },
    ]);
    expect(answers).toEqual(['a none', 'unsure none', 'c none']);
  });

  test('a failure of the database itself fails all of a group at once, without a try one by one', async () => {
    const unavailable = new MlflowError('TEMPORARILY_UNAVAILABLE', 'gone');
    const { queue, tried } = sharedEngine(() => unavailable);
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((each) => queue.submit(each, 1)));
    expect(outcomes).toEqual(Array(3).fill({ status: 'rejected', reason: unavailable }));
    expect(tried).toHaveLength(1);
  });

  test('when the group that asks fails, those whose commit was answered are not tried again', async () => {
    const { queue, tried } = sharedEngine(({ memory, members }) =>
      memory === 'ask' && members.includes('unsure 1') ? new Error('cannot commit') : undefined,
    );
    const members = ['a', 'unsure 1', 'unsure 2'];
    const outcomes = await Promise.allSettled(members.map((each) => queue.submit(each, 1)));
    expect(outcomes).toMatchObject([{ value: 'a guess' }, { status: 'rejected' }, { value: 'unsure 2 none' }]);
    expect(tried.filter((group) => group.members.includes('a'))).toHaveLength(1);
  });
});
