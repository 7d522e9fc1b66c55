import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/**
 * The system calls of a server's main thread as strace sees them, in order: what it writes to the database's log, when it
 * makes that durable, and what it sends to whom.
 */
export type SystemCall =
  | { readonly kind: 'log written'; readonly bytes: string }
  | { readonly kind: 'log synced' }
  | { readonly kind: 'answered'; readonly clientPort: number; readonly status: number };

/** Why calls cannot be traced here, or undefined where they can. */
export function whyNotTraced(): string | undefined {
  try {
    execFileSync('strace', ['-f', '-o', '/dev/null', 'true'], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `strace cannot trace a program here (on Debian: apt-get install strace): ${String(error).split('\n', 1)[0] ?? ''}`;
  }
}

/** The command that traces a server into `<file>.<thread>`. The server stays the child of the test, and strace goes with it. */
export function traceInto(file: string): string[] {
  const calls = 'trace=pwrite64,fdatasync,fsync,write,writev,sendmsg,sendto';
  return ['strace', '-D', '-ff', '-yy', '-s', '5000', '-e', calls, '-e', 'signal=none', '-o', file];
}

/** The calls of the thread that answers. A thread has a file of its own, so the order in it is the order of the calls. */
export async function readTrace(file: string, pid: number): Promise<SystemCall[]> {
  const lines = (await readFile(`${file}.${pid}`, 'latin1')).split('\n');
  return lines.flatMap((line): SystemCall[] => {
    if (/^pwrite64\(\d+<[^>]*lazuli\.db-wal>/.test(line)) return [{ kind: 'log written', bytes: line }];
    // Node builds SQLite to call fsync, which does all that fdatasync does.
    if (/^f(?:data)?sync\(\d+<[^>]*lazuli\.db-wal>\) += 0/.test(line)) return [{ kind: 'log synced' }];
    const [, clientPort, status] =
      /^(?:write|writev|sendmsg|sendto)\(\d+<TCP:\[[^\]]*->[^\]]*:(\d+)\]>, [^"]*"HTTP\/1\.1 (\d{3})/.exec(line) ?? [];
    return status === undefined ? [] : [{ kind: 'answered', clientPort: Number(clientPort), status: Number(status) }];
  });
}
