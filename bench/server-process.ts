/** The server under measurement: started as a user starts it, in its own process, told apart from the bench by nothing but a port. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ServerProcess {
  readonly url: URL;
  readonly startedInMs: number;
  /** The most memory that the process had resident so far, where the system tells it (Linux). */
  peakMemoryMb(): Promise<number | undefined>;
  stop(): Promise<void>;
}

export const engines = ['sqlite'] as const;
export type Engine = (typeof engines)[number];

const repository = fileURLToPath(new URL('..', import.meta.url));
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 20_000;

/** What `npm start` runs, without npm in between. */
function startCommand(options: { readonly port: number; readonly dataDir: string }): readonly [string, ...string[]] {
  return [
    join(repository, 'node_modules/.bin/node'),
    join(repository, 'packages/cli/bin/lazuli.js'),
    'serve',
    '--port',
    String(options.port),
    '--data-dir',
    options.dataDir,
  ];
}

/** Starts a server on an empty port; what it prints goes to `logFile`. */
export async function startServer(dataDir: string, logFile: string): Promise<ServerProcess> {
  const port = await freePort();
  const [program, ...args] = startCommand({ port, dataDir });
  if (!existsSync(program)) throw new Error(`${program} is not there; run npm ci first`);
  const log = openSync(logFile, 'a');
  const startedAt = performance.now();
  const child = spawn(program, args, { cwd: repository, stdio: ['ignore', log, log] });
  closeSync(log);
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject);
  });
  const url = new URL(`http://127.0.0.1:${port}`);
  await Promise.race([untilHealthy(url, child, logFile), failed]);
  return {
    url,
    startedInMs: performance.now() - startedAt,
    peakMemoryMb: () => peakMemoryMb(child),
    stop: () => stop(child),
  };
}

async function untilHealthy(url: URL, child: ChildProcess, logFile: string): Promise<void> {
  const limit = performance.now() + START_LIMIT_MS;
  while (performance.now() < limit) {
    if (child.exitCode !== null) {
      const said = await readFile(logFile, 'utf8');
      throw new Error(`the server ended with code ${child.exitCode} before it was healthy:\n${said.slice(-2000)}`);
    }
    try {
      const answer = await fetch(new URL('/health', url));
      if (answer.ok) return;
    } catch {
      // Not listening yet.
    }
    await sleep(20);
  }
  await stop(child);
  throw new Error(`the server was not healthy after ${START_LIMIT_MS / 1000} s`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
  });
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  await exited;
  clearTimeout(timer);
}

async function peakMemoryMb(child: ChildProcess): Promise<number | undefined> {
  try {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
  } catch {
    return undefined;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo; // an AddressInfo because it listens on TCP
      probe.close(() => {
        resolve(port);
      });
    });
  });
}
