import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startServer, type TestServer } from '../server-fixture.ts';
import { azuriteAccount, startAzurite } from '../stores/azurite.ts';
import { startS3Server } from '../stores/s3rver.ts';

/** Roots in two object stores beside the folder behind the proxy; files go there past the server, as clients write them. */
const undo = new AsyncDisposableStack();
let server: TestServer;
let roots: { readonly s3: string; readonly azure: string };
let environment: Record<string, string>;
let putObject: (bucket: string, key: string, body: string) => Promise<void>;

beforeAll(async () => {
  const s3 = undo.use(await startS3Server());
  const azurite = undo.use(await startAzurite());
  const [bucket, container] = [await s3.newBucket(), await azurite.newContainer()];
  environment = { ...s3.environment, AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString };
  roots = { s3: `s3://${bucket}/team`, azure: `abfss://${container}@${azuriteAccount}.dfs.core.windows.net/base` };
  const client = new S3Client({
    ...{ endpoint: s3.environment['MLFLOW_S3_ENDPOINT_URL'] as string, forcePathStyle: true, region: 'us-east-1' },
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
  });
  const blobs = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient(container);
  putObject = async (scheme, key, body) => {
    if (scheme === 's3:') await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
    else await blobs.getBlockBlobClient(key).upload(body, Buffer.byteLength(body));
  };
  const flags = { 'default-artifact-root': roots.s3, 'artifact-roots': roots.azure };
  server = undo.use(await startServer(flags, environment));
});
afterAll(() => undo.disposeAsync());

/** As a client does that has the store's own credentials. */
async function logFile(artifactUri: string, name: string, body: string): Promise<void> {
  const { protocol, pathname } = new URL(artifactUri.replace(/^(abfss|wasbs):/, 'https:'));
  await putObject(artifactUri.startsWith('s3:') ? protocol : 'azure:', `${pathname.slice(1)}/${name}`, body);
}

async function runIn(workspace: string | undefined, experiment_id: string) {
  const client = server.clientFor(workspace === undefined ? {} : { workspace });
  const { run } = await client.runs.createRun({ experiment_id, start_time: 1 });
  return run.info as { run_id: string; artifact_uri: string };
}

const list = async (run_id: string, workspace = 'default'): Promise<unknown> =>
  (
    await server.request('GET', `/api/2.0/mlflow/artifacts/list?run_id=${run_id}`, undefined, {
      'x-mlflow-workspace': workspace,
    })
  ).json;
const get = (run_id: string, workspace = 'default') =>
  server.request('GET', `/get-artifact?run_id=${run_id}&path=d/x.txt`, undefined, { 'x-mlflow-workspace': workspace });

