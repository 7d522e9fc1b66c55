import { createHash } from 'node:crypto';
import { invalidParameter, MlflowError } from '@lazuli/contract';
import { folderPath, joinPaths, type ArtifactPath } from '../artifact-store/artifact-path.ts';
import type { ArtifactStore, OpenArtifact } from '../artifact-store/artifact-store.ts';
import type { BlobCapability } from './blob-capability.ts';

/**
 * Blocks of uploads that are not complete. *Azure's clients send a file of more than 64 MiB in blocks and then the list of
 * them.* Blocks wait as files beside the workspaces' folders, in any store alike, in a folder of the signed URL that they
 * came by: two uploads of one name do not mix, and when the URL is over, so is what was left behind.
 */
export interface BlockStaging {
  put(upload: BlobCapability, blockId: string, content: AsyncIterable<Uint8Array>, bytes?: number): Promise<void>;
  /** Puts the blocks together as one file, and lets go of them. */
  commit(upload: BlobCapability, blockIds: readonly string[], target: BlockTarget): Promise<void>;
}

export interface BlockTarget {
  readonly store: ArtifactStore;
  readonly path: ArtifactPath;
}

const stagingFolder = folderPath('.blocks');
const mostBlocks = 50_000;
const sweepEveryMs = 60 * 60 * 1000;

export function createBlockStaging(store: ArtifactStore, now: () => number): BlockStaging {
  const staging = store.within(stagingFolder);
  let sweptMs = now();

  /** What was left behind by uploads that can no longer be completed. */
  async function sweep(): Promise<void> {
    if (now() - sweptMs < sweepEveryMs) return;
    sweptMs = now();
    for (const { name } of await staging.list(folderPath(''))) {
      if (Number(name.split('-')[0]) * 1000 < now()) await staging.remove(folderPath(name));
    }
  }

  return {
    async put(upload, blockId, content, bytes) {
      await staging.put(blockPath(upload, blockId), content, bytes);
    },

    async commit(upload, blockIds, { store: target, path }) {
      if (blockIds.length > mostBlocks) throw invalidParameter(`A file has at most ${mostBlocks} blocks.`);
      const blocks = blockIds.map((blockId) => blockPath(upload, blockId));
      let bytes = 0;
      for (const block of new Set(blocks)) {
        const stat = await staging.stat(block);
        if (stat?.kind !== 'file') throw unknownBlock();
        bytes += stat.size * blocks.filter((other) => other === block).length;
      }
      await target.put(path, contentOf(blocks), bytes);
      await staging.remove(uploadFolder(upload));
      await sweep();
    },
  };

  async function* contentOf(blocks: readonly ArtifactPath[]): AsyncGenerator<Uint8Array> {
    for (const block of blocks) {
      const file = await staging.open(block);
      if (file === undefined) throw unknownBlock();
      yield* piecesOf(file);
    }
  }
}

function uploadFolder({ expires, signature }: BlobCapability): ArtifactPath {
  return folderPath(`${expires}-${hashOf(signature)}`);
}

/** An id may have characters that no file's name has. */
function blockPath(upload: BlobCapability, blockId: string): ArtifactPath {
  return joinPaths(uploadFolder(upload), folderPath(hashOf(blockId)));
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

function unknownBlock(): MlflowError {
  return invalidParameter('The list names a block that was not uploaded with this URL.');
}

/** A file that pushes its pieces, as something to pull them from. */
async function* piecesOf(file: OpenArtifact): AsyncGenerator<Uint8Array> {
  let offered = Promise.withResolvers<Uint8Array | undefined>();
  let taken = Promise.withResolvers<undefined>();
  const sending = file
    .sendTo(async (piece) => {
      offered.resolve(piece);
      await taken.promise;
    })
    .then(
      () => offered.resolve(undefined),
      (error: unknown) => offered.reject(error),
    );
  try {
    for (;;) {
      const piece = await offered.promise;
      if (piece === undefined) return;
      yield piece;
      const before = taken;
      [offered, taken] = [Promise.withResolvers(), Promise.withResolvers()];
      before.resolve(undefined);
    }
  } finally {
    // Whoever stops early lets the file be closed all the same.
    taken.promise.catch(() => undefined);
    taken.reject(new Error('The file is not read to its end.'));
    await sending;
  }
}
