import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ArtifactStore } from '../../src/artifact-store/artifact-store.ts';
import { openAzure } from '../../src/artifact-store/azure-container.ts';
import { openLocalFolder } from '../../src/artifact-store/local-folder.ts';
import { openS3 } from '../../src/artifact-store/s3-bucket.ts';
import { azuriteAccount, startAzurite } from '../stores/azurite.ts';
import { startS3Server } from '../stores/s3rver.ts';

/** The stores that tests run over: an empty one each time, which goes with the stack. */
export interface StoreKind {
  readonly name: string;
  readonly open: (undo: AsyncDisposableStack) => Promise<ArtifactStore>;
}

export const objectStores: readonly StoreKind[] = [
  {
    name: 'Azure',
    async open(undo) {
      const azurite = undo.use(await startAzurite());
      const container = await azurite.newContainer();
      const place = { account: azuriteAccount, domain: 'core.windows.net', container, path: 'mlflow' };
      return await openAzure(
        { kind: 'azure', ...place },
        { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString },
      );
    },
  },
  {
    name: 'S3',
    async open(undo) {
      const s3 = undo.use(await startS3Server());
      return await openS3({ kind: 's3', bucket: await s3.newBucket(), path: 'mlflow' }, s3.environment);
    },
  },
];

export const allStores: readonly StoreKind[] = [
  {
    name: 'a local folder',
    async open(undo) {
      const root = await mkdtemp(join(tmpdir(), 'artifact-store-'));
      undo.defer(() => rm(root, { recursive: true, force: true }));
      return await openLocalFolder({ root, staleBefore: () => 0 });
    },
  },
  ...objectStores,
];
