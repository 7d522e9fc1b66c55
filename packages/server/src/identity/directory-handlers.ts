import { randomUUID, X509Certificate } from 'node:crypto';
import {
  invalidParameter,
  MlflowError,
  type directory,
  type DirectoryCredential,
  type DirectoryObject,
  type Int64,
} from '@lazuli/contract';
import type { Authenticator } from '../access/authenticate.ts';
import type { Handlers } from '../access/caller.ts';
import { createSecret, hashSecret } from '../access/token-secret.ts';
import { countChange } from '../database/change-watch.ts';
import type { Db, Engine, Transaction } from '../database/engine.ts';
import {
  findObjectsNamed,
  insertCredential,
  insertMember,
  insertObject,
  listCredentials,
  listMembers,
  listObjects,
  lockObject,
  removeCredential,
  removeMember,
  removeObject,
  updateObject,
  type CredentialRow,
  type ObjectRow,
  type TenantRow,
} from './directory-store.ts';
import { readFederation } from './federated-assertion.ts';
import { removeGrantsOf } from './grant-store.ts';
import { hashPassword, inventPassword } from './password.ts';
import { checkRedirectUri } from './redirect-uri.ts';

/** Users, groups, service principals and what they sign in with. Secrets and passwords are in one answer only. */
export interface DirectoryRoom {
  readonly engine: Pick<Engine, 'snapshot' | 'transaction'>;
  readonly now: () => number;
  readonly tenant: TenantRow;
  readonly authenticator: Pick<Authenticator, 'forgetAllTokens'>;
}

const longestName = 250;
const shortestPassword = 12;
const longestPassword = 256;
const secretLifeMs = 2 * 365 * 24 * 3_600_000;
/** *ECMAScript: the last moment that a date can name.* */
const lastMoment = 8_640_000_000_000_000;

export function directoryHandlers({ engine, now, tenant, authenticator }: DirectoryRoom) {
  /** What every process remembers of callers may have become wrong. */
  async function changed(tx: Transaction): Promise<void> {
    await countChange(tx);
    tx.onCommit(() => authenticator.forgetAllTokens());
  }

  async function insert(
    given: Pick<ObjectRow, 'kind' | 'display_name'> & Partial<ObjectRow>,
  ): Promise<DirectoryObject> {
    const row: ObjectRow = {
      object_id: randomUUID(),
      user_name: null,
      app_id: null,
      password_hash: null,
      redirect_uris: '[]',
      disabled: 0,
      creation_time: now(),
      ...given,
    };
    const inserted = await engine.transaction(({ db }) => insertObject(db, row));
    if (!inserted) throw new MlflowError('RESOURCE_ALREADY_EXISTS', `User '${row.user_name}' already exists.`);
    return shown(row);
  }

  /** Changes an object, which is locked until the commit. */
  async function change<Result>(
    name: string,
    kinds: readonly ObjectRow['kind'][],
    work: (tx: Transaction, row: ObjectRow) => Promise<Result>,
  ): Promise<Result> {
    return engine.transaction(async (tx) => {
      const { object_id } = await getNamed(tx.db, name, kinds);
      const row = await lockObject(tx, object_id);
      if (row === undefined) throw noSuchObject(name);
      return work(tx, row);
    });
  }

  return {
    async getTenant() {
      return { tenant_id: tenant.tenant_id, domain: tenant.domain };
    },

    async createUser(input) {
      const userName = checkUserName(input.user_name);
      const displayName = checkName('display_name', input.display_name ?? userName);
      const invented = input.password === undefined ? inventPassword() : undefined;
      const passwordHash = await hashPassword(checkPassword(input.password ?? invented ?? ''));
      const object = await insert({
        kind: 'User',
        display_name: displayName,
        user_name: userName,
        password_hash: passwordHash,
      });
      return invented === undefined ? { object } : { object, password: invented };
    },

    async setPassword(input) {
      const invented = input.password === undefined ? inventPassword() : undefined;
      const password = checkPassword(input.password ?? invented ?? '');
      // A hash is dear: nobody gets one for a user who is not there.
      await engine.snapshot((db) => getNamed(db, input.object, ['User']));
      const passwordHash = await hashPassword(password);
      await change(input.object, ['User'], async (tx, { object_id }) => {
        await updateObject(tx.db, object_id, { password_hash: passwordHash });
        await removeGrantsOf(tx.db, object_id);
      });
      return invented === undefined ? {} : { password: invented };
    },

    async createGroup({ display_name }) {
      return { object: await insert({ kind: 'Group', display_name: checkName('display_name', display_name) }) };
    },

    async addGroupMember({ group, member }) {
      const { object_id: memberId } = await engine.snapshot((db) => getNamed(db, member, ['User', 'ServicePrincipal']));
      await change(group, ['Group'], async (tx, { object_id }) => {
        if ((await lockObject(tx, memberId)) === undefined) throw noSuchObject(member);
        await insertMember(tx.db, object_id, memberId);
        await changed(tx);
      });
      return {};
    },

    async removeGroupMember({ group, member }) {
      await change(group, ['Group'], async (tx, { object_id }) => {
        const found = await getNamed(tx.db, member, ['User', 'ServicePrincipal']);
        await removeMember(tx.db, object_id, found.object_id);
        await changed(tx);
      });
      return {};
    },

    async listGroupMembers({ group }) {
      return engine.snapshot(async (db) => {
        const { object_id } = await getNamed(db, group, ['Group']);
        return listed(await listMembers(db, object_id));
      });
    },

    async createServicePrincipal({ display_name, redirect_uris = [] }) {
      return {
        object: await insert({
          kind: 'ServicePrincipal',
          display_name: checkName('display_name', display_name),
          app_id: randomUUID(),
          redirect_uris: JSON.stringify(redirect_uris.map(checkRedirectUri)),
        }),
      };
    },

    async listDirectoryObjects({ kind }) {
      return listed(await engine.snapshot((db) => listObjects(db, kind)));
    },

    async getDirectoryObject({ object }) {
      return { object: shown(await engine.snapshot((db) => getNamed(db, object, anyKind))) };
    },

    async updateDirectoryObject({ object, disabled }) {
      return change(object, ['User', 'ServicePrincipal'], async (tx, row) => {
        const update = { disabled: disabled ? 1 : 0 };
        await updateObject(tx.db, row.object_id, update);
        if (disabled) await removeGrantsOf(tx.db, row.object_id);
        await changed(tx);
        return { object: shown({ ...row, ...update }) };
      });
    },

    async deleteDirectoryObject({ object }) {
      await change(object, anyKind, async (tx, { object_id }) => {
        await removeObject(tx.db, object_id);
        await changed(tx);
      });
      return {};
    },

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
  } satisfies Handlers<typeof directory>;

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

  async function addCredential(name: string, row: CredentialRow): Promise<void> {
    await change(name, ['ServicePrincipal'], (tx, { object_id }) => insertCredential(tx.db, { ...row, object_id }));
  }
}

