import { afterAll, describe, expect, test } from 'vitest';
import { aRun, startServer } from '../server-fixture.ts';
import { azuriteAccount, startAzurite } from '../stores/azurite.ts';
import { startS3Server } from '../stores/s3rver.ts';
import { collectAll } from './collecting-everything.ts';

describe.each(['Azure', 'S3'])('files in %s', (name) => {
  const undo = new AsyncDisposableStack();
  afterAll(() => undo.disposeAsync());

  test('a collected run takes its whole folder with it, and nothing of its neighbours', async () => {
    const { destination, environment } = await (name === 'S3' ? inS3(undo) : inAzure(undo));
    await using server = await startServer({ 'artifacts-destination': destination }, environment);
    const { client, request } = server;
    const { run_id, experiment_id } = await aRun(client);
    const other = (await client.runs.createRun({ experiment_id })).run.info.run_id;
    const root = '/api/2.0/mlflow-artifacts/artifacts';
    const headers = { 'content-type': 'application/octet-stream' };
    const paths = [`${run_id}/artifacts/a`, `${run_id}/artifacts/b/c d`, `${run_id}x/a`, `${other}/artifacts/a`];
    for (const path of paths) {
      const { status } = await request('PUT', `${root}/${experiment_id}/${encodeURI(path)}`, 'bytes', headers);
      expect(status).toBe(200);
    }
    await client.runs.deleteRun({ run_id });
    expect(await collectAll(client)).toEqual({ collected: [`RUN ${run_id}`], kept: {}, unremoved: [] });
    const filesIn = async (folder: string) =>
      (await client.artifacts.listProxiedArtifacts({ path: `${experiment_id}/${folder}` })).files;
    for (const folder of [run_id, `${run_id}/artifacts`, `${run_id}/artifacts/b`]) {
      expect(await filesIn(folder)).toBeUndefined();
    }
    for (const folder of [`${run_id}x`, `${other}/artifacts`]) expect(await filesIn(folder)).toHaveLength(1);
  });
});

interface Store {
  readonly destination: string;
  readonly environment: Readonly<Record<string, string>>;
}

async function inS3(undo: AsyncDisposableStack): Promise<Store> {
  const s3 = undo.use(await startS3Server());
  return { destination: `s3://${await s3.newBucket()}/mlflow`, environment: s3.environment };
}

async function inAzure(undo: AsyncDisposableStack): Promise<Store> {
  const azurite = undo.use(await startAzurite());
  const container = await azurite.newContainer();
  return {
    destination: `wasbs://${container}@${azuriteAccount}.blob.core.windows.net/mlflow`,
    environment: { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString },
  };
}
