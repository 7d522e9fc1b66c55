import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Runs the command as a person does: a process, its two streams, its status. */
export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Surroundings {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** Only what is said here is in the environment, so that no setting of this machine leaks in. */
export function startLazuli(args: readonly string[], { cwd, env = {} }: Surroundings): ChildProcess {
  const variables = { PATH: process.env['PATH'] ?? '', ...env };
  return spawn(process.execPath, ['--conditions=lazuli', main, ...args], { cwd, env: variables });
}

export async function lazuli(args: readonly string[], surroundings: Surroundings): Promise<Finished> {
  return finished(startLazuli(args, surroundings));
}

export async function finished(child: ChildProcess): Promise<Finished> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout, stderr };
}

export interface RunningServer extends AsyncDisposable {
  readonly url: string;
  readonly greeting: string;
  readonly end: Promise<Finished>;
  /** What it has written to stderr so far. */
  stderr(): string;
  readonly pid: number;
  kill(signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL'): void;
}

/** Starts a server on a free port and waits until it says where it listens. */
export async function serving(args: readonly string[], surroundings: Surroundings): Promise<RunningServer> {
  const child = startLazuli(['serve', '--port', '0', ...args], surroundings);
  const end = finished(child);
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const greeting = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\ncurl\n')) resolve(text);
    });
    void end.then(({ stderr }) => reject(new Error(`The server ended before it listened: ${stderr}`)));
  });
  const url = /listens on (\S+)/.exec(greeting)?.[1] ?? '';
  return {
    url,
    greeting,
    end,
    stderr: () => stderr,
    pid: child.pid ?? 0,
    kill: (signal) => void child.kill(signal),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await end;
    },
  };
}

export function aFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'lazuli-cli-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
