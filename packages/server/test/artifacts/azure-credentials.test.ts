import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import {
  BlobServiceClient,
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openAzure, openContainer } from '../../src/artifact-store/azure-container.ts';
import { makeCertificate } from '../identity/tls-front.ts';
import { azuriteAccount, azuriteKey, startAzurite, type Azurite } from '../stores/azurite.ts';
import { anArtifactServer, proxy, send } from './fixture.ts';

/** A server that has no key of the account: an identity's tokens, or a SAS token. */
const undo = new AsyncDisposableStack();
let azurite: Azurite;
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'azurite-'));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const { certificate, key } = await makeCertificate();
  const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
  await Promise.all([writeFile(tls.certFile, certificate), writeFile(tls.keyFile, key)]);
  const usual = getCACertificates('default');
  setDefaultCACertificates([...usual, certificate]);
  undo.defer(() => setDefaultCACertificates(usual));
  azurite = undo.use(await startAzurite({ tls }));
});
afterAll(() => undo.disposeAsync());

function placeIn(container: string) {
  return { kind: 'azure', account: azuriteAccount, domain: 'core.windows.net', container, path: 'mlflow' } as const;
}

function endpointOf({ connectionString }: Azurite): string {
  return /BlobEndpoint=([^;]*)/.exec(connectionString)?.[1] ?? '';
}

/** As Entra ID would write it; the emulator looks at the times, the issuer and the audience. */
function tokenOf(claims: object): string {
  const now = Math.floor(Date.now() / 1000);
  const usual = {
    nbf: now - 60,
    exp: now + 3600,
    iat: now - 60,
    iss: 'https://sts.windows.net/0/',
    oid: 'o',
    tid: 't',
  };
  const parts = [
    { alg: 'none', typ: 'JWT' },
    { ...usual, ...claims },
  ];
  return [...parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')), 'x'].join('.');
}

const json = { 'content-type': 'application/json' };

test('with an identity, files go up in parts and come down by URLs that are good for one file', async () => {
  const token = tokenOf({ aud: 'https://storage.azure.com' });
  const credential = { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }) };
  const service = new BlobServiceClient(endpointOf(azurite), credential);
  const store = await openContainer(service, placeIn(await azurite.newContainer()));
  await using server = await anArtifactServer({ store });
  const upload = (action: string, body: object) =>
    send(server, 'POST', `/api/2.0/mlflow-artifacts/mpu/${action}/0/run/artifacts`, {
      body: JSON.stringify({ path: 'model.bin', ...body }),
      headers: json,
    });
  const { upload_id, credentials } = (await upload('create', { num_parts: 2 })).json as {
    upload_id: string;
    credentials: { url: string; part_number: number }[];
  };
  for (const { url, part_number } of credentials) {
    const sent = await fetch(url, { method: 'PUT', body: `part ${part_number};` });
    expect(sent.status).toBe(201);
  }
  const parts = credentials.map(({ part_number, url }) => ({ part_number, url, etag: '' }));
  expect((await upload('complete', { upload_id, parts })).status).toBe(200);

  const asked = await send(server, 'GET', '/api/2.0/mlflow-artifacts/presigned/0/run/artifacts/model.bin');
  const { url } = asked.json as { url: string };
  const whole = await fetch(url);
  expect(await whole.text()).toBe('part 1;part 2;');
  expect(whole.headers.get('content-disposition')).toMatch(/^attachment;/);
  await send(server, 'PUT', `${proxy}/0/run/artifacts/other`, { body: 'secret' });
  expect((await fetch(url.replace('artifacts/model.bin', 'artifacts/other'))).status).toBe(403);

  const week = await send(server, 'POST', '/api/2.0/mlflow/artifacts/presigned-upload-url', {
    body: JSON.stringify({ run_id: 'run', path: 'late.txt', expiration: 604_800 }),
    headers: json,
  });
  const late = week.json as { presigned_url: string; headers: Record<string, string> };
  expect((await fetch(late.presigned_url, { method: 'PUT', headers: late.headers, body: 'x' })).status).toBe(201);
});

test('with a SAS token, files go through the server, which does not hand its token on', async () => {
  const container = await azurite.newContainer();
  const query = generateBlobSASQueryParameters(
    {
      containerName: container,
      permissions: ContainerSASPermissions.parse('racwdl'),
      expiresOn: new Date(Date.now() + 3_600_000),
    },
    new StorageSharedKeyCredential(azuriteAccount, azuriteKey),
  ).toString();
  const connection = `BlobEndpoint=${endpointOf(azurite)};SharedAccessSignature=${query}`;
  const store = await openAzure(placeIn(container), { AZURE_STORAGE_CONNECTION_STRING: connection });
  await using server = await anArtifactServer({ store });
  expect((await send(server, 'PUT', `${proxy}/0/run/artifacts/file`, { body: 'bytes' })).status).toBe(200);
  expect((await send(server, 'GET', `${proxy}/0/run/artifacts/file`)).text).toBe('bytes');
  const asked = await send(server, 'GET', '/api/2.0/mlflow-artifacts/presigned/0/run/artifacts/file');
  expect(asked).toMatchObject({ status: 501, json: { error_code: 'NOT_IMPLEMENTED' } });
  const created = await send(server, 'POST', '/api/2.0/mlflow-artifacts/mpu/create/0/run/artifacts', {
    body: JSON.stringify({ path: 'x', num_parts: 2 }),
    headers: json,
  });
  // What clients look for before they send the file through the server.
  expect(created.json).toMatchObject({
    message: expect.stringMatching(/^Multipart upload is not supported/) as string,
  });
});
