import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { azuriteAccount, azuriteKey, startAzurite, type Azurite } from '../../test/stores/azurite.ts';
import { artifactStoreSuite } from './artifact-store-suite.ts';
import { openAzure } from './azure-container.ts';
import type { AzurePlace } from '../settings/store-location.ts';

let azurite: Azurite;
beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(() => azurite[Symbol.asyncDispose]());

function placeIn(container: string): AzurePlace {
  return { kind: 'azure', account: azuriteAccount, domain: 'core.windows.net', container, path: 'team a/mlflow' };
}

async function open() {
  const environment = { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString };
  const store = await openAzure(placeIn(await azurite.newContainer()), environment);
  return { store, close: async () => undefined };
}

artifactStoreSuite('an Azure container', open);

describe('an Azure container', () => {
  test('is refused at the start without credentials, in words', async () => {
    const wanted = /^No Azure credentials .*AZURE_STORAGE_CONNECTION_STRING.*@azure\/identity/;
    const notInstalled = (): Promise<never> => Promise.reject(new Error('not installed'));
    await expect(openAzure(placeIn('models'), {}, notInstalled)).rejects.toThrow(wanted);
  });

  test('is refused at the start with a connection string of another account or of none', async () => {
    const place = { ...placeIn('models'), account: 'elsewhere' };
    const given = { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString };
    await expect(openAzure(place, given)).rejects.toThrow(
      "the account 'devstoreaccount1', the artifacts are in 'elsewhere'",
    );
    const broken = { AZURE_STORAGE_CONNECTION_STRING: 'secret' };
    await expect(openAzure(place, broken)).rejects.toThrow('not a connection string');
  });

  test('is refused at the start where it does not exist, or the key is wrong', async () => {
    const given = { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString };
    await expect(openAzure(placeIn('never-made'), given)).rejects.toThrow("container 'never-made'");
    const wrongKey = azurite.connectionString.replace(azuriteKey, Buffer.from('wrong').toString('base64'));
    const place = placeIn(await azurite.newContainer());
    await expect(openAzure(place, { AZURE_STORAGE_CONNECTION_STRING: wrongKey })).rejects.toThrow(
      'AuthorizationFailure',
    );
  });
});
