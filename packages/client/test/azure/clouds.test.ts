import { expect, test } from 'vitest';
import { azureAuthorization, resolveCloud } from '@lazuli/client/azure';

const unused: typeof fetch = async () => {
  throw new Error('Nothing is asked.');
};

test.each([
  [undefined, 'https://management.azure.com/.default', 'https://login.microsoftonline.com'],
  ['AzureCloud', 'https://management.azure.com/.default', 'https://login.microsoftonline.com'],
  ['azurechinacloud', 'https://management.chinacloudapi.cn/.default', 'https://login.chinacloudapi.cn'],
  ['AzureUSGovernment', 'https://management.usgovcloudapi.net/.default', 'https://login.microsoftonline.us'],
  ['AzureGermanCloud', 'https://management.microsoftazure.de/.default', 'https://login.microsoftonline.de'],
])('AZUREML_CURRENT_CLOUD=%s means %s and %s', async (name, scope, login) => {
  const environment = { AZUREML_CURRENT_CLOUD: name };
  expect(await resolveCloud({ environment, fetch: unused })).toMatchObject({ scope, login });
});

const origin = 'https://localhost:8443';
const url = `${origin}/metadata/endpoints?api-version=2019-05-01`;
const document = {
  name: 'LazuliCloud',
  portal: 'https://portal.azure.local/',
  resourceManager: origin,
  authentication: { loginEndpoint: 'https://x@localhost:8443', audiences: [origin] },
  suffixes: { storage: 'core.local' },
};

test.each([
  ['an array', [document]],
  ['an object', document],
])('a self-hosted cloud is read from %s, by name or because the document is its own', async (_, body) => {
  const fetch: typeof globalThis.fetch = async () => Response.json(body);
  const wanted = {
    name: 'LazuliCloud',
    resourceManager: origin,
    login: origin,
    scope: `${origin}/.default`,
    mlResource: 'https://ml.azure.local',
    hosts: ['localhost:8443', '*.localhost:8443'],
  };
  const environment = { ARM_CLOUD_METADATA_URL: url };
  expect(await resolveCloud({ environment, fetch })).toMatchObject(wanted);
  expect(await resolveCloud({ name: 'lazulicloud', environment, fetch })).toMatchObject(wanted);
  await expect(resolveCloud({ name: 'Other', environment, fetch })).rejects.toThrow(
    `No cloud is named 'Other'. ${url} describes LazuliCloud.`,
  );
});

test('a cloud of Azure is known without the document', async () => {
  const environment = { ARM_CLOUD_METADATA_URL: url, AZUREML_CURRENT_CLOUD: 'AzureCloud' };
  expect(await resolveCloud({ environment, fetch: unused })).toMatchObject({ name: 'AzureCloud' });
});

test('a document that cannot be read is named, and asked for again with the next operation', async () => {
  let count = 0;
  const fetch: typeof globalThis.fetch = async () =>
    ++count === 1 ? new Response('', { status: 503 }) : Response.json([document]);
  const credential = { getToken: async () => ({ token: 't', expiresOnTimestamp: Date.now() + 1000 }) };
  const source = azureAuthorization({ environment: { ARM_CLOUD_METADATA_URL: url }, fetch, credential });
  expect(count).toBe(0);
  const target = new URL(`${origin}/mlflow/v2.0`);
  await expect(source.header(target, {})).rejects.toThrow(`(${url}) cannot be read: it answers 503`);
  expect(await source.header(target, {})).toBe('Bearer t');
  await expect(source.header(new URL('https://localhost:9000/'), {})).rejects.toThrow('it is no host of LazuliCloud');
});
