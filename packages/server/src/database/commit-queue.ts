import { MlflowError } from '@lazuli/contract';
import { Outdated, type Engine, type GroupOptions, type GroupTransaction } from './engine.ts';

/**
 * Group commit. Requests that log are queued; on the next turn of the loop one transaction takes all that are waiting, and
 * each is answered after the commit that holds it. No timer: the next group forms by itself while a commit is on its way to
 * the disk, so a lone client never waits.
 *
 * `flush` decides each member in the order of arrival and returns its outcome; a member that it refuses does not touch its
 * neighbours. Where other processes write as well, it decides on what it remembers, and what that is not enough for it
 * leaves undecided; those members go on to a second group, which asks the database. If a group as a whole fails, its members
 * run again one by one, so that only the one at fault fails.
 */
export type Outcome<Result> = { readonly value: Result } | { readonly refused: unknown } | 'undecided';

export interface CommitQueue<Member, Result> {
  /** Resolves after the commit; rejects with the member's own refusal, or with what made the commit fail. */
  submit(member: Member, bytes: number): Promise<Result>;
  /** How many wait for a commit to begin. */
  depth(): number;
}

/** Who counts commits. */
export interface CommitObserver {
  committed(members: number, bytes: number, seconds: number): void;
}

/** A group ends at this size, which bounds how long the last one in it waits. */
const groupBytes = 4 * 1024 * 1024;
const mostTries = 5;

interface Waiting<Member, Result> {
  readonly member: Member;
  readonly bytes: number;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

export function createCommitQueue<Member, Result>(
  engine: Pick<Engine, 'group'>,
  flush: (tx: GroupTransaction, members: readonly Member[]) => Promise<Outcome<Result>[]>,
  observer?: CommitObserver,
): CommitQueue<Member, Result> {
  let waiting: Waiting<Member, Result>[] = [];
  let running = false;

  async function commit(group: Waiting<Member, Result>[]): Promise<void> {
    let unanswered = group;
    try {
      unanswered = await attempt(unanswered, 'trust');
      // Asking twice is for what another process adds in the very moment between asking and writing.
      for (let tries = 0; unanswered.length > 0; tries++) {
        if (tries === mostTries)
          throw new MlflowError('TEMPORARILY_UNAVAILABLE', 'Others change the same all the time.');
        unanswered = await attempt(unanswered, 'ask');
      }
    } catch (error) {
      // What ails the database ails all of them.
      const isPassing = error instanceof MlflowError && error.errorCode === 'TEMPORARILY_UNAVAILABLE';
      if (unanswered.length === 1 || isPassing) for (const one of unanswered) one.reject(error);
      else for (const one of unanswered) await commit([one]);
    }
  }

  /** Commits a group and answers its members; returns those that are still undecided. */
  async function attempt(
    group: Waiting<Member, Result>[],
    memory: NonNullable<GroupOptions['memory']>,
  ): Promise<Waiting<Member, Result>[]> {
    const members = group.map(({ member }) => member);
    const start = performance.now();
    let outcomes: Outcome<Result>[];
    try {
      outcomes = await engine.group((tx) => flush(tx, members), { memory });
    } catch (error) {
      if (error instanceof Outdated) return group;
      throw error;
    }
    const undecided = group.filter((one, index) => {
      const outcome = outcomes[index];
      if (outcome === 'undecided') return true;
      if (outcome === undefined) one.reject(new TypeError('The flush gave no outcome for a member.'));
      else if ('value' in outcome) one.resolve(outcome.value);
      else one.reject(outcome.refused);
      return false;
    });
    if (observer !== undefined && undecided.length < group.length) {
      const bytes = sizeOf(group) - sizeOf(undecided);
      observer.committed(group.length - undecided.length, bytes, (performance.now() - start) / 1000);
    }
    return undecided;
  }

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      let bytes = 0;
      let size = 0;
      while (size < waiting.length && (size === 0 || bytes < groupBytes)) bytes += waiting[size++]?.bytes ?? 0;
      const group = waiting.slice(0, size);
      waiting = waiting.slice(size);
      await commit(group);
    }
    running = false;
  }

  return {
    submit(member, bytes) {
      return new Promise((resolve, reject) => {
        waiting.push({ member, bytes, resolve, reject });
        if (running) return;
        running = true;
        setImmediate(() => void run());
      });
    },
    depth: () => waiting.length,
  };
}

function sizeOf(group: readonly { readonly bytes: number }[]): number {
  return group.reduce((sum, { bytes }) => sum + bytes, 0);
}
