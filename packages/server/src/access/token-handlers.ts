import { randomUUID } from 'node:crypto';
import {
  invalidParameter,
  MlflowError,
  type ApiToken,
  type apiTokens,
  type Int64,
  type RoleName,
} from '@lazuli/contract';
import { countChange } from '../database/change-watch.ts';
import type { Engine } from '../database/engine.ts';
import type { Authenticator } from './authenticate.ts';
import type { Handlers } from './caller.ts';
import { builtInRoles, findRole } from './roles.ts';
import { workspaceScope } from './scope.ts';
import { createSecret, hashSecret } from './token-secret.ts';
import {
  insertToken,
  listNamedWorkspaces,
  listTokens,
  lockNamedWorkspace,
  removeToken,
  type ListedToken,
  type NamedWorkspace,
} from './token-store.ts';

/** API tokens: a secret bound to a principal, a role, and one workspace or all. The secret is in one answer only. */
export interface TokenRoom {
  readonly engine: Pick<Engine, 'snapshot' | 'transaction'>;
  readonly now: () => number;
  readonly authenticator: Pick<Authenticator, 'forgetToken'>;
}

const longestPrincipal = 250;
/** *ECMAScript: the last moment that a date can name.* */
const lastMoment = 8_640_000_000_000_000;

export function tokenHandlers({ engine, now, authenticator }: TokenRoom) {
  return {
    async createToken(input) {
      const principal = checkPrincipal(input.principal);
      const role = checkRole(input.role);
      const creationTime = now();
      const expiryTime = checkExpiry(input.expiry_time, creationTime);
      const secret = createSecret();
      const token = await engine.transaction(async (tx) => {
        const { db } = tx;
        const workspaces = await listNamedWorkspaces(db);
        const workspaceId = input.workspace === undefined ? null : findWorkspace(workspaces, input.workspace);
        if (workspaceId !== null && !(await lockNamedWorkspace(tx, workspaceId))) {
          throw noSuchWorkspace(input.workspace);
        }
        const row = {
          token_id: randomUUID(),
          principal,
          role,
          workspace_id: workspaceId,
          creation_time: creationTime,
          expiry_time: expiryTime,
        };
        await insertToken(db, { ...row, secret_hash: hashSecret(secret) });
        return shown(row, workspaces);
      });
      return { token, secret };
    },

    async listTokens() {
      return engine.snapshot(async (db) => {
        const workspaces = await listNamedWorkspaces(db);
        const tokens = await listTokens(db);
        return tokens.length === 0 ? {} : { tokens: tokens.map((token) => shown(token, workspaces)) };
      });
    },

    async revokeToken({ token_id }) {
      await engine.transaction(async (tx) => {
        const removed = await removeToken(tx.db, token_id);
        if (removed === 0) throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `No API token with id=${token_id} exists`);
        await countChange(tx);
        tx.onCommit(() => authenticator.forgetToken(token_id));
      });
      return {};
    },
  } satisfies Handlers<typeof apiTokens>;
}

/** Principals are written to logs and run owners, so they are one printable line. `anonymous` is who has no token. */
function checkPrincipal(principal: string): string {
  if (principal === 'anonymous')
    throw invalidParameter(`Invalid value for parameter 'principal': 'anonymous' is reserved.`);
  if (principal.trim() === '' || principal.length > longestPrincipal || /[\p{C}\p{Zl}\p{Zp}]/u.test(principal)) {
    throw invalidParameter(
      `Invalid value for parameter 'principal': it must be 1 to ${longestPrincipal} characters, not blank, without control characters.`,
    );
  }
  return principal;
}

function checkRole(role: string): RoleName {
  const definition = findRole(role);
  if (definition === undefined) {
    const names = builtInRoles.map(({ name }) => name).join(', ');
    throw invalidParameter(`Invalid value for parameter 'role': it must be one of ${names}.`);
  }
  return definition.name;
}

function checkExpiry(expiryTime: Int64 | undefined, now: number): number | null {
  if (expiryTime === undefined) return null;
  const moment = Number(expiryTime);
  if (moment > now && moment <= lastMoment) return moment;
  throw invalidParameter(
    `Invalid value ${expiryTime} for parameter 'expiry_time': it must be a moment in the future, in Unix milliseconds.`,
  );
}

function noSuchWorkspace(wanted = ''): MlflowError {
  return new MlflowError('RESOURCE_DOES_NOT_EXIST', `Workspace '${wanted}' not found`);
}

/** A workspace by its name where that is unique on the server, or by its long form. */
function findWorkspace(workspaces: readonly NamedWorkspace[], wanted: string): number {
  const found = workspaces.filter((workspace) => workspace.name === wanted || longForm(workspace) === wanted);
  const [only, ...others] = found;
  if (only === undefined) throw noSuchWorkspace(wanted);
  if (others.length === 0) return only.workspace_id;
  throw invalidParameter(`Several workspaces are named '${wanted}'; give one of: ${found.map(longForm).join(', ')}`);
}

function longForm({ subscription_id, resource_group, name }: NamedWorkspace): string {
  return workspaceScope({ subscriptionId: subscription_id, resourceGroup: resource_group, name });
}

function shown(token: ListedToken, workspaces: readonly NamedWorkspace[]): ApiToken {
  const { token_id, principal, creation_time } = token;
  const workspace = workspaces.find(({ workspace_id }) => workspace_id === token.workspace_id);
  const unique = workspaces.filter(({ name }) => name === workspace?.name).length === 1;
  return {
    token_id,
    principal,
    role: token.role as RoleName,
    ...(workspace === undefined ? {} : { workspace: unique ? workspace.name : longForm(workspace) }),
    creation_time,
    ...(token.expiry_time === null ? {} : { expiry_time: token.expiry_time }),
  };
}
