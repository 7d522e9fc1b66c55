import { randomUUID } from 'node:crypto';
import { invalidParameter, MlflowError, type directory, type DirectoryObject } from '@lazuli/contract';
import type { Authenticator } from '../access/authenticate.ts';
import type { Handlers } from '../access/caller.ts';
import { countChange } from '../database/change-watch.ts';
import type { Engine, Transaction } from '../database/engine.ts';
import { credentialHandlers } from './credential-handlers.ts';
import { anyKind, changeNamed, checkName, getNamed, longestName, noSuchObject } from './directory-objects.ts';
import {
  insertMember,
  insertObject,
  listMembers,
  listObjects,
  lockObject,
  removeMember,
  removeObject,
  updateObject,
  type ObjectRow,
  type TenantRow,
} from './directory-store.ts';
import { removeGrantsOf } from './grant-store.ts';
import { hashPassword, inventPassword } from './password.ts';
import { checkRedirectUri } from './redirect-uri.ts';

/** Users, groups, service principals. A password is in one answer only. */
export interface DirectoryRoom {
  readonly engine: Pick<Engine, 'snapshot' | 'transaction'>;
  readonly now: () => number;
  readonly tenant: TenantRow;
  readonly authenticator: Pick<Authenticator, 'forgetAllTokens'>;
}

const shortestPassword = 12;
const longestPassword = 256;

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
      await changeNamed(engine, { name: input.object, kinds: ['User'] }, async (tx, { object_id }) => {
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
      await changeNamed(engine, { name: group, kinds: ['Group'] }, async (tx, { object_id }) => {
        if ((await lockObject(tx, memberId)) === undefined) throw noSuchObject(member);
        await insertMember(tx.db, object_id, memberId);
        await changed(tx);
      });
      return {};
    },

    async removeGroupMember({ group, member }) {
      await changeNamed(engine, { name: group, kinds: ['Group'] }, async (tx, { object_id }) => {
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
      return changeNamed(engine, { name: object, kinds: ['User', 'ServicePrincipal'] }, async (tx, row) => {
        const update = { disabled: disabled ? 1 : 0 };
        await updateObject(tx.db, row.object_id, update);
        if (disabled) await removeGrantsOf(tx.db, row.object_id);
        await changed(tx);
        return { object: shown({ ...row, ...update }) };
      });
    },

    async deleteDirectoryObject({ object }) {
      await changeNamed(engine, { name: object, kinds: anyKind }, async (tx, { object_id }) => {
        await removeObject(tx.db, object_id);
        await changed(tx);
      });
      return {};
    },

    ...credentialHandlers({ engine, now }),
  } satisfies Handlers<typeof directory>;
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
