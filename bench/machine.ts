/** Where a result was taken, as far as it matters to who reads it. */
import { execFile } from 'node:child_process';
import { readFile, realpath } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly node: string;
  readonly platform: string;
  readonly fileSystem: string;
  /** Of the last minute before the bench: what else the machine was doing. */
  readonly load: number;
}

export async function describeMachine(dataFolder: string): Promise<Machine> {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    fileSystem: await fileSystemOf(dataFolder),
    load: loadavg()[0] ?? 0,
  };
}

async function fileSystemOf(folder: string): Promise<string> {
  try {
    const path = `${await realpath(folder)}/`;
    const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
    const holding = mounts.filter(([, point = '?']) => path.startsWith(point === '/' ? '/' : `${point}/`));
    holding.sort(([, a = ''], [, b = '']) => b.length - a.length);
    return holding[0]?.[2] ?? 'unknown';
  } catch {
    return 'unknown'; // no /proc: not Linux
  }
}

const run = promisify(execFile);

/** The commit that is measured, marked when the packages differ from it. */
export async function currentCommit(): Promise<string> {
  const git = async (...args: string[]): Promise<string> => {
    const { stdout } = await run('git', args, { cwd: fileURLToPath(new URL('..', import.meta.url)) });
    return stdout.trim();
  };
  try {
    const commit = await git('rev-parse', '--short=10', 'HEAD');
    return (await git('status', '--porcelain', '--', 'packages')) === '' ? commit : `${commit}-changed`;
  } catch {
    return 'uncommitted';
  }
}
