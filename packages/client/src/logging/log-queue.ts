import { MlflowError } from '@lazuli/contract';
import { isTransientStatus } from '../retry-policy.ts';
import { batchLength, checkEntry, type LogEntry } from './log-entry.ts';

/**
 * The queue between a run and the server. Entries wait in the order of logging; one request at a time takes as many as a
 * batch may hold, so what is logged first arrives first. An answer that gets lost makes a batch arrive twice, which changes
 * nothing: points are the same points, params and tags the same values.
 *
 *     waiting ──batch──► delivered
 *        ▲  │              refused       the server says 400: the batch is halved until the culprits are alone
 *        └──┘ no answer    kept          nobody answers, and the queue is closing: what is left goes to `keep`
 *
 * While the run lives, a batch without an answer is sent again for as long as it takes; what is logged meanwhile waits.
 */
export interface LogQueueOptions {
  /** Delivers a batch; it repeats by itself what is worth repeating. */
  readonly send: (entries: readonly LogEntry[], signal: AbortSignal) => Promise<void>;
  /** Keeps what could not be sent, where it can; says where. */
  readonly keep?: ((entries: readonly LogEntry[]) => string | undefined) | undefined;
  readonly warn: (message: string) => void;
  /** Milliseconds that entries wait for company; default 200. */
  readonly gatherMs?: number;
  /** Above this many waiting entries, logging asks to be awaited; default 20,000. */
  readonly highWater?: number;
  /** Above this many, logging throws; default 2,000,000. */
  readonly capacity?: number;
}

export interface LogQueue {
  /** Takes an entry; the promise resolves at once while there is room, else when there is room again. */
  push(entry: LogEntry): Promise<void>;
  /**
   * Sends what waits, and resolves when all that was pushed so far is delivered; rejects once with what was not. A signal ends
   * the waiting alone: what becomes of the entries is told by the next one who waits.
   */
  wait(signal?: AbortSignal): Promise<void>;
  /** Like `wait`, and the last: what gets no answer now is kept and reported. */
  close(): Promise<void>;
  /** Gives up at once, keeping what is not delivered; says what became of it. For the end of a process. */
  abandon(): string | undefined;
  readonly waiting: number;
}

const done = Promise.resolve();
/** So many refusals in a row for the same reason, and the rest of the batch is taken as refused, too. */
const sameRefusals = 10;

