import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, globSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createClient, type Client } from '@lazuli/client';

/**
 * A server as a user starts it: a process of its own, behind a real socket. It runs the built bundle; where sources are
 * newer than the bundle, a developer is at work, and the sources themselves run, so that no test speaks of yesterday.
 */
export interface ServerProcess extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly client: Client;
  /** What it has printed so far; its log is one JSON object a line. */
  output(): string;
  logLines(): Record<string, unknown>[];
  signal(name: 'SIGTERM' | 'SIGKILL'): void;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

export interface ProcessOptions {
  readonly dataDir: string;
  readonly flags?: readonly string[];
  /** A program and its arguments that starts the server: `strace`, or a shell that sets limits first. */
  readonly wrapper?: readonly string[];
  /** A module that the server's process loads before anything else. */
  readonly preload?: URL;
}

const root = join(import.meta.dirname, '../../../..');

export function serverCommand(): string[] {
  const node = join(root, 'node_modules/.bin/node');
  const bundle = join(root, 'packages/cli/dist/main.js');
  const sources = globSync('packages/{contract,server,cli}/src/**/*.ts', { cwd: root });
  const newest = Math.max(...sources.map((file) => statSync(join(root, file)).mtimeMs));
  if (existsSync(bundle) && statSync(bundle).mtimeMs > newest) return [node, join(root, 'packages/cli/bin/lazuli.js')];
  return [node, '--conditions=lazuli', '--disable-warning=ExperimentalWarning', join(root, 'packages/cli/src/main.ts')];
}

/** Starts the program without waiting for anything. */
export function spawnServer(options: ProcessOptions): { child: ChildProcess; output: () => string } {
  const { dataDir, flags = [], wrapper = [], preload } = options;
  const [program = '', ...args] = [
    ...wrapper,
    ...serverCommand(),
    'serve',
    '--port',
    '0',
    '--data-dir',
    dataDir,
    ...flags,
  ];
  const nodeOptions = preload === undefined ? {} : { NODE_OPTIONS: `--import=${preload.href}` };
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(program, args, {
    cwd: root,
    env: { PATH, HOME, ...nodeOptions },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => (text += chunk));
  }
  return { child, output: () => text };
}

/** Starts a server and waits until it says where it listens. Rejects with what it printed if it ends before. */
export async function startProcess(options: ProcessOptions): Promise<ServerProcess> {
  const { child, output } = spawnServer(options);
  const ended = endOf(child);
  const url = await new Promise<string>((resolve, reject) => {
    const look = (): void => {
      const [, found] = /listens on (http:\/\/\S+)/.exec(output()) ?? [];
      if (found !== undefined) resolve(found);
    };
    child.stdout?.on('data', look);
    void ended.then(({ code }) => reject(new Error(`The server ended with code ${code ?? 'none'}:\n${output()}`)));
  });
  return {
    url,
    port: Number(new URL(url).port),
    pid: child.pid ?? 0,
    client: createClient({ url, retries: { maxRetries: 0 } }),
    output,
    logLines: () => jsonLines(output()),
    signal: (name) => void child.kill(name),
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Runs a server that is expected to refuse to start: its exit code and what it says. */
export async function refusedStart(options: ProcessOptions): Promise<{ code: number | null; output: string }> {
  const { child, output } = spawnServer(options);
  const tooLong = setTimeout(() => child.kill('SIGKILL'), 20_000);
  const { code } = await endOf(child);
  clearTimeout(tooLong);
  return { code, output: output() };
}

export function endOf(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    // `close` comes after the last output.
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
}

export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
