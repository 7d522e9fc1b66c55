import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { collectAll } from '../collector/collecting-everything.ts';
import { integrityOf } from './integrity.ts';
import { startProcess, type ServerProcess } from './server-process.ts';

const runCount = 60;
const pointCount = 2_000;

/** Kills come at different moments: while runs end, while points go, while files do. */
test.each([5, 60, 300])(
  'a collection that is killed after %i ms goes on where it stopped',
  async (delayMs) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'lazuli-collect-'));
    try {
      let survivor: string;
      let experiment_id: string;
      {
        await using server = await startProcess({ dataDir, flags: ['--log-level', 'error'] });
        ({ experiment_id } = await server.client.experiments.createExperiment({ name: 'doomed' }));
        const id = experiment_id;
        await Promise.all(Array.from({ length: runCount }, () => aFullRun(server, id)));
        survivor = await aFullRun(server, '0');
        await server.client.experiments.deleteExperiment({ experiment_id });
        setTimeout(() => server.signal('SIGKILL'), delayMs);
        await collectAll(server.client).catch(() => undefined);
        server.signal('SIGKILL');
        await server.ended;
      }
      await using server = await startProcess({ dataDir, flags: ['--log-level', 'error'] });
      // A key of a collected run would bring its points to a new one.
      const fresh = await server.client.runs.createRun({ experiment_id: '0' });
      const freshRun = fresh.run.info.run_id;
      expect((await server.client.runs.getRun({ run_id: freshRun })).run.data.metrics).toBeUndefined();
      await collectAll(server.client);

      await expect(server.client.experiments.getExperiment({ experiment_id })).rejects.toMatchObject({ status: 404 });
      const { collections = [] } = await server.client.collections.listCollections({});
      const total = (count: 'runs' | 'experiments' | 'pending') =>
        collections.reduce((sum, row) => sum + Number(row[count]), 0);
      expect([total('runs'), total('experiments'), total('pending')]).toEqual([runCount, 1, 0]);
      const history = await server.client.metrics.getMetricHistory({
        run_id: survivor,
        metric_key: 'm',
        max_results: 25_000,
      });
      expect(history.metrics).toHaveLength(pointCount);
      expect((await server.client.artifacts.listArtifacts({ run_id: survivor })).files).toHaveLength(2);
      server.signal('SIGTERM');
      await server.ended;
      expect(integrityOf(dataDir)).toBe('ok');
      expect(await runFoldersIn(dataDir)).toEqual([survivor]);
      using database = new DatabaseSync(join(dataDir, 'lazuli.db'));
      const points = database.prepare('select count(*) as count from metric_points').get();
      expect(points).toMatchObject({ count: pointCount });
      expect(database.prepare('select count(*) as count from removals').get()).toMatchObject({ count: 0 });
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  },
  120_000,
);

async function aFullRun({ client, url }: ServerProcess, experiment_id: string): Promise<string> {
  const { run_id, artifact_uri } = (await client.runs.createRun({ experiment_id })).run.info;
  const metrics = Array.from({ length: 1_000 }, (_, step) => ({ key: 'm', value: step, timestamp: step, step }));
  for (let start = 0; start < pointCount; start += 1_000) {
    const later = metrics.map((point) => ({ ...point, timestamp: point.timestamp + start, step: point.step + start }));
    await client.runs.logBatch({ run_id, metrics: later });
  }
  const path = artifact_uri.replace(/^mlflow-artifacts:\/+/, '');
  for (const name of ['a', 'b/c']) {
    const place = `${url}/api/2.0/mlflow-artifacts/artifacts/${path}/${name}`;
    const { status } = await fetch(place, { method: 'PUT', body: 'bytes' });
    expect(status).toBe(200);
  }
  return run_id;
}

/** The folders of runs below the artifacts of the one workspace. */
async function runFoldersIn(dataDir: string): Promise<string[]> {
  const names = await readdir(join(dataDir, 'artifacts'), { recursive: true });
  return names.map((name) => name.split('/').at(-1) ?? '').filter((name) => /^[0-9a-f]{32}$/.test(name));
}