describe('a root in an object store', () => {
  test('is where runs of the default experiment lie; the server lists, serves and writes there', async () => {
    const { run_id, artifact_uri } = await runIn(undefined, '0');
    expect(artifact_uri).toMatch(new RegExp(`^${roots.s3}/[0-9a-f-]{36}/0/${run_id}/artifacts$`));
    await logFile(artifact_uri, 'd/x.txt', 'by the client');
    expect(await list(run_id)).toEqual({ root_uri: artifact_uri, files: [{ path: 'd', is_dir: true }] });
    expect(await get(run_id)).toMatchObject({ status: 200, text: 'by the client' });
    const upload = `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${run_id}&path=d/x.txt`;
    expect((await server.request('POST', upload, 'by the server')).status).toBe(200);
    expect((await get(run_id)).text).toBe('by the server');
  });

  test('may be that of a workspace, which changes it: runs stay where they are and new experiments go to the new one', async () => {
    await server.client.workspaces.createWorkspace({ name: 'team-a', default_artifact_root: `${roots.azure}/a` });
    const inA = server.clientFor({ workspace: 'team-a' });
    const { experiment_id } = await inA.experiments.createExperiment({ name: 'first' });
    const before = await runIn('team-a', experiment_id);
    expect(before.artifact_uri.startsWith(`${roots.azure}/a/`)).toBe(true);
    await logFile(before.artifact_uri, 'd/x.txt', 'in the first root');
    expect((await get(before.run_id, 'team-a')).text).toBe('in the first root');

    await server.client.workspaces.updateWorkspace({
      workspace_name: 'team-a',
      default_artifact_root: `${roots.s3}/moved`,
    });
    expect((await get(before.run_id, 'team-a')).text).toBe('in the first root');
    expect((await runIn('team-a', experiment_id)).artifact_uri.startsWith(`${roots.azure}/a/`)).toBe(true);
    const second = await inA.experiments.createExperiment({ name: 'second' });
    const after = await runIn('team-a', second.experiment_id);
    expect(after.artifact_uri.startsWith(`${roots.s3}/moved/`)).toBe(true);
    await logFile(after.artifact_uri, 'd/x.txt', 'in the second root');
    expect((await get(after.run_id, 'team-a')).text).toBe('in the second root');
  });

  test("shows nobody another workspace's files, whatever location an experiment is given", async () => {
    const mine = await runIn(undefined, '0');
    await logFile(mine.artifact_uri, 'd/x.txt', 'secret');
    await server.client.workspaces.createWorkspace({ name: 'team-b' });
    const inB = server.clientFor({ workspace: 'team-b' });
    const own = (await inB.experiments.getExperiment({ experiment_id: '0' })).experiment.artifact_location;
    const guid = /[0-9a-f-]{36}/.exec(own)?.[0] ?? '';
    const folder = mine.artifact_uri.replace(/\/0\/.*/, '');
    for (const [index, artifact_location] of [
      folder,
      `${folder}/0`,
      roots.s3,
      `${roots.s3}/../team`,
      // The own folder inside of somebody else's is not one's own.
      `${folder}/${guid}`,
      's3://another-bucket/team',
      `s3://another-bucket/${guid}`,
      `abfss://other@${azuriteAccount}.dfs.core.windows.net/base/${guid}`,
      `abfss://box@attacker.dfs.core.windows.net/base/${guid}`,
    ].entries()) {
      const created = await inB.experiments
        .createExperiment({ name: `spy ${index}`, artifact_location })
        .catch((error: unknown) => error as { status: number });
      if ('status' in created) {
        expect(created.status, artifact_location).toBe(400);
        continue;
      }
      const spy = await runIn('team-b', created.experiment_id);
      expect(await list(spy.run_id, 'team-b'), artifact_location).toMatchObject({ error_code: 'NOT_IMPLEMENTED' });
      expect((await get(spy.run_id, 'team-b')).status).toBe(501);
      const upload = `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${spy.run_id}&path=x`;
      const answer = await server.request('POST', upload, 'x', { 'x-mlflow-workspace': 'team-b' });
      expect(answer.status, artifact_location).toBe(501);
    }
    const allowed = await inB.experiments.createExperiment({
      name: 'own',
      artifact_location: `${roots.azure}/x/${guid}/y`,
    });
    const run = await runIn('team-b', allowed.experiment_id);
    await logFile(run.artifact_uri, 'd/x.txt', 'its own');
    expect((await get(run.run_id, 'team-b')).text).toBe('its own');
  });

  test('that is an https address of a container is written as clients know it', async () => {
    const https = roots.azure.replace(/^abfss:\/\/(.*)@(.*)\.dfs\.(.*?)\/base$/, 'https://$2.blob.$3/$1/base/h');
    await server.client.workspaces.createWorkspace({ name: 'team-h', default_artifact_root: https });
    const { workspace } = await server.client.workspaces.getWorkspace({ workspace_name: 'team-h' });
    expect(workspace.default_artifact_root).toMatch(/^wasbs:\/\/artifacts-1@devstoreaccount1\.blob\..*\/base\/h$/);
  });

  test('whose credentials are missing, or whose bucket is, is one clear error at the start', async () => {
    const { AZURE_STORAGE_CONNECTION_STRING: _, ...withoutAzure } = environment;
    await expect(startServer({ 'artifact-roots': roots.azure }, withoutAzure)).rejects.toThrow(
      /no azure credentials .*AZURE_STORAGE_CONNECTION_STRING/i,
    );
    await expect(startServer({ 'default-artifact-root': 's3://no-such-bucket/x' }, environment)).rejects.toThrow(
      's3://no-such-bucket cannot be used for artifacts',
    );
  });
});
