import { createHmac, timingSafeEqual } from 'node:crypto';
import { MlflowError } from '@lazuli/contract';
import { readActingFor, writeActingFor, type ActingFor } from '../access/acting-for.ts';

/**
 * What a signed URL is good for: reading or writing one file of one workspace, in the name of whoever asked for it, until
 * a moment. The signature binds all of that, so that nothing of a URL can be changed. It names its principal, whose
 * rights are looked up again when it is used: who loses a right loses it for the URLs that are out, too.
 *
 * Only names that shared access signatures have survive in the URLs of *Azure's storage clients*; so everything of ours
 * stands in `sig`.
 */
export interface BlobPlace {
  readonly workspaceGuid: string;
  /** Origin and container of what has the file, and where it lies in that. */
  readonly path: string;
}

export type BlobPermission = 'r' | 'cw';

export interface BlobCapability {
  readonly actingFor: ActingFor;
  /** Unix seconds. */
  readonly expires: number;
  readonly signature: string;
}

/** Long enough for the largest file over a slow line. */
const goodForSeconds = 12 * 60 * 60;

export interface BlobCapabilities {
  /** The query of a URL. */
  sign(place: BlobPlace, permission: BlobPermission, actingFor: ActingFor): string;
  /** Throws where the URL was not made here, is over, or is not good for this. */
  verify(place: BlobPlace, permission: BlobPermission, query: URLSearchParams): BlobCapability;
}

export function createBlobCapabilities(key: string, now: () => number): BlobCapabilities {
  const macOf = ({ workspaceGuid, path }: BlobPlace, ...rest: readonly string[]): Buffer =>
    createHmac('sha256', key)
      .update(JSON.stringify([workspaceGuid, path, ...rest]))
      .digest();

  return {
    sign(place, permission, actingFor) {
      const expires = Math.floor(now() / 1000) + goodForSeconds;
      const who = Buffer.from(writeActingFor(actingFor)).toString('base64url');
      const mac = macOf(place, permission, String(expires), who).toString('base64url');
      const se = new Date(expires * 1000).toISOString().replace('.000', '');
      return new URLSearchParams({ sv: '2024-01-01', se, sr: 'b', sp: permission, sig: `${who}.${mac}` }).toString();
    },

    verify(place, permission, query) {
      const [who = '', mac = ''] = (query.get('sig') ?? '').split('.');
      const expires = Math.floor(Date.parse(query.get('se') ?? '') / 1000);
      const given = Buffer.from(mac, 'base64url');
      const right = macOf(place, query.get('sp') ?? '', String(expires), who);
      if (given.length !== right.length || !timingSafeEqual(given, right)) {
        throw refused('The URL was not signed by this server, or was changed.');
      }
      if (query.get('sp') !== permission) {
        throw refused(`The URL is not good for ${permission === 'r' ? 'reading' : 'writing'}.`);
      }
      if (expires * 1000 <= now()) throw refused('The URL has expired; ask for another one.');
      return { actingFor: readActingFor(Buffer.from(who, 'base64url').toString('utf8')), expires, signature: mac };
    },
  };
}

/** *Azure: a signature that is wrong is 403.* */
function refused(message: string): MlflowError {
  return new MlflowError('PERMISSION_DENIED', message);
}
