import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { withClient } from '../../../../bench/postgres-server.ts';
import { fillDisk, makeRoom } from '../crash/full-disk.ts';
import { audit } from '../crash/logged-work.ts';
import { expectOnlyUnavailable, startLoad, startOn, watchHealth } from './load.ts';
import { startPostgres } from './postgres-server.ts';

const diskSize = '256m';
/** Segments of its log are not kept for long, so that the disk is what its tables need. */
const settings = { max_wal_size: '64MB', min_wal_size: '32MB', shared_buffers: '16MB' };

/** Mounts a small disk; gives why that cannot be, where it cannot. */
function mountSmallDisk(folder: string): string | undefined {
  if (process.getuid?.() !== 0) return 'Only root mounts a small disk for a server that runs as another user.';
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskSize}`, 'none', folder], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `A small disk cannot be mounted here: ${String(error).split('\n', 1)[0] ?? ''}`;
  }
}

test.for<{ how: string; makeWorse: (maintenance: URL) => Promise<void> }>([
  { how: 'tables cannot grow', makeWorse: async () => {} },
  { how: 'its log cannot grow, so that PostgreSQL ends itself', makeWorse: exhaustLog },
])(
  'a full disk of PostgreSQL: $how: 503, nothing half-written, and it goes on when there is room',
  async ({ makeWorse }, context) => {
    await using undo = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), 'lazuli-full-'));
    undo.defer(() => rm(folder, { recursive: true, force: true }));
    const disk = join(folder, 'disk');
    await mkdir(disk);
    // PostgreSQL runs as another user.
    await chmod(folder, 0o711);
    const reason = mountSmallDisk(disk);
    if (reason !== undefined) context.skip(reason);
    undo.defer(() => void execFileSync('umount', ['--lazy', disk]));
    const postgres = undo.use(await startPostgres(settings, disk));
    const server = undo.use(await startOn(await postgres.createDatabase(), join(folder, 'server')));

    const load = await startLoad(server, 'full', 8);
    const health = watchHealth(server);
    await load.untilEachHas(10);
    fillDisk(disk);
    while (load.failures.length < 8) await sleep(10);
    await makeWorse(postgres.cluster.maintenance);
    await sleep(1_000);
    makeRoom(disk);
    let isWatching = true;
    // Where it could not even recover it has ended; whoever watches over it starts it again.
    const watching = postgres.cluster.server.ended.then(() => (isWatching ? postgres.start() : undefined));
    watching.catch(() => undefined);
    const recoveredMs = await load.untilEachHas(2);
    isWatching = false;
    expect(recoveredMs).toBeLessThan(10_000);
    await load.untilEachHas(10);
    await Promise.all([load.stop(), health.stop()]);
    expectOnlyUnavailable(load);
    await audit(server.client, load.books);
  },
);

/** Begins new segments of the log until there is no room for one: *PostgreSQL then PANICs*. */
async function exhaustLog(maintenance: URL): Promise<void> {
  const switching = withClient(maintenance, async (client) => {
    for (;;) {
      await client.query(`select pg_logical_emit_message(false, 'lazuli', 'x', true)`);
      await client.query('select pg_switch_wal()');
    }
  });
  await expect(switching).rejects.toThrow();
}
