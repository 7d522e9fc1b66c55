import type { ArtifactPath } from '../artifact-store/artifact-path.ts';
import type { ByteRange, ReadableArtifacts } from '../artifact-store/artifact-store.ts';
import { hashBy } from './checked-body.ts';
import { digestField, type DigestAlgorithm } from './digest-fields.ts';

/**
 * Digests of files that are there, which no store keeps: each costs reading the whole file. A few bytes of a request can ask
 * for that, so one file is read at a time, whoever asks, and who has waited for a minute gets an answer without a digest,
 * as *RFC 9530 leaves it to the server*.
 */
export type ReadDigest = (
  files: ReadableArtifacts,
  path: ArtifactPath,
  wanted: { readonly version: string; readonly algorithm: DigestAlgorithm; readonly range?: ByteRange | undefined },
) => Promise<string | undefined>;

export function createDigestReader(patienceMs = 60_000): ReadDigest {
  let turn: Promise<unknown> = Promise.resolve();
  return async (files, path, { version, algorithm, range }) => {
    const patience = AbortSignal.timeout(patienceMs);
    const read = async (): Promise<string | undefined> => {
      if (patience.aborted) return undefined;
      const file = await files.open(path);
      if (file === undefined) return undefined;
      if (file.version !== version) {
        await file.close();
        return undefined;
      }
      const hash = hashBy(algorithm);
      await file.sendTo(async (piece) => {
        patience.throwIfAborted();
        hash.update(piece);
      }, range);
      return digestField({ algorithm, value: hash.digest('base64') });
    };
    const reading = turn.then(read);
    turn = reading.catch(() => undefined);
    try {
      return await Promise.race([reading, aborted(patience)]);
    } catch (error) {
      if (error === patience.reason) return undefined;
      throw error;
    }
  };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
