import { MlflowError } from '@lazuli/contract';
import type { Engine } from '../database/engine.ts';
import type { Grant, Principal, PrincipalKind } from './caller.ts';
import { findTokenById } from './token-store.ts';

/**
 * Signed URLs and jobs act for somebody who is not there when they are used. What they carry is who that is, and no
 * rights: these are looked up again each time.
 */
export type ActingFor = Pick<Principal, 'objectId' | 'name' | 'kind' | 'groups'>;

export function actingFor({ objectId, name, kind, groups }: Principal): ActingFor {
  return { objectId, name, kind, groups };
}

export function writeActingFor({ objectId, name, kind, groups }: ActingFor): string {
  return JSON.stringify([objectId, name, kind, ...groups]);
}

/** Of a text that this server has written itself. */
export function readActingFor(text: string): ActingFor {
  const [objectId = '', name = '', kind = '', ...groups] = JSON.parse(text) as string[];
  return { objectId, name, kind: kind as PrincipalKind, groups };
}

export interface Revival {
  /** The principal with the rights that it has now; throws where it is no more. */
  revive(actingFor: ActingFor): Promise<Principal>;
}

export interface RevivalOptions {
  readonly engine: Pick<Engine, 'snapshot'>;
  readonly now: () => number;
  /** Whoever calls without a token, where that is allowed. */
  readonly anonymous: () => Principal | undefined;
  /** What whoever signs in holds by that alone. */
  readonly ownGrants: readonly Grant[];
  /** The groups that a user or service principal is in now; undefined where it may not sign in any more. */
  readonly groupsOf: (actingFor: ActingFor) => Promise<readonly string[] | undefined>;
}

export function createRevival({ engine, now, anonymous, ownGrants, groupsOf }: RevivalOptions): Revival {
  return {
    async revive(who) {
      switch (who.kind) {
        case 'Anonymous': {
          const principal = anonymous();
          if (principal === undefined) throw gone('This server takes nobody without a token any more.');
          return principal;
        }
        case 'ApiToken': {
          const token = await engine.snapshot((db) => findTokenById(db, who.objectId));
          if (token === undefined || (token.expiry_time !== null && token.expiry_time <= now())) {
            throw gone('The API token that this was made with has expired or was revoked.');
          }
          return { ...who, grants: [{ role: token.role, workspaceId: token.workspace_id ?? 'all' }] };
        }
        default: {
          const groups = await groupsOf(who);
          if (groups === undefined) throw gone(`'${who.name}' may not sign in any more.`);
          return { ...who, groups, grants: ownGrants };
        }
      }
    },
  };
}

function gone(message: string): MlflowError {
  return new MlflowError('PERMISSION_DENIED', message);
}
