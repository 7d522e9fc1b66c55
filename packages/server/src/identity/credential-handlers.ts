import { randomUUID, X509Certificate } from 'node:crypto';
import { invalidParameter, MlflowError, type directory, type DirectoryCredential, type Int64 } from '@lazuli/contract';
import type { Handlers } from '../access/caller.ts';
import { createSecret, hashSecret } from '../access/token-secret.ts';
import type { Engine } from '../database/engine.ts';
import { changeNamed, checkName, getNamed } from './directory-objects.ts';
import { insertCredential, listCredentials, removeCredential, type CredentialRow } from './directory-store.ts';
import { readFederation } from './federated-assertion.ts';

/** What service principals sign in with: secrets, certificates, and the tokens of their platforms. A secret is in one answer only. */
export interface CredentialRoom {
  readonly engine: Pick<Engine, 'snapshot' | 'transaction'>;
  readonly now: () => number;
}

type CredentialHandlers = Pick<
  Handlers<typeof directory>,
  'createSecret' | 'addCertificate' | 'addFederatedCredential' | 'listCredentials' | 'deleteCredential'
>;

const secretLifeMs = 2 * 365 * 24 * 3_600_000;
/** *ECMAScript: the last moment that a date can name.* */
const lastMoment = 8_640_000_000_000_000;

export function credentialHandlers({ engine, now }: CredentialRoom) {
  async function addCredential(name: string, row: CredentialRow): Promise<void> {
    await changeNamed(engine, { name, kinds: ['ServicePrincipal'] }, (tx, { object_id }) =>
      insertCredential(tx.db, { ...row, object_id }),
    );
  }

  return {
    async createSecret(input) {
      const time = now();
      const expiryTime = checkExpiry(input.expiry_time, time);
      const secret = createSecret('lzs');
      const row: CredentialRow = {
        ...credential('secret', input.display_name, time),
        secret_hash: hashSecret(secret),
        expiry_time: expiryTime,
      };
      await addCredential(input.object, row);
      return { credential: shownCredential(row), secret };
    },

    async addCertificate(input) {
      const certificate = readCertificate(input.certificate);
      const row: CredentialRow = {
        ...credential('certificate', input.display_name, now()),
        certificate: certificate.toString(),
        thumbprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
        expiry_time: certificate.validToDate.getTime(),
      };
      if (row.expiry_time <= now()) {
        throw invalidParameter(
          `Invalid value for parameter 'certificate': it expired on ${certificate.validToDate.toISOString()}.`,
        );
      }
      await addCredential(input.object, row);
      return { credential: shownCredential(row) };
    },

    async addFederatedCredential(input) {
      const federation = readFederation(input);
      const row: CredentialRow = {
        ...credential('federated', input.display_name, now()),
        federation: JSON.stringify(federation),
        // It has no end of its own.
        expiry_time: lastMoment,
      };
      await addCredential(input.object, row);
      return { credential: shownCredential(row) };
    },

    async listCredentials({ object }) {
      const rows = await engine.snapshot(async (db) => {
        const { object_id } = await getNamed(db, object, ['ServicePrincipal']);
        return listCredentials(db, object_id);
      });
      return rows.length === 0 ? {} : { credentials: rows.map(shownCredential) };
    },

    async deleteCredential({ credential_id }) {
      const removed = await engine.transaction(({ db }) => removeCredential(db, credential_id));
      if (removed === 0) {
        throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `No credential with id=${credential_id} exists`);
      }
      return {};
    },
  } satisfies CredentialHandlers;
}

function credential(kind: CredentialRow['kind'], displayName: string | undefined, time: number): CredentialRow {
  return {
    credential_id: randomUUID(),
    object_id: '',
    kind,
    display_name: checkName('display_name', displayName ?? kind),
    secret_hash: null,
    certificate: null,
    thumbprint: null,
    federation: null,
    creation_time: time,
    expiry_time: 0,
  };
}

function checkExpiry(expiryTime: Int64 | undefined, time: number): number {
  if (expiryTime === undefined) return time + secretLifeMs;
  const moment = Number(expiryTime);
  if (moment > time && moment <= lastMoment) return moment;
  throw invalidParameter(
    `Invalid value ${expiryTime} for parameter 'expiry_time': it must be a moment in the future, in Unix milliseconds.`,
  );
}

/** *Microsoft's libraries sign assertions with RSA keys alone.* */
function readCertificate(pem: string): X509Certificate {
  const certificate = parseCertificate(pem);
  if (certificate === undefined) {
    throw invalidParameter(
      `Invalid value for parameter 'certificate': it must be a certificate in PEM form, -----BEGIN CERTIFICATE-----.`,
    );
  }
  const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey;
  if (asymmetricKeyType !== 'rsa' || (asymmetricKeyDetails?.modulusLength ?? 0) < 2048) {
    throw invalidParameter(`Invalid value for parameter 'certificate': its key must be RSA with 2048 bits at least.`);
  }
  return certificate;
}

function parseCertificate(pem: string): X509Certificate | undefined {
  const [block] = /-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----/.exec(pem) ?? [];
  if (block === undefined) return undefined;
  try {
    return new X509Certificate(block);
  } catch {
    return undefined;
  }
}

function shownCredential(row: CredentialRow): DirectoryCredential {
  const { credential_id, kind, display_name, thumbprint, federation, creation_time, expiry_time } = row;
  return {
    credential_id,
    kind,
    display_name,
    ...(thumbprint === null ? {} : { thumbprint }),
    ...(federation === null
      ? {}
      : (JSON.parse(federation) as Pick<DirectoryCredential, 'issuer' | 'subject' | 'audiences'>)),
    creation_time,
    expiry_time,
  };
}