export function createLogQueue(options: LogQueueOptions): LogQueue {
  const { gatherMs = 200, highWater = 20_000, capacity = 2_000_000 } = options;
  let entries: LogEntry[] = [];
  /** Entries before `head` are delivered. */
  let head = 0;
  /** Entries that are done with, delivered or not. */
  let settled = 0;
  let waiters: { readonly target: number; readonly resolve: () => void }[] = [];
  let draining: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let room: PromiseWithResolved | undefined;
  let isClosing = false;
  let isAbandoned = false;
  /** Since this was last told. The others are counted alone: a run that somebody deleted refuses whatever comes, for hours. */
  let refused: { readonly first: Refusal; readonly count: number } | undefined;
  /** Refusals since something was last delivered, if they all had the same reason. */
  let sameReason = 0;
  let lastReason = '';
  let loss: Loss | undefined;
  const stop = new AbortController();

  const waiting = (): number => entries.length - head;

  function advance(count: number): void {
    head += count;
    settled += count;
    for (const waiter of waiters) if (waiter.target <= settled) waiter.resolve();
    waiters = waiters.filter(({ target }) => target > settled);
    if (head === entries.length || head > 100_000) {
      entries = entries.slice(head);
      head = 0;
    }
    if (room !== undefined && waiting() < highWater) {
      room.resolve();
      room = undefined;
    }
  }

  function startDraining(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    draining ??= drain().finally(() => {
      draining = undefined;
    });
    return draining;
  }

  async function drain(): Promise<void> {
    while (waiting() > 0 && !isAbandoned) {
      const count = batchLength(entries, head);
      const batch = entries.slice(head, head + count);
      const refusals: Refusal[] = [];
      try {
        await deliver(batch, refusals);
        if (stop.signal.aborted) return;
        noteRefusals(refusals);
        advance(count);
      } catch (error) {
        // The whole batch goes again, and its refusals with it.
        if (stop.signal.aborted) return;
        if (isClosing || !isWorthWaiting(error)) {
          keepRest(error);
          return;
        }
        options.warn(`${waiting()} logged values wait for the server: ${messageOf(error)}`);
      }
    }
  }

  /** Delivers entries, or finds out which ones of them the server refuses. Rejects where that cannot be known. */
  async function deliver(batch: readonly LogEntry[], refusals: Refusal[]): Promise<void> {
    try {
      await options.send(batch, stop.signal);
      sameReason = 0;
    } catch (error) {
      if (!isAboutEntries(error)) throw error;
      if (batch.length === 1) {
        sameReason = messageOf(error) === lastReason ? sameReason + 1 : 1;
        lastReason = messageOf(error);
        refusals.push({ entry: batch[0], error });
        return;
      }
      const middle = Math.ceil(batch.length / 2);
      for (const half of [batch.slice(0, middle), batch.slice(middle)]) {
        if (sameReason >= sameRefusals) refusals.push(...half.map((entry) => ({ entry, error })));
        else await deliver(half, refusals);
      }
    }
  }

  function noteRefusals(refusals: readonly Refusal[]): void {
    const [first] = refusals;
    if (first === undefined) return;
    const isFirst = refused === undefined;
    refused = { first: refused?.first ?? first, count: (refused?.count ?? 0) + refusals.length };
    if (isFirst) warnUnheard(refusalText(refused));
  }

  function keepRest(error: unknown): void {
    const rest = entries.slice(head);
    if (rest.length === 0) return;
    const place = options.keep?.(rest);
    const isFirst = loss === undefined;
    loss = { entries: (loss?.entries ?? 0) + rest.length, error, place };
    if (isFirst) warnUnheard(lossText(loss));
    advance(rest.length);
  }

  /** A service may log for days until its run ends: where nobody waits for what became of it, the first failure is said at once. */
  function warnUnheard(message: string): void {
    if (waiters.length === 0 && !isClosing) options.warn(message);
  }

  /** Rejects once with what was refused or could not be sent since the last time. */
  function report(): void {
    const told = refused;
    const lost = loss;
    refused = undefined;
    loss = undefined;
    const parts: string[] = [];
    if (told !== undefined) parts.push(refusalText(told));
    if (lost !== undefined) parts.push(lossText(lost));
    const cause = lost?.error ?? told?.first.error;
    if (parts.length === 0) return;
    const known = cause instanceof MlflowError ? cause : undefined;
    const { status, requestId } = known ?? {};
    throw new MlflowError(known?.errorCode ?? 'TEMPORARILY_UNAVAILABLE', parts.join(' '), {
      cause,
      ...(status === undefined ? {} : { status }),
      ...(requestId === undefined ? {} : { requestId }),
    });
  }

  async function wait(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const target = settled + waiting();
    if (target > settled) {
      const { promise, resolve } = withResolved();
      const waiter = { target, resolve };
      const leave = (): void => {
        waiters = waiters.filter((other) => other !== waiter);
        resolve();
      };
      waiters.push(waiter);
      signal?.addEventListener('abort', leave, { once: true });
      void startDraining();
      await promise;
      signal?.removeEventListener('abort', leave);
      signal?.throwIfAborted();
    }
    report();
  }

  return {
    get waiting() {
      return waiting();
    },
    push(entry) {
      checkEntry(entry);
      if (isClosing)
        throw new MlflowError('INVALID_STATE', `The run has ended; '${entry.key}' cannot be logged to it.`);
      if (waiting() >= capacity) {
        throw new MlflowError(
          'REQUEST_LIMIT_EXCEEDED',
          `${capacity} logged values wait for the server. Await what logMetric and its kin return, so that logging keeps pace.`,
        );
      }
      entries.push(entry);
      if (waiting() >= 1_000) void startDraining();
      else if (timer === undefined && draining === undefined) {
        timer = setTimeout(() => void startDraining(), gatherMs);
        // A number in a browser; a timer of Node must not keep the process alive.
        (timer as { unref?: () => void }).unref?.();
      }
      if (waiting() < highWater) return done;
      room ??= withResolved();
      return room.promise;
    },
    wait,
    async close() {
      isClosing = true;
      await wait();
    },
    abandon() {
      if (isAbandoned) return undefined;
      isAbandoned = true;
      isClosing = true;
      clearTimeout(timer);
      stop.abort(new DOMException('The process ends.', 'AbortError'));
      keepRest(new Error('the process ended'));
      return loss && lossText(loss);
    },
  };
}

interface Loss {
  readonly entries: number;
  readonly error: unknown;
  readonly place: string | undefined;
}

function lossText({ entries, error, place }: Loss): string {
  const where =
    place === undefined ? 'They are lost.' : `They are kept in ${place}; 'lazuli runs resume-log ${place}' sends them.`;
  return `${entries} logged values could not be sent: ${messageOf(error)}. ${where}`;
}

function refusalText({ first, count }: { readonly first: Refusal; readonly count: number }): string {
  const others = count === 1 ? '' : ` and ${count - 1} others`;
  return `The server refused the ${first.entry?.kind} '${first.entry?.key}'${others}: ${messageOf(first.error)}`;
}

interface Refusal {
  readonly entry: LogEntry | undefined;
  readonly error: unknown;
}

interface PromiseWithResolved {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

/** `Promise.withResolvers` is younger than the oldest runtime that is supported. */
function withResolved(): PromiseWithResolved {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** The server has read the batch and says that something in it is wrong. */
function isAboutEntries(error: unknown): boolean {
  return error instanceof MlflowError && (error.status === 400 || error.status === 413);
}

function isWorthWaiting(error: unknown): boolean {
  return error instanceof MlflowError && isTransientStatus(error.status);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
