import {
  invalidParameter,
  limits,
  parseInt64,
  type RegistryAssignment,
  type RegistryChange,
  type registryHistory,
} from '@lazuli/contract';
import type { Handlers } from '../access/caller.ts';
import type { Db } from '../database/engine.ts';
import { findAliasChange, findModelKeyAt, listChanges, listStageChanges, type ChangeRow } from './change-store.ts';
import type { ModelRegistry } from './model-registry.ts';
import { readMoment } from './moment.ts';
import { modelsByKeys } from './model-store.ts';
import { checkAliasShape, noSuchModel, readMaxResults, readStage, readVersion } from './registry-rules.ts';
import { hydrateVersions, versionsByKeys } from './version-store.ts';

/** The trail of changes, and what was so at a time. Both know deleted models, too. */
export function historyHandlers({ engine, now }: ModelRegistry): Handlers<typeof registryHistory> {
  return {
    async listRegistryChanges({ name, version, kind, key, max_results = 100, page_token }, { workspace }) {
      const { workspaceId } = workspace;
      const limit = readMaxResults(max_results, limits.registryChanges);
      const before = readToken(page_token);
      const number = version === undefined ? undefined : readVersion(version);
      return engine.snapshot(async (db) => {
        const modelKey = await findModelKeyAt(db, workspaceId, name, Number.MAX_SAFE_INTEGER);
        if (modelKey === undefined) throw noSuchModel(name);
        const rows = await listChanges(db, workspaceId, modelKey, {
          version: version === undefined ? undefined : (number ?? -1),
          kind,
          key,
          before,
          limit: limit + 1,
        });
        const page = rows.slice(0, limit);
        const last = page.at(-1);
        return {
          changes: page.map(changeOf),
          ...(rows.length > limit && last !== undefined ? { next_page_token: String(last.change_key) } : {}),
        };
      });
    },

    async getRegistryAssignments({ name, alias, stage, timestamp, at }, { workspace }) {
      const { workspaceId } = workspace;
      if ((alias === undefined) === (stage === undefined)) {
        throw invalidParameter("Exactly one of the parameters 'alias' and 'stage' must be given.");
      }
      if (alias !== undefined) checkAliasShape(alias);
      const inStage = stage === undefined ? undefined : readStage(stage);
      if (timestamp !== undefined && at !== undefined) {
        throw invalidParameter("Only one of the parameters 'timestamp' and 'at' may be given.");
      }
      const asked = at === undefined ? Number(timestamp ?? now()) : readMoment('at', at);
      const time = Math.min(asked, Number.MAX_SAFE_INTEGER);
      return engine.snapshot(async (db) => {
        const modelKey = await findModelKeyAt(db, workspaceId, name, time);
        if (modelKey === undefined) throw noSuchModel(name);
        const then = { workspaceId, modelKey, timestamp: time };
        if (inStage !== undefined) {
          const rows = await listStageChanges(db, { ...then, stage: inStage });
          return { assignments: await assignments(db, rows, ({ version }) => version) };
        }
        const row = alias === undefined ? undefined : await findAliasChange(db, { ...then, alias });
        const isSet = row !== undefined && row.new_value !== null;
        return { assignments: await assignments(db, isSet ? [row] : [], ({ new_value }) => Number(new_value)) };
      });
    },
  };
}

/** Versions at a time, with what is known of them now; of a deleted one only its number is. */
async function assignments(
  db: Db,
  rows: readonly ChangeRow[],
  versionOf: (row: ChangeRow) => number | null,
): Promise<RegistryAssignment[]> {
  const [first] = rows;
  if (first === undefined) return [];
  const places = rows.map((row) => ({ model_key: row.model_key, version: versionOf(row) ?? 0 }));
  const present = await versionsByKeys(db, first.workspace_id, places);
  const models = await modelsByKeys(db, first.workspace_id, [first.model_key]);
  const names = new Map(models.map(({ model_key, name }) => [model_key, name]));
  const shown = await hydrateVersions(db, present, { names });
  const byVersion = new Map(shown.map((each) => [each.version, each]));
  return rows.map(({ timestamp, principal }, index) => {
    const version = String(places[index]?.version);
    const model_version = byVersion.get(version);
    return { version, since: timestamp, principal, ...(model_version === undefined ? {} : { model_version }) };
  });
}

function changeOf(row: ChangeRow): RegistryChange {
  return {
    change_id: row.change_key,
    timestamp: row.timestamp,
    principal: row.principal,
    kind: row.kind as RegistryChange['kind'],
    name: row.name,
    ...(row.version === null ? {} : { version: String(row.version) }),
    ...(row.key === null ? {} : { key: row.key }),
    ...(row.old_value === null ? {} : { old_value: row.old_value }),
    ...(row.new_value === null ? {} : { new_value: row.new_value }),
  };
}

/** A page ends at a change, whose number the token is. */
function readToken(token: string | undefined): number | undefined {
  if (token === undefined || token === '') return undefined;
  const key = /^\d{1,16}$/.test(token) ? parseInt64(token) : undefined;
  if (typeof key !== 'number') throw invalidParameter('Invalid page token: it is none that this search gave');
  return key;
}
