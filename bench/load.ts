/**
 * The load generator: a process of its own that is told a plan, keeps one request in flight on each lane for a while, and
 * tells what came back.
 *
 * A lane is a connection and one prebuilt request. Each `########` in it is a place for the number of the request,
 * eight digits from FIRST_NUMBER on, written over the bytes in place: distinct steps, times and values cost a few
 * stores instead of a JSON.stringify, and whoever checks can compute what each numbered request held.
 * All lanes stop issuing at the deadline and wait for what is in flight, so nothing that was sent is left unknown.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { addressOf, openConnection, requestBytes } from './http-connection.ts';
import type { Address, HttpConnection } from './http-connection.ts';
import { summarize } from './statistics.ts';
import type { Latency } from './statistics.ts';

export const NUMBER_MARK = '########';
export const FIRST_NUMBER = 10_000_000;

export interface Lane {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
  /** Number of the lane's first request, FIRST_NUMBER or more. */
  readonly first: number;
}

export interface LoadPlan {
  /** Lane i goes to address i, and round again: the connections are spread evenly. */
  readonly addresses: readonly Address[];
  readonly durationMs: number;
  readonly lanes: readonly Lane[];
  /** Name of a string member of the answers whose values are wanted back, one an answer. */
  readonly collect?: string;
}

export interface LaneResult {
  /** Number of the request after the last one sent. */
  readonly next: number;
  /** Numbers of the requests that were not answered with 200. */
  readonly failed: readonly number[];
}

export interface LoadResult {
  readonly answered: number;
  readonly errors: number;
  readonly firstError: string | undefined;
  /** From the first request to the last answer. */
  readonly elapsedMs: number;
  readonly perSecond: number;
  readonly latency: Latency;
  readonly lanes: readonly LaneResult[];
  readonly collected: readonly string[];
  /** Share of one core that the generator itself took. */
  readonly generatorCpu: number;
}

/** A request without an answer this long after the deadline counts as an error. */
const GRACE_MS = 120_000;

/** Runs the plan in a process of its own. */
export function runLoad(plan: LoadPlan): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    const generator = fork(fileURLToPath(import.meta.url), ['--generate'], { stdio: 'inherit' });
    generator.once('message', (result) => {
      resolve(result as LoadResult); // our own child, the same source file
      generator.disconnect();
    });
    generator.once('error', reject);
    generator.once('exit', (code) => {
      reject(new Error(`the load generator ended early with code ${code}`));
    });
    generator.send(plan);
  });
}

interface Running {
  readonly request: Buffer;
  readonly places: readonly number[];
  readonly failed: number[];
  number: number;
  sentAt: number;
  isWaiting: boolean;
  connection: HttpConnection;
}

async function generate(plan: LoadPlan): Promise<LoadResult> {
  const latencies: number[] = [];
  const collected: string[] = [];
  const collectMark = plan.collect === undefined ? undefined : `"${plan.collect}"`;
  let answered = 0;
  let errors = 0;
  let firstError: string | undefined;
  let lastAnswerAt = 0;
  let deadline = Infinity;
  let waiting = 0;
  let idle = (): void => undefined;

  function send(lane: Running): void {
    writeNumber(lane.request, lane.places, lane.number);
    lane.number += 1;
    if (!lane.isWaiting) {
      lane.isWaiting = true;
      waiting += 1;
    }
    lane.sentAt = performance.now();
    lane.connection.send(lane.request);
  }

  function fail(lane: Running, reason: string): void {
    errors += 1;
    firstError ??= reason;
    lane.failed.push(lane.number - 1);
  }

  function rest(lane: Running): void {
    lane.isWaiting = false;
    waiting -= 1;
    if (waiting === 0) idle();
  }

  function receive(lane: Running, status: number, body: Buffer): void {
    const now = performance.now();
    lastAnswerAt = now;
    if (status === 200) {
      answered += 1;
      latencies.push(now - lane.sentAt);
      if (collectMark !== undefined) collected.push(memberOf(body, collectMark));
    } else {
      fail(lane, `${status} ${body.toString('utf8', 0, 300)}`);
    }
    if (now < deadline) send(lane);
    else rest(lane);
  }

  async function open(lane: Lane, i: number): Promise<Running> {
    const address = addressOf(plan.addresses, i);
    const request = requestBytes(address, lane.method, lane.path, lane.body);
    const events = {
      answered(status: number, body: Buffer) {
        receive(running, status, body);
      },
      lost(reason: Error) {
        void reopen(reason);
      },
    };
    const running: Running = {
      request,
      places: placesOf(request),
      failed: [],
      number: lane.first,
      sentAt: 0,
      isWaiting: false,
      connection: await openConnection(address, events),
    };
    // A server may close a connection when it likes; what was in flight is an error, and the lane goes on.
    async function reopen(reason: Error): Promise<void> {
      if (!running.isWaiting) return;
      fail(running, reason.message);
      try {
        running.connection = await openConnection(address, events);
        if (performance.now() < deadline) send(running);
        else rest(running);
      } catch {
        rest(running);
      }
    }
    return running;
  }

  const lanes = await Promise.all(plan.lanes.map(open));
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  deadline = startedAt + plan.durationMs;
  await new Promise<void>((resolve) => {
    idle = resolve;
    setTimeout(resolve, plan.durationMs + GRACE_MS).unref();
    for (const lane of lanes) send(lane);
  });
  const elapsedMs = Math.max(lastAnswerAt - startedAt, 1);
  const cpu = process.cpuUsage(cpuBefore);
  for (const lane of lanes) {
    if (lane.isWaiting) fail(lane, 'no answer');
    lane.isWaiting = false;
    lane.connection.close();
  }
  return {
    answered,
    errors,
    firstError,
    elapsedMs,
    perSecond: answered / (elapsedMs / 1000),
    latency: summarize(latencies),
    lanes: lanes.map(({ number, failed }) => ({ next: number, failed })),
    collected,
    generatorCpu: (cpu.user + cpu.system) / 1000 / elapsedMs,
  };
}

function placesOf(request: Buffer): number[] {
  const places: number[] = [];
  for (let at = request.indexOf(NUMBER_MARK); at >= 0; at = request.indexOf(NUMBER_MARK, at + 1)) places.push(at);
  return places;
}

const digits = Buffer.alloc(NUMBER_MARK.length);

function writeNumber(request: Buffer, places: readonly number[], number: number): void {
  let rest = number;
  for (let i = digits.length - 1; i >= 0; i -= 1) {
    digits[i] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  for (const place of places) request.set(digits, place);
}

/** The text of a string member, found without parsing: the answers of runs/create hold one run id, plain ASCII. */
function memberOf(body: Buffer, mark: string): string {
  const start = body.indexOf('"', body.indexOf(mark) + mark.length) + 1;
  return body.toString('latin1', start, body.indexOf('"', start));
}

if (process.argv.includes('--generate')) {
  process.once('disconnect', () => process.exit());
  process.once('message', (plan) => {
    void generate(plan as LoadPlan).then((result) => process.send?.(result)); // sent by runLoad above
  });
}
