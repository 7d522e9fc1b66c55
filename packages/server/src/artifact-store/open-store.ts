import type { ArtifactStore } from './artifact-store.ts';
import { openLocalFolder } from './local-folder.ts';
import { readStorePlace } from '../settings/store-location.ts';

export interface StoreOptions {
  /** Where, as the settings write it. */
  readonly destination: string;
  readonly staleBefore: () => number;
  /** Where the object stores' credentials are looked for. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The clients of object stores are loaded by those who use them: they are larger than the server. */
export async function openStore({ destination, staleBefore, environment }: StoreOptions): Promise<ArtifactStore> {
  const place = readStorePlace(destination);
  switch (place?.kind) {
    case 's3': {
      const { openS3 } = await import('./s3-bucket.ts');
      return await openS3(place, environment);
    }
    case 'azure': {
      const { openAzure } = await import('./azure-container.ts');
      return await openAzure(place, environment);
    }
    default:
      return await openLocalFolder({ root: destination, staleBefore });
  }
}
