import { MlflowError } from '@lazuli/contract';
import { TwinMissing } from './twins.ts';

/**
 * How the secondary store follows the primary one, whose answers alone count:
 *
 *     fail    each call waits for both, and fails where the secondary does
 *     warn    each call waits for both; what the secondary refuses is told and left out
 *     queue   calls wait for the primary alone; the secondary gets them later, in order, again until it can take them
 */
export type OnSecondaryFailure = 'fail' | 'warn' | 'queue';

export interface Follower {
  /** Has the secondary do the same. `operation` names it in messages. */
  follow(operation: string, work: () => Promise<unknown>): Promise<void>;
  /** Waits until the secondary has done all that it was told; rejects with the signal's reason where that comes first. */
  flush(signal?: AbortSignal): Promise<void>;
  /** Calls that the secondary has still to do. */
  readonly pending: () => number;
}

export interface FollowerOptions {
  readonly onFailure: OnSecondaryFailure;
  /** The store's name for messages. */
  readonly name: string;
  readonly warn: (message: string) => void;
  /** Calls that may wait; further ones wait for room. Default: 10,000. */
  readonly limit?: number | undefined;
}

export function createFollower(options: FollowerOptions): Follower {
  const { onFailure, name, warn } = options;
  const failed = (operation: string, cause: unknown): string =>
    `Failed to ${operation} from the secondary store (${name}): ${cause instanceof Error ? cause.message : String(cause)}`;
  const missing = new Set<string>();
  const warned = (operation: string, cause: unknown): void => {
    if (cause instanceof TwinMissing) {
      // It is told once, not with each metric.
      if (missing.has(cause.message)) return;
      missing.add(cause.message);
    }
    warn(failed(operation, cause));
  };
  if (onFailure === 'queue') return queueingFollower({ ...options, warned });
  return {
    async follow(operation, work) {
      try {
        await work();
      } catch (cause) {
        if (onFailure === 'warn') {
          warned(operation, cause);
          return;
        }
        const code = cause instanceof MlflowError ? cause.errorCode : 'INTERNAL_ERROR';
        throw new MlflowError(code, failed(operation, cause), { cause });
      }
    },
    flush: async () => undefined,
    pending: () => 0,
  };
}

interface Task {
  readonly operation: string;
  readonly work: () => Promise<unknown>;
}

interface RefTimer {
  ref?: () => void;
  unref?: () => void;
}

interface QueueOptions extends FollowerOptions {
  readonly warned: (operation: string, cause: unknown) => void;
}

function queueingFollower({ warned, limit = 10_000 }: QueueOptions): Follower {
  const tasks: Task[] = [];
  const waiting: (() => void)[] = [];
  let isWorking = false;
  let flushes = 0;
  let resting: RefTimer | undefined;

  /** A process that is done does not stay for a store that is not there, unless it asked to. */
  function pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      // Browsers give a number.
      resting = setTimeout(resolve, milliseconds);
      if (flushes === 0) resting.unref?.();
    });
  }

  async function work(): Promise<void> {
    isWorking = true;
    for (let task = tasks[0]; task !== undefined; task = tasks[0]) {
      await done(task);
      tasks.shift();
      for (const wake of waiting.splice(0)) wake();
    }
    isWorking = false;
  }

  async function done({ operation, work: attempt }: Task): Promise<void> {
    for (let count = 1; ; count++) {
      try {
        await attempt();
        return;
      } catch (cause) {
        if (!isPassing(cause)) {
          warned(operation, cause);
          return;
        }
        if (count === 1) warned(`${operation}, which is tried again,`, cause);
        await pause(Math.min(1000 * 2 ** (count - 1), 60_000));
      }
    }
  }

  const change = (signal: AbortSignal | undefined): Promise<void> =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      waiting.push(resolve);
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });

  return {
    async follow(operation, attempt) {
      while (tasks.length >= limit) await change(undefined);
      tasks.push({ operation, work: attempt });
      if (!isWorking) void work();
    },
    async flush(signal) {
      flushes++;
      resting?.ref?.();
      try {
        while (tasks.length > 0) await change(signal);
      } finally {
        flushes--;
      }
    },
    pending: () => tasks.length,
  };
}

/** What another try may mend: the way, the load, an expired sign-in; not what the store refuses. */
function isPassing(error: unknown): boolean {
  return error instanceof MlflowError && (error.status >= 500 || [401, 408, 429].includes(error.status));
}
