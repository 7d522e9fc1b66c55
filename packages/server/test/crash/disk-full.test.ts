import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { aRun } from '../server-fixture.ts';
import { fillDisk, makeRoom } from './full-disk.ts';
import { integrityOf } from './integrity.ts';
import { audit, emptyBooks, work, type Books } from './logged-work.ts';
import { startOrderedServer } from './ordered-server.ts';
import { startProcess, type ServerProcess } from './server-process.ts';

/** Room for the database of an empty server and little more. */
const diskBytes = 3 * 1024 * 1024;
const isRoot = process.getuid?.() === 0;
/** Root needs no namespace of users to mount in. */
const ownMounts = ['unshare', isRoot ? '--mount' : '--map-root-user', ...(isRoot ? [] : ['--mount'])];

function whyNoSmallDisk(): string | undefined {
  try {
    execFileSync(ownMounts[0] ?? '', [...ownMounts.slice(1), 'mount', '-t', 'tmpfs', 'none', '/mnt'], {
      stdio: 'pipe',
    });
    return undefined;
  } catch (error) {
    return `A file system of its own cannot be mounted here (unshare, tmpfs): ${String(error).split('\n', 1)[0] ?? ''}`;
  }
}

/** A server whose data directory is a small disk that only it sees; the disk goes with it. */
function startOnSmallDisk(dataDir: string): Promise<ServerProcess> {
  const mount = `mount -t tmpfs -o size=${diskBytes} none "$0" && exec "$@"`;
  return startProcess({
    dataDir,
    flags: ['--log-level', 'error'],
    wrapper: [...ownMounts, 'sh', '-c', mount, dataDir],
  });
}

/** The disk as it is seen from outside. */
function diskOf(server: ServerProcess, dataDir: string): string {
  return join('/proc', String(server.pid), 'root', dataDir);
}

async function logUntilRefused(server: ServerProcess, books: Books, workers: number): Promise<void> {
  const before = books.refusals.length;
  await Promise.all(
    Array.from({ length: workers }, (_, index) => work(server.client, books, String(index), () => undefined)),
  );
  expect(books.refusals.length - before).toBe(workers);
  for (const error of books.refusals)
    expect(error).toMatchObject({ errorCode: 'TEMPORARILY_UNAVAILABLE', status: 503 });
}

describe('a server whose disk is full', () => {
  const reason = whyNoSmallDisk();
  const uploadTo = (url: string): string => `${url}/api/2.0/mlflow-artifacts/artifacts/0/file`;

  test('refuses with 503, keeps what it acknowledged, and goes on by itself when there is room', async (context) => {
    if (reason !== undefined && process.env['CI'] === undefined) context.skip(reason);
    expect(reason).toBeUndefined();
    const dataDir = await mkdtemp(join(tmpdir(), 'lazuli-full-'));
    try {
      await using server = await startOnSmallDisk(dataDir);
      const disk = diskOf(server, dataDir);
      const { experiment_id } = await server.client.experiments.createExperiment({ name: 'before' });
      const books = emptyBooks(experiment_id);
      for (let time = 0; time < 3; time++) {
        if (time > 0) fillDisk(disk);
        await logUntilRefused(server, books, 4);
        if (time > 0) {
          const upload = await fetch(uploadTo(server.url), { method: 'PUT', body: new Uint8Array(1024 * 1024) });
          expect(upload.status).toBeGreaterThanOrEqual(500);
          expect((await fetch(uploadTo(server.url))).status).toBe(404);
          makeRoom(disk);
        } else {
          // The log itself has filled the disk: more room is what a person would give it.
          remount(server, dataDir, 8 * diskBytes);
        }
        await audit(server.client, books);
      }
      await server.client.experiments.createExperiment({ name: 'afterwards' });
      expect((await fetch(uploadTo(server.url), { method: 'PUT', body: 'small' })).status).toBe(200);
      for (const file of ['lazuli.db', 'lazuli.db-wal']) copyFileSync(join(disk, file), join(dataDir, file));
      expect(integrityOf(dataDir)).toBe('ok');
      expect(books.acknowledgements).toBeGreaterThan(100);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  test('can be stopped all the same', async (context) => {
    if (reason !== undefined && process.env['CI'] === undefined) context.skip(reason);
    expect(reason).toBeUndefined();
    const dataDir = await mkdtemp(join(tmpdir(), 'lazuli-full-'));
    try {
      await using server = await startOnSmallDisk(dataDir);
      const { experiment_id } = await server.client.experiments.createExperiment({ name: 'before' });
      await logUntilRefused(server, emptyBooks(experiment_id), 4);
      server.signal('SIGTERM');
      expect(await server.ended).toEqual({ code: 0, signal: null });
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});

function remount({ pid }: ServerProcess, dataDir: string, size: number): void {
  const enter = ['--target', String(pid), '--mount', ...(isRoot ? [] : ['--user', '--preserve-credentials'])];
  execFileSync('nsenter', [...enter, 'mount', '-o', `remount,size=${size}`, dataDir], { stdio: 'pipe' });
}

describe('a database that may not grow', () => {
  test('refuses writes with 503 and takes them again when it may', async () => {
    await using started = await startOrderedServer();
    const { server, orders } = started;
    const { run_id } = await aRun(server.client);
    const logParams = (from: number): Promise<object> =>
      server.client.runs.logBatch({
        run_id,
        params: Array.from({ length: 100 }, (_, index) => ({ key: `param ${from + index}`, value: 'v'.repeat(500) })),
        tags: [{ key: 'changing', value: String(from) }],
      });
    await logParams(0);
    const stored = await server.client.runs.getRun({ run_id });
    orders.give({ size: 'fixed' });
    await expect(logParams(100)).rejects.toMatchObject({ errorCode: 'TEMPORARILY_UNAVAILABLE', status: 503 });
    expect(await server.client.runs.getRun({ run_id })).toEqual(stored);
    orders.give({});
    await logParams(100);
    expect((await server.client.runs.getRun({ run_id })).run.data.params).toHaveLength(200);
  });
});
