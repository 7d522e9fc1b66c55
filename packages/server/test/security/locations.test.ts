import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startServer, type TestServer } from '../server-fixture.ts';

/** Locations and sources as a caller may give them; `<trap>` is a listener on this machine that nobody may connect to. */
let server: TestServer;
let trap: Server;
let caught = 0;
let trapAddress: string;
beforeAll(async () => {
  server = await startServer();
  trap = createServer((socket) => {
    caught++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
  trapAddress = `127.0.0.1:${(trap.address() as { port: number }).port}`;
});
afterAll(async () => {
  trap.close();
  await server[Symbol.asyncDispose]();
});

const refused: readonly (readonly [attack: string, location: string])[] = [
  ['CVE-2023-6974: a URL that the server would fetch', 'http://<trap>/x'],
  ['CVE-2023-6974: the same, secured', 'https://<trap>/x'],
  ['CVE-2023-6974: file transfer', 'ftp://<trap>/x'],
  ['CVE-2023-6974: file transfer by SSH', 'sftp://<trap>/x'],
  ['CVE-2023-6974: a scheme in capitals', 'HTTP://<trap>/x'],
  ['CVE-2023-6974: a name in a URL', 'http://user:password@<trap>/x'],
  ['CVE-2023-6974: cloud metadata', 'http://169.254.169.254/latest/meta-data'],
  ['unfixed practice: another artifact server', 'mlflow-artifacts://<trap>/x'],
  ['unfixed practice: a file system with a host', 'hdfs://<trap>/x'],
  ['unfixed practice: a file system over HTTP', 'viewfs://<trap>/x'],
  ['unfixed practice: a file URI with a host', 'file://<trap>/x'],
  ['unfixed practice: a path with two slashes', '//<trap>/x'],
  ['unfixed practice: a UNC path', '\\\\<trap>\\x'],
  ['CVE-2023-6909: a traversal in the query', 'http:///?/../../../etc'],
  ['CVE-2023-6909: a traversal in the query of a bucket', 's3://bucket/x?y=/../../etc'],
  ['CVE-2023-6909: dots in the query of a bucket', 's3://bucket/x?y=..'],
  ['CVE-2024-1483: a fragment alone', 'mlflow-artifacts:/x#y'],
  ['CVE-2024-1594: a fragment of a local path alone', '/tmp/x#y'],
  ['CVE-2024-2928: a fragment of a bucket alone', 's3:///x#y'],
  ['CVE-2024-3848: an encoded fragment alone', 'mlflow-artifacts:/x%23y'],
  ['CVE-2024-1593: parameters alone', 'mlflow-artifacts:/x;y'],
  ['CVE-2024-1483: a fragment', 'mlflow-artifacts:/x#/../../etc'],
  ['CVE-2024-1594: a fragment in a local path', '/tmp/x#/../../etc'],
  ['CVE-2024-2928: a fragment without a host', 'http:///#/../../etc'],
  ['CVE-2024-3848: an encoded fragment', 'mlflow-artifacts:/x%23/../../etc'],
  ['CVE-2024-1593: parameters', 'mlflow-artifacts:/x;/../../etc'],
  ['CVE-2024-1593: encoded parameters', '/tmp/x%3b/../../etc'],
  ['CVE-2024-1558: an encoded traversal', 'mlflow-artifacts:/%2e%2e/%2e%2e/etc'],
  ['CVE-2024-1560: a traversal that is encoded twice', 'mlflow-artifacts:/%252e%252e/etc'],
  ['CVE-2024-3573: an upper scheme and a traversal', 'FILE:///tmp/../etc'],
  ['CVE-2024-8859: dbfs with a traversal', 'dbfs:/x/../../etc'],
  ['CVE-2023-6975: a traversal out of the root', 'mlflow-artifacts:/../../etc'],
  ['CVE-2023-2780: a file URI with a dot for a host', 'file://./etc'],
  ['CVE-2023-6977: a path with two slashes', '//proc/self/root'],
  ['CVE-2023-3765: a Windows path', 'C:\\Windows'],
  ['CVE-2023-3765: a Windows path with slashes', 'C:/Windows'],
  ['a location inside a run', 'runs:/0123456789abcdef0123456789abcdef/model'],
  ['a NUL', '/tmp/x\0y'],
  ['a line break', '/tmp/x\nSet-Cookie: a=b'],
  ['CVE-2024-6838: a location without end', `/${'x'.repeat(2_048)}`],
];

describe.each(refused)('%s', (attack, template) => {
  test('is refused as the location of an experiment, and nothing is stored or connected to', async () => {
    const artifact_location = template.replaceAll('<trap>', trapAddress);
    for (const body of [
      { name: attack, artifact_location },
      { name: attack, artifactLocation: artifact_location },
    ]) {
      const { status, json } = await server.request('POST', '/api/2.0/mlflow/experiments/create', body);
      expect({ status, json }).toMatchObject({ status: 400, json: { error_code: 'INVALID_PARAMETER_VALUE' } });
    }
    const named = server.client.experiments.getExperimentByName({ experiment_name: attack });
    await expect(named).rejects.toMatchObject({ errorCode: 'RESOURCE_DOES_NOT_EXIST' });
    expect(caught).toBe(0);
  });

  test('is refused as the artifact root of a workspace', async () => {
    const default_artifact_root = template.replaceAll('<trap>', trapAddress);
    await server.client.workspaces.createWorkspace({ name: 'rooted' }).catch(() => undefined);
    for (const [method, path, body] of [
      ['POST', '/api/3.0/mlflow/workspaces', { name: 'attacked', default_artifact_root }],
      ['PATCH', '/api/3.0/mlflow/workspaces/rooted', { default_artifact_root }],
    ] as const) {
      const { status } = await server.request(method, path, body);
      expect(status).toBe(400);
    }
    const names = (await server.client.workspaces.listWorkspaces({})).workspaces ?? [];
    expect(names.map(({ name, default_artifact_root: root }) => `${name} ${root ?? ''}`)).toEqual([
      'default ',
      'rooted ',
    ]);
    expect(caught).toBe(0);
  });
});

describe('a location that is kept without being used', () => {
  test.each([
    's3://<trap>/bucket',
    's3://bucket/x?endpoint=http://<trap>/',
    'gs://<trap>/bucket',
    'wasbs://container@<trap>/x',
    'dbfs:/x',
    'unknown://<trap>/x',
    '/etc',
    'file:///etc',
  ])('%s leads to no connection and no file of the server', async (template) => {
    const artifact_location = template.replaceAll('<trap>', trapAddress);
    const { status, json } = await server.request('POST', '/api/2.0/mlflow/experiments/create', {
      name: template,
      artifact_location,
    });
    expect(status).toBe(200);
    const { experiment_id } = json as { experiment_id: string };
    const { run } = await server.client.runs.createRun({ experiment_id, start_time: 1 });
    const { run_id } = run.info;
    for (const path of [
      `/api/2.0/mlflow/artifacts/list?run_id=${run_id}`,
      `/ajax-api/2.0/mlflow/artifacts/list?run_id=${run_id}&path=passwd`,
      `/get-artifact?run_id=${run_id}&path=passwd`,
      `/get-artifact?run_id=${run_id}&path=x`,
    ]) {
      const answer = await server.request('GET', path);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status === 501 || answer.status < 500).toBe(true);
      expect(answer.text).not.toContain('root:');
    }
    expect(caught).toBe(0);
  });

  test('nor does any other text that looks like an address', async () => {
    const address = `http://${trapAddress}/x`;
    const { run } = await server.client.runs.createRun({
      experiment_id: '0',
      start_time: 1,
      run_name: address,
      user_id: address,
    });
    const { run_id } = run.info;
    await server.client.runs.logBatch({
      run_id,
      params: [{ key: 'url', value: address }],
      tags: ['mlflow.source.git.repoURL', 'mlflow.source.name', 'mlflow.log-model.history'].map((key) => ({
        key,
        value: address,
      })),
    });
    const dataset = { name: address, digest: 'd', source_type: 'http', source: address };
    await server.client.runs.logInputs({ run_id, datasets: [{ dataset }], models: [{ model_id: address }] });
    await server.client.runs.getRun({ run_id });
    await server.client.runs.searchDatasets({ experiment_ids: ['0'] });
    await server.request('GET', `/get-artifact?run_id=${run_id}&path=${address}`);
    await server.request('GET', `/${address}`, undefined, {
      referer: address,
      'x-forwarded-host': trapAddress,
      forwarded: `host=${trapAddress}`,
    });
    expect(caught).toBe(0);
  });

  test('while the listener would have noticed', async () => {
    await fetch(`http://${trapAddress}/`).catch(() => undefined);
    expect(caught).toBe(1);
    caught = 0;
  });
});
