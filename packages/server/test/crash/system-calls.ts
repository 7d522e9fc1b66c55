import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/**
 * The system calls of a server as strace sees them: what it writes to the database's log, when it makes that durable, and
 * what it sends to whom. One thread writes and another answers, so a call is known by the places in the trace where it
 * began and ended: strace holds a thread at both until it has noted them, and so what follows from a call is noted later.
 */
export type SystemCall = { readonly began: number; readonly ended: number } & (
  | { readonly kind: 'log written'; readonly bytes: string }
  | { readonly kind: 'log synced' }
  | { readonly kind: 'answered'; readonly clientPort: number; readonly status: number }
);

/** Why calls cannot be traced here, or undefined where they can. */
export function whyNotTraced(): string | undefined {
  try {
    execFileSync('strace', ['-f', '-o', '/dev/null', 'true'], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `strace cannot trace a program here (on Debian: apt-get install strace): ${String(error).split('\n', 1)[0] ?? ''}`;
  }
}

/** The command that traces all threads of a server into one file. The server stays the child of the test. */
export function traceInto(file: string): string[] {
  const calls = 'trace=pwrite64,fdatasync,fsync,write,writev,sendmsg,sendto';
  return ['strace', '-D', '-f', '-yy', '-s', '5000', '-e', calls, '-e', 'signal=none', '-o', file];
}

/** The calls in the order of their beginnings. One that never ended is not among them. */
export async function readTrace(file: string): Promise<SystemCall[]> {
  const calls: SystemCall[] = [];
  const unfinished = new Map<string, { began: number; text: string }>();
  for (const [place, line] of (await readFile(file, 'latin1')).split('\n').entries()) {
    const [, thread = '', text = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const [, start] = /^(.*) <unfinished \.\.\.>$/.exec(text) ?? [];
    if (start !== undefined) {
      unfinished.set(thread, { began: place, text: start });
      continue;
    }
    const [, rest] = /^<\.\.\. \w+ resumed>(.*)$/.exec(text) ?? [];
    const first = rest === undefined ? undefined : unfinished.get(thread);
    if (rest !== undefined && first === undefined) throw new Error(`The trace resumes what it did not begin: ${line}`);
    unfinished.delete(thread);
    const whole = `${first?.text ?? ''}${rest ?? text}`;
    const call = callIn(whole, { began: first?.began ?? place, ended: place });
    if (call !== undefined) calls.push(call);
  }
  return calls.sort((a, b) => a.began - b.began);
}

function callIn(text: string, at: { began: number; ended: number }): SystemCall | undefined {
  if (/^pwrite64\(\d+<[^>]*lazuli\.db-wal>/.test(text)) return { ...at, kind: 'log written', bytes: text };
  // Node builds SQLite to call fsync, which does all that fdatasync does.
  if (/^f(?:data)?sync\(\d+<[^>]*lazuli\.db-wal>\) += 0/.test(text)) return { ...at, kind: 'log synced' };
  const [, clientPort, status] =
    /^(?:write|writev|sendmsg|sendto)\(\d+<TCP:\[[^\]]*->[^\]]*:(\d+)\]>, [^"]*"HTTP\/1\.1 (\d{3})/.exec(text) ?? [];
  return status === undefined
    ? undefined
    : { ...at, kind: 'answered', clientPort: Number(clientPort), status: Number(status) };
}
