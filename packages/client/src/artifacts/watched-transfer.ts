import type { ArtifactStore, TransferOptions, TransferProgress } from './artifact-store.ts';

/** Shows how a transfer of so many files goes on; nothing where nobody looks. */
export type WatchTransfer = (verb: 'Uploading' | 'Downloading', files: number) => TransferWatch | undefined;

export interface TransferWatch {
  readonly onProgress: (progress: TransferProgress) => void;
  readonly end: () => void;
}

/** Does a transfer of files, and lets somebody watch it. */
export async function watched<Result>(
  watch: TransferWatch | undefined,
  options: TransferOptions,
  transfer: (options: TransferOptions) => Promise<Result>,
): Promise<Result> {
  if (watch === undefined) return transfer(options);
  try {
    return await transfer({
      ...options,
      onProgress(progress) {
        watch.onProgress(progress);
        options.onProgress?.(progress);
      },
    });
  } finally {
    watch.end();
  }
}

/** A store whose uploads are watched. */
export function watchedStore(store: ArtifactStore, watchTransfer: WatchTransfer | undefined): ArtifactStore {
  return {
    ...store,
    upload: (uploads, options = {}) =>
      watched(watchTransfer?.('Uploading', uploads.length), options, (own) => store.upload(uploads, own)),
  };
}
