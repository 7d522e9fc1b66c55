import { describe, expect } from 'vitest';
import { aRun, onEveryEngine } from '../server-fixture.ts';
import { contentUri, defaultScope, mlflowAt, reserve, runPath, storage, upload, uploads } from './azure-workspace.ts';

describe('the run history service', () => {
  onEveryEngine('hands out URLs that take and give back the bytes of any name', async (server) => {
    const { run_id } = await aRun(server.client);
    const place = runPath(run_id);
    const names = ['a.txt', 'model/MLmodel', "with space + #%?&;'.txt", 'ünï/côdé 漢.bin', '100%25.txt'];
    for (const name of names) await upload(server, place, name, `content of ${name}`);
    const { json } = await server.request('GET', place);
    const { value } = json as { value: { path: string; artifactId: string }[] };
    expect(value.map(({ path }) => path).sort()).toEqual([...names].sort());
    expect(value[0]?.artifactId).toMatch(new RegExp(`^ExperimentRun/dcid.${run_id}/`));
    for (const name of names) {
      const { status, text, headers } = await storage(server, 'GET', await contentUri(server, place, name), {
        headers: { 'x-ms-range': 'bytes=0-33554431' },
      });
      expect([status, text]).toEqual([206, `content of ${name}`]);
      const { length } = Buffer.from(text);
      expect(headers['content-range']).toBe(`bytes 0-${length - 1}/${length}`);
    }
    const plain = await server.client.artifacts.listArtifacts({ run_id });
    expect(plain.files?.map(({ path }) => path)).toContain('a.txt');
    expect((await server.request('GET', `${place}/metadata?path=a.txt`)).json).toMatchObject({ path: 'a.txt' });
  });

  onEveryEngine('makes URLs that clients of every cloud take for one of storage', async (server) => {
    const { run_id } = await aRun(server.client);
    const [url = ''] = (await reserve(server, runPath(run_id), ['a.txt'])).values();
    expect(url).toMatch(/^https:\/\//);
    for (const suffix of ['core.windows.net', 'core.chinacloudapi.cn', 'core.usgovcloudapi.net', 'core.cloudapi.de']) {
      expect(url).toMatch(new RegExp(`\\.blob\\.${suffix}/.*/.*\\?`));
    }
    const sas = ['sv', 'sr', 'sig', 'se', 'sp'];
    expect([...new URL(url).searchParams.keys()].filter((name) => !sas.includes(name))).toEqual([]);
  });

  onEveryEngine(
    'knows runs under the id and the name of their experiment, and logged models beside them',
    async (server) => {
      const { run_id, experiment_id } = await aRun(server.client);
      await upload(server, runPath(run_id, experiment_id), 'a.txt', 'a');
      for (const place of [runPath(run_id, 'a%20name'), runPath(run_id).replace('/experiments/', '/experimentids/')]) {
        expect((await server.request('GET', place)).json).toMatchObject({ value: [{ path: 'a.txt' }] });
      }
      const { model } = await server.client.loggedModels.createLoggedModel({ experiment_id, name: 'm' });
      await upload(server, runPath(model.info.model_id), 'MLmodel', 'flavors: {}');
      const listed = await server.request('GET', runPath(model.info.model_id));
      expect(listed.json).toMatchObject({ value: [{ path: 'MLmodel' }] });
      const files = await server.client.loggedModels.listLoggedModelArtifacts({ model_id: model.info.model_id });
      expect(files.files).toMatchObject([{ path: 'MLmodel' }]);
    },
  );

  onEveryEngine('replaces what is there, as rewritten tables and logs need', async (server) => {
    const { run_id } = await aRun(server.client);
    for (const body of ['first', 'second']) await upload(server, runPath(run_id), 'table.json', body);
    const url = await contentUri(server, runPath(run_id), 'table.json');
    expect((await storage(server, 'GET', url)).text).toBe('second');
  });

  onEveryEngine('lists files in pages that follow each other, none twice and none left out', async (server) => {
    const { run_id } = await aRun(server.client);
    const names = Array.from({ length: 12 }, (_, index) => `d${index % 3}/sub/${index}.txt`);
    for (const name of names) await upload(server, runPath(run_id), name, name);
    const { value } = (await server.request('GET', runPath(run_id))).json as { value: { path: string }[] };
    const all = value.map(({ path }) => path);
    expect([...all].sort()).toEqual([...names].sort());
    for (const [index, name] of all.entries()) {
      const token = encodeURIComponent(name);
      const rest = (await server.request('GET', `${runPath(run_id)}?continuationToken=${token}`)).json;
      expect((rest as { value: { path: string }[] }).value.map(({ path }) => path)).toEqual(all.slice(index + 1));
    }
  });

  onEveryEngine('answers 404 for what is not there, and 400 for what is no path', async (server) => {
    const { run_id } = await aRun(server.client);
    const place = runPath(run_id);
    expect((await server.request('GET', `${place}/contentinfo?path=nope.txt`)).status).toBe(404);
    expect((await server.request('GET', runPath('nope'))).status).toBe(404);
    expect((await server.request('GET', runPath('m-nope'))).status).toBe(404);
    expect((await server.request('GET', uploads('c').replace('LocalUpload', 'Elsewhere'))).status).toBe(404);
    for (const path of ['../x', '/etc/passwd', 'a/../../x', '..%2f..%2fx', '']) {
      expect((await server.request('POST', `${place}/batch/metadata`, { paths: [{ path }] })).status, path).toBe(400);
    }
    expect(
      (await server.request('POST', `${uploads('..')}/batch/metadata`, { paths: [{ path: 'x' }] })).status,
    ).not.toBe(200);
  });
});

describe('a signed URL', () => {
  onEveryEngine('of a file that went says so as a blob does', async (server) => {
    const { run_id, experiment_id } = await aRun(server.client);
    await upload(server, runPath(run_id), 'a.txt', 'a');
    const url = await contentUri(server, runPath(run_id), 'a.txt');
    await server.client.artifacts.deleteProxiedArtifacts({
      artifact_path: `${experiment_id}/${run_id}/artifacts/a.txt`,
    });
    const { status, headers, text } = await storage(server, 'GET', url);
    expect([status, headers['x-ms-error-code']]).toEqual([404, 'BlobNotFound']);
    expect(text).toContain('<Code>BlobNotFound</Code>');
  });
});

describe('a model from a local folder', () => {
  onEveryEngine('is registered from an upload, and found by both kinds of clients', async (server) => {
    const container = '260101T000000-0a1b2c3d';
    await upload(server, uploads(container), 'my model/MLmodel', 'flavors: {}');
    const source = `azureml://artifacts/LocalUpload/${container}/my model`;
    const base = `${mlflowAt(defaultScope)}/api/2.0/mlflow`;
    await server.request('POST', `${base}/registered-models/create`, { name: 'm' });
    const version = await server.request('POST', `${base}/model-versions/create`, { name: 'm', source });
    expect(version.json).toMatchObject({ model_version: { version: '1', source } });
    const forAzure = await server.request('GET', `${base}/model-versions/get-download-uri?name=m&version=1`);
    expect(forAzure.json).toEqual({ artifact_uri: source });
    const plain = await server.client.modelVersions.getModelVersionDownloadUri({ name: 'm', version: '1' });
    expect(plain.artifact_uri).toBe(`mlflow-artifacts:/LocalUpload/${container}/my%20model`);
    expect((await server.request('GET', uploads(container))).json).toMatchObject({
      value: [{ path: 'my model/MLmodel' }],
    });
  });

  onEveryEngine('of a run is registered by the location that Azure’s clients were told', async (server) => {
    const { run_id, experiment_id } = await aRun(server.client);
    const base = `${mlflowAt(defaultScope)}/api/2.0/mlflow`;
    const source = `azureml://127.0.0.1:0/mlflow/v2.0${defaultScope}/experiments/${experiment_id}/runs/${run_id}/artifacts/model`;
    await server.request('POST', `${base}/registered-models/create`, { name: 'm' });
    const version = await server.request('POST', `${base}/model-versions/create`, { name: 'm', source });
    expect(version.json).toMatchObject({ model_version: { run_id } });
    const forAzure = await server.request('GET', `${base}/model-versions/get-download-uri?name=m&version=1`);
    expect(forAzure.json).toEqual({ artifact_uri: source.replace(`experiments/${experiment_id}/`, 'experiments/-/') });
    const plain = await server.client.modelVersions.getModelVersionDownloadUri({ name: 'm', version: '1' });
    expect(plain.artifact_uri).toBe(`mlflow-artifacts:/${experiment_id}/${run_id}/artifacts/model`);
    const elsewhere = source.replace(run_id, '0'.repeat(32));
    const refused = await server.request('POST', `${base}/model-versions/create`, { name: 'm', source: elsewhere });
    expect(refused.status).toBe(404);
  });
});
