import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@lazuli/client';
import { afterAll, describe, expect, test } from 'vitest';
import { folderPath } from '../../src/artifact-store/artifact-path.ts';
import { openStore } from '../../src/artifact-store/open-store.ts';
import { startServer, type TestServer } from '../server-fixture.ts';
import { azuriteAccount, startAzurite } from '../stores/azurite.ts';
import { startS3Server } from '../stores/s3rver.ts';
import { collectAll } from './collecting-everything.ts';

/** A root beside the store behind the proxy, which holds everything of these servers. */
const kinds: Readonly<Record<string, (undo: AsyncDisposableStack) => Promise<Root>>> = {
  async 'a folder'(undo) {
    const folder = await mkdtemp(join(tmpdir(), 'lazuli-root-'));
    undo.defer(() => rm(folder, { recursive: true, force: true }));
    return { destination: folder, environment: {} };
  },
  async Azure(undo) {
    const azurite = undo.use(await startAzurite());
    return {
      destination: `abfss://${await azurite.newContainer()}@${azuriteAccount}.dfs.core.windows.net/base`,
      environment: { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString },
    };
  },
  async S3(undo) {
    const s3 = undo.use(await startS3Server());
    return { destination: `s3://${await s3.newBucket()}/team`, environment: s3.environment };
  },
};

interface Root {
  readonly destination: string;
  readonly environment: Readonly<Record<string, string>>;
}

describe.each(Object.keys(kinds))('files in a root in %s', (kind) => {
  const undo = new AsyncDisposableStack();
  afterAll(() => undo.disposeAsync());

  test('go with the run that is collected and with the workspace that is deleted, and no others', async () => {
    const { destination, environment } = await kinds[kind]!(undo); // Of its own keys.
    const store = await openStore({ destination, staleBefore: () => 0, environment });
    await using server = await startServer({ 'default-artifact-root': destination }, environment);
    const { client, clientFor } = server;
    await client.workspaces.createWorkspace({ name: 'doomed' });
    const inDoomed = clientFor({ workspace: 'doomed' });
    const custom = (own: string) =>
      inDoomed.experiments.createExperiment({ name: 'custom', artifact_location: own.replace(/\/0$/, '/elsewhere') });
    const [kept, gone, last] = [
      await aRunWithFile(server, client),
      await aRunWithFile(server, client),
      await aRunWithFile(server, inDoomed, 'doomed'),
    ];
    const { experiment } = await inDoomed.experiments.getExperiment({ experiment_id: '0' });
    const { experiment_id } = await custom(experiment.artifact_location);
    const asked = await aRunWithFile(server, inDoomed, 'doomed', experiment_id);
    const holds = async (uri: string): Promise<boolean> =>
      (await store.stat(folderPath(`${uri.slice(destination.length + 1)}/d/x.txt`)))?.kind === 'file';
    for (const { artifact_uri } of [kept, gone, last, asked]) expect(await holds(artifact_uri)).toBe(true);

    await client.runs.deleteRun({ run_id: gone.run_id });
    expect(await collectAll(client)).toEqual({ collected: [`RUN ${gone.run_id}`], kept: {}, unremoved: [] });
    expect(await holds(gone.artifact_uri)).toBe(false);
    for (const { artifact_uri } of [kept, last, asked]) expect(await holds(artifact_uri)).toBe(true);

    await client.workspaces.deleteWorkspace({ workspace_name: 'doomed', mode: 'CASCADE' });
    for (const { artifact_uri } of [last, asked]) expect(await holds(artifact_uri)).toBe(false);
    expect(await holds(kept.artifact_uri)).toBe(true);
  });
});

async function aRunWithFile({ request }: TestServer, { runs }: Client, workspace = 'default', experiment_id = '0') {
  const { run } = await runs.createRun({ experiment_id, start_time: 1 });
  const { run_id, artifact_uri } = run.info as { run_id: string; artifact_uri: string };
  const upload = `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${run_id}&path=d/x.txt`;
  expect((await request('POST', upload, 'bytes', { 'x-mlflow-workspace': workspace })).status).toBe(200);
  return { run_id, artifact_uri };
}