const anyKind = ['User', 'Group', 'ServicePrincipal'] as const;

async function getNamed(db: Db, name: string, kinds: readonly ObjectRow['kind'][]): Promise<ObjectRow> {
  const found = await findObjectsNamed(db, name);
  const [only, ...others] = found.filter(({ kind }) => kinds.includes(kind));
  if (only === undefined) throw noSuchObject(name, kinds);
  if (others.length === 0) return only;
  throw invalidParameter(
    `Several objects are named '${name}'; give one of the ids: ${found.map((row) => row.object_id).join(', ')}`,
  );
}

const kindNames = { User: 'user', Group: 'group', ServicePrincipal: 'service principal' } as const;

function noSuchObject(name: string, kinds: readonly ObjectRow['kind'][] = anyKind): MlflowError {
  const wanted = kinds.map((kind) => kindNames[kind]).join(' or ');
  return new MlflowError('RESOURCE_DOES_NOT_EXIST', `No ${wanted} '${name}' exists`);
}

/** Names are written to logs and to the owners of runs, so they are one printable line. */
function checkName(parameter: string, name: string): string {
  if (name.trim() === '' || name.length > longestName || /[\p{C}\p{Zl}\p{Zp}]/u.test(name)) {
    throw invalidParameter(
      `Invalid value for parameter '${parameter}': it must be 1 to ${longestName} characters, not blank, without control characters.`,
    );
  }
  return name;
}

/** *Entra: a user principal name is a local part and a domain.* */
function checkUserName(name: string): string {
  if (name.length > longestName || !/^[\w.!#$%&'*+/=?^`{|}~-]+@[a-z0-9-]+(\.[a-z0-9-]+)*$/i.test(name)) {
    throw invalidParameter(
      `Invalid value for parameter 'user_name': it must look like ann@example.org, with at most ${longestName} characters.`,
    );
  }
  return name.toLowerCase();
}

function checkPassword(password: string): string {
  if (password.length < shortestPassword || password.length > longestPassword) {
    throw invalidParameter(
      `Invalid value for parameter 'password': it must have ${shortestPassword} to ${longestPassword} characters.`,
    );
  }
  return password;
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

function listed(rows: readonly ObjectRow[]): { objects?: DirectoryObject[] } {
  return rows.length === 0 ? {} : { objects: rows.map(shown) };
}

function shown(row: ObjectRow): DirectoryObject {
  const { object_id, kind, display_name, user_name, app_id, creation_time } = row;
  const redirectUris = JSON.parse(row.redirect_uris) as string[];
  return {
    object_id,
    kind,
    display_name,
    ...(user_name === null ? {} : { user_name }),
    ...(app_id === null ? {} : { app_id }),
    ...(redirectUris.length === 0 ? {} : { redirect_uris: redirectUris }),
    disabled: row.disabled !== 0,
    creation_time,
  };
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
