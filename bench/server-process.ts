/** The server under measurement: started as a user starts it, in processes of its own, told apart from the bench by nothing but ports. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import type { Auth } from './options.ts';
import { hasEnded, startProcess } from './owned-process.ts';
import type { Ending, OwnedProcess } from './owned-process.ts';

export interface ServerPlan {
  readonly dataDir: string;
  /** The database that all the processes share; without one there is SQLite in the data directory, and one process. */
  readonly databaseUrl: URL | undefined;
  readonly processes: number;
  readonly auth: Auth;
  /** Of the logs: a number and `.log` are added. */
  readonly logPrefix: string;
}

export interface RunningServer {
  /** One for each process. */
  readonly urls: readonly URL[];
  /** An Owner's, where it asks for one. */
  readonly token: string | undefined;
  /** Until the last process was healthy. */
  readonly startedInMs: number;
  /** The most memory that the processes had resident so far, summed, where the system tells it (Linux). */
  peakMemoryMb(): Promise<number | undefined>;
  stop(): Promise<void>;
}

const repository = fileURLToPath(new URL('..', import.meta.url));
const START_LIMIT_MS = 60_000;
const ending: Ending = { ask: 'SIGTERM', limitMs: 20_000, force: 'SIGKILL' };

/** What `npm start` runs, without npm in between. */
const lazuli = [join(repository, 'node_modules/.bin/node'), join(repository, 'packages/cli/bin/lazuli.js')] as const;

function placeOf({ dataDir, databaseUrl }: ServerPlan): string[] {
  return ['--data-dir', dataDir, ...(databaseUrl === undefined ? [] : ['--database-url', databaseUrl.href])];
}

function startCommand(plan: ServerPlan, port: number): readonly [string, ...string[]] {
  // Only the port for HTTP is known to be free, and nothing is measured over HTTPS.
  return [...lazuli, 'serve', '--port', String(port), '--no-tls', '--auth', plan.auth, ...placeOf(plan)];
}

/** The first token is made before the server runs. */
async function ownersToken(plan: ServerPlan): Promise<string> {
  const [node, script] = lazuli;
  const args = [script, 'token', 'create', '--role', 'Owner', '--principal', 'bench', ...placeOf(plan)];
  const { stdout } = await promisify(execFile)(node, args, { cwd: repository });
  return stdout.trim();
}

/** Starts all its processes at once, on free ports; they are ended by `stop`, and by `undo` at the latest. */
export async function startServer(plan: ServerPlan, undo: AsyncDisposableStack): Promise<RunningServer> {
  const token = plan.auth === 'token' ? await ownersToken(plan) : undefined;
  const startedAt = performance.now();
  const starting = Array.from({ length: plan.processes }, (_, i) => startOne(plan, i + 1, undo));
  const outcomes = await Promise.allSettled(starting);
  const started = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const stop = async (): Promise<void> => {
    await Promise.all(started.map(({ owned }) => owned.end()));
  };
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  return {
    urls: started.map(({ url }) => url),
    token,
    startedInMs: performance.now() - startedAt,
    async peakMemoryMb() {
      return sum(await Promise.all(started.map(({ owned }) => peakMemoryMb(owned))));
    },
    stop,
  };
}

interface StartedProcess {
  readonly url: URL;
  readonly owned: OwnedProcess;
}

async function startOne(plan: ServerPlan, ordinal: number, undo: AsyncDisposableStack): Promise<StartedProcess> {
  const port = await freePort();
  const command = startCommand(plan, port);
  if (!existsSync(command[0])) throw new Error(`${command[0]} is not there; run npm ci first`);
  const logFile = `${plan.logPrefix}-${ordinal}.log`;
  const owned = startProcess(undo, { command, cwd: repository, logFile, ending });
  const url = new URL(`http://127.0.0.1:${port}`);
  await untilHealthy(url, owned);
  return { url, owned };
}

async function untilHealthy(url: URL, owned: OwnedProcess): Promise<void> {
  const limit = performance.now() + START_LIMIT_MS;
  while (performance.now() < limit) {
    if (hasEnded(owned.child)) {
      throw new Error(`the server ended with ${await owned.ended} before it was healthy:\n${await owned.lastWords()}`);
    }
    try {
      const answer = await fetch(new URL('/health', url));
      if (answer.ok) return;
    } catch {
      // Not listening yet.
    }
    await sleep(20);
  }
  await owned.end();
  throw new Error(`the server was not healthy after ${START_LIMIT_MS / 1000} s`);
}

async function peakMemoryMb({ child }: OwnedProcess): Promise<number | undefined> {
  try {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
  } catch {
    return undefined;
  }
}

/** Of what is known whole: without one of the parts there is no sum. */
function sum(parts: readonly (number | undefined)[]): number | undefined {
  return parts.reduce<number | undefined>(
    (total, part) => (total === undefined || part === undefined ? undefined : total + part),
    0,
  );
}
