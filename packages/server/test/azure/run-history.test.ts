import { createHash, randomBytes } from 'node:crypto';
import { describe, expect } from 'vitest';
import { aRun, onEveryEngine, type TestServer } from '../server-fixture.ts';
import { defaultScope, mlflowAt, storage, withQuery } from './azure-workspace.ts';

interface Content {
  readonly contentUri: string;
}

const runPath = (run: string, experiment = '0') =>
  `/history/v1.0${defaultScope}/experiments/${experiment}/runs/${run}/artifacts`;
const uploads = (container: string) => `/artifact/v2.0${defaultScope}/artifacts/LocalUpload/${container}`;

async function reserve(
  { request }: TestServer,
  place: string,
  paths: readonly string[],
  headers: Record<string, string> = {},
): Promise<Map<string, string>> {
  const body = { paths: paths.map((path) => ({ path })) };
  const { status, json, text } = await request('POST', `${place}/batch/metadata`, body, headers);
  expect(status, text).toBe(200);
  const { artifactContentInformation, errors } = json as {
    artifactContentInformation: Record<string, Content>;
    errors: object;
  };
  expect(errors).toEqual({});
  return new Map(Object.entries(artifactContentInformation).map(([path, { contentUri }]) => [path, contentUri]));
}

async function upload(server: TestServer, place: string, path: string, body: Buffer | string): Promise<string> {
  const url = (await reserve(server, place, [path])).get(path) ?? '';
  const { status } = await storage(server, 'PUT', url, {
    body,
    headers: { 'x-ms-blob-type': 'BlockBlob', 'if-none-match': '*', 'content-type': 'application/octet-stream' },
  });
  expect(status).toBe(201);
  return url;
}

async function contentUri({ request }: TestServer, place: string, path: string): Promise<string> {
  const { status, json, text } = await request('GET', `${place}/contentinfo?path=${encodeURIComponent(path)}`);
  expect(status, text).toBe(200);
  return (json as Content).contentUri;
}

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
  onEveryEngine('takes a large file in blocks, which show when they are listed and not before', async (server) => {
    const { run_id } = await aRun(server.client);
    const place = runPath(run_id);
    const content = randomBytes(300_000);
    const url = (await reserve(server, place, ['big.bin'])).get('big.bin') ?? '';
    const ids = [0, 1, 2].map((index) => Buffer.from(`block-${index}`).toString('base64'));
    for (const [index, id] of ids.entries()) {
      const body = content.subarray(index * 100_000, (index + 1) * 100_000);
      const block = withQuery(url, `comp=block&blockid=${encodeURIComponent(id)}`);
      expect((await storage(server, 'PUT', block, { body })).status).toBe(201);
    }
    expect((await server.request('GET', place)).json).toEqual({ value: [] });
    const list = (names: readonly string[]) =>
      `<?xml version="1.0" encoding="utf-8"?><BlockList>${names.map((id) => `<Latest>${id}</Latest>`).join('')}</BlockList>`;
    const commit = withQuery(url, 'comp=blocklist');
    const unknown = await storage(server, 'PUT', commit, { body: list([...ids, 'bm9wZQ==']) });
    expect([unknown.status, unknown.headers['x-ms-error-code']]).toEqual([400, 'InvalidInput']);
    const headers = { 'if-none-match': '*', 'content-type': 'application/xml' };
    expect((await storage(server, 'PUT', commit, { body: list(ids), headers })).status).toBe(201);
    const read = await contentUri(server, place, 'big.bin');
    const { bytes } = await storage(server, 'GET', read);
    expect(sha256(bytes)).toBe(sha256(content));
    const first = await storage(server, 'GET', read, { headers: { 'x-ms-range': 'bytes=0-99999' } });
    const etag = String(first.headers['etag']);
    const next = await storage(server, 'GET', read, {
      headers: { 'x-ms-range': 'bytes=100000-199999', 'if-match': etag },
    });
    expect([next.status, sha256(next.bytes)]).toEqual([206, sha256(content.subarray(100_000, 200_000))]);
    const changed = await storage(server, 'GET', read, { headers: { 'if-match': '"other"' } });
    expect([changed.status, changed.headers['x-ms-error-code']]).toEqual([412, 'ConditionNotMet']);
    const again = await storage(server, 'PUT', commit, { body: list(ids) });
    expect(again.status).toBe(400);
  });

  onEveryEngine('of an empty file says that no range of it can be had', async (server) => {
    const { run_id } = await aRun(server.client);
    await upload(server, runPath(run_id), 'empty', '');
    const url = await contentUri(server, runPath(run_id), 'empty');
    const ranged = await storage(server, 'GET', url, { headers: { 'x-ms-range': 'bytes=0-33554431' } });
    expect([ranged.status, ranged.headers['x-ms-error-code']]).toEqual([416, 'InvalidRange']);
    const whole = await storage(server, 'GET', url);
    expect([whole.status, whole.text]).toEqual([200, '']);
  });

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

  onEveryEngine('is good for its file, its direction and its time alone', async (server) => {
    const { run_id } = await aRun(server.client);
    const place = runPath(run_id);
    const write = await upload(server, place, 'a.txt', 'a');
    await upload(server, place, 'b.txt', 'b');
    const read = await contentUri(server, place, 'a.txt');
    const altered = (url: string, name: string, value: string): string => {
      const changed = new URL(url);
      changed.searchParams.set(name, value);
      return changed.href;
    };
    const workspaceGuid = new URL(read).pathname.split('/')[6] ?? '';
    const refused: readonly (readonly [string, string])[] = [
      ['GET', read.replace('a.txt', 'b.txt')],
      ['GET', altered(read, 'se', '2099-01-01T00:00:00Z')],
      ['GET', altered(read, 'sp', 'cw')],
      ['GET', altered(read, 'sig', '')],
      ['GET', altered(read, 'sig', `${(new URL(read).searchParams.get('sig') ?? '').split('.')[0]}.AAAA`)],
      ['GET', read.slice(0, read.indexOf('?'))],
      ['GET', read.replace(workspaceGuid, '00000000-0000-4000-8000-000000000000')],
      ['GET', write],
      ['PUT', read],
      ['PUT', write.replace('a.txt', 'b.txt')],
      ['PUT', altered(withQuery(write, 'comp=block&blockid=AA=='), 'sp', 'r')],
    ];
    for (const [method, url] of refused) {
      const { status, headers } = await storage(server, method, url, method === 'PUT' ? { body: 'x' } : {});
      expect([method, url, status]).toEqual([method, url, 403]);
      expect(headers['x-ms-error-code']).toBe('AuthenticationFailed');
    }
    expect((await storage(server, 'GET', read)).text).toBe('a');
  });

  onEveryEngine('ends with the rights of whoever asked for it', async (server) => {
    const { token, secret } = await server.client.apiTokens.createToken({ principal: 'ann', role: 'Contributor' });
    const { run_id } = await aRun(server.client);
    const headers = { authorization: `Bearer ${secret}` };
    const url = (await reserve(server, runPath(run_id), ['a.txt'], headers)).get('a.txt') ?? '';
    expect((await storage(server, 'PUT', url, { body: 'a' })).status).toBe(201);
    await server.client.apiTokens.revokeToken({ token_id: token.token_id });
    expect((await storage(server, 'PUT', url, { body: 'b' })).status).toBe(403);
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

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
