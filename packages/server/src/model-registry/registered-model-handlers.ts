import { compileWriter, contract, limits, type OutputOf, type registeredModels } from '@lazuli/contract';
import { JsonBody, type Caller, type Handlers } from '../access/caller.ts';
import type { Db, Read, Transaction } from '../database/engine.ts';
import { searchModelKeys, type ModelQuery } from '../search/search-models.ts';
import { recordChanges, recordEnd, type Author } from './change-store.ts';
import type { ModelRegistry } from './model-registry.ts';
import {
  findAlias,
  findLocked,
  findModel,
  getModel,
  hydrateModels,
  insertModel,
  listModelTags,
  lockModel,
  modelsByKeys,
  removeAlias,
  removeModel,
  takeModelKey,
  updateModel,
  upsertAlias,
  type ModelRow,
} from './model-store.ts';
import {
  checkAlias,
  checkAliasShape,
  checkModelName,
  checkTag,
  checkTagKey,
  checkTags,
  isLatest,
  isPrompt,
  nameTaken,
  noSuchAlias,
  noSuchModel,
  noSuchVersion,
  promptTag,
  readMaxResults,
  readStage,
  readVersion,
} from './registry-rules.ts';
import {
  findNewestVersion,
  findVersion,
  hydrateVersions,
  latestVersionsOf,
  listAliasesOf,
  touchVersions,
} from './version-store.ts';
import { modelTags } from './tag-store.ts';

export function registeredModelHandlers({ engine, now }: ModelRegistry): Handlers<typeof registeredModels> {
  /** Changes a model, which is locked; `change` is told who does it and when. */
  const changing = <T>(
    { principal, workspace }: Caller,
    name: string,
    change: (tx: Transaction, model: ModelRow, author: Author) => Promise<T>,
  ): Promise<T> =>
    engine.transaction(async (tx) => {
      const model = await lockModel(tx, workspace.workspaceId, name);
      return change(tx, model, { principal: principal.name, timestamp: now() });
    });

  return {
    async createRegisteredModel({ name, tags = [], description = '' }, { principal, workspace }) {
      checkModelName(name);
      const checkedTags = checkTags(tags);
      return engine.transaction(async (tx) => {
        const { db } = tx;
        const author = { principal: principal.name, timestamp: now() };
        const row = await insertModel(db, {
          workspace_id: workspace.workspaceId,
          model_key: await takeModelKey(db, workspace.workspaceId),
          name,
          description,
          user_id: author.principal,
          next_version: 1,
          creation_timestamp: author.timestamp,
          last_updated_timestamp: author.timestamp,
        });
        if (row === undefined) throw await takenBy(db, { workspaceId: workspace.workspaceId, name, tags: checkedTags });
        await modelTags.upsert(db, row, checkedTags);
        await recordChanges(db, row, author, [
          { kind: 'MODEL_CREATED', to: name },
          ...(description === '' ? [] : [{ kind: 'DESCRIPTION', to: description } as const]),
          ...checkedTags.map(({ key, value }) => ({ kind: 'TAG', key, to: value }) as const),
        ]);
        return answer(db, row);
      });
    },

    async renameRegisteredModel({ name, new_name }, caller) {
      checkModelName(new_name);
      return changing(caller, name, async (tx, model, author) => {
        const { db } = tx;
        if (new_name !== name) {
          const holder = await findModel(db, model.workspace_id, new_name);
          if (holder !== undefined) throw nameTaken(new_name, { asked: 'model', holder: 'model' });
        }
        const renamed = { ...model, name: new_name, last_updated_timestamp: author.timestamp };
        await updateModel(db, model, { name: new_name, last_updated_timestamp: author.timestamp });
        await touchVersions(db, model, author.timestamp);
        await recordChanges(db, renamed, author, [{ kind: 'MODEL_RENAMED', from: name, to: new_name }]);
        return answer(db, renamed);
      });
    },

    async updateRegisteredModel({ name, description }, caller) {
      return changing(caller, name, async ({ db }, model, author) => {
        const change = { description: description ?? null, last_updated_timestamp: author.timestamp };
        await updateModel(db, model, change);
        await recordChanges(db, model, author, [
          { kind: 'DESCRIPTION', from: textOf(model.description), to: textOf(description) },
        ]);
        return answer(db, { ...model, ...change });
      });
    },

    async deleteRegisteredModel({ name }, caller) {
      await changing(caller, name, async ({ db }, model, author) => {
        await recordEnd(db, model, author);
        await removeModel(db, model);
      });
      return {};
    },

    async getRegisteredModel({ name }, { workspace }) {
      return engine.snapshot(async (db) => answer(db, await getModel(db, workspace.workspaceId, name)));
    },

    async searchRegisteredModels({ filter, max_results = 100, order_by = [], page_token }, { workspace }) {
      const bytes = await engine.run(searchRegisteredModels, {
        workspaceId: workspace.workspaceId,
        maxResults: readMaxResults(max_results, limits.searchRegisteredModels),
        orderBy: order_by,
        promptTag,
        ...(filter === undefined ? {} : { filter }),
        ...(page_token === undefined ? {} : { pageToken: page_token }),
      });
      return new JsonBody(bytes);
    },

    async getLatestVersions({ name, stages = [] }, { workspace }) {
      const asked = new Set<string>(stages.map(readStage));
      return engine.snapshot(async (db) => {
        const model = await getModel(db, workspace.workspaceId, name);
        const latest = await latestVersionsOf(db, workspace.workspaceId, [model.model_key]);
        const rows = latest.filter(({ current_stage }) => asked.size === 0 || asked.has(current_stage));
        return { model_versions: await hydrateVersions(db, rows, { names: nameOf(model) }) };
      });
    },

    async setRegisteredModelTag({ name, key, value = '' }, caller) {
      checkTag(key, value);
      await changing(caller, name, async ({ db }, model, author) => {
        const before = await modelTags.find(db, model, key);
        await modelTags.upsert(db, model, [{ key, value }]);
        await recordChanges(db, model, author, [{ kind: 'TAG', key, from: before ?? null, to: value }]);
      });
      return {};
    },

    async deleteRegisteredModelTag({ name, key }, caller) {
      checkTagKey(key);
      await changing(caller, name, async ({ db }, model, author) => {
        const removed = await modelTags.remove(db, model, key);
        if (removed === undefined) return;
        await recordChanges(db, model, author, [{ kind: 'TAG', key, from: removed }]);
      });
      return {};
    },

    async setRegisteredModelAlias({ name, alias, version: given }, { principal, workspace }) {
      checkAlias(alias);
      const version = readVersion(given);
      await engine.transaction(async (tx) => {
        const { db } = tx;
        const model = await findLocked(tx, workspace.workspaceId, name);
        const row = model && version !== undefined ? await findVersion(db, model, version) : undefined;
        if (model === undefined || row === undefined) throw noSuchVersion(name, given.trim());
        const present = await findAlias(db, model, alias);
        await upsertAlias(db, model, alias, row.version);
        await recordChanges(db, model, { principal: principal.name, timestamp: now() }, [
          {
            kind: 'ALIAS',
            key: alias,
            version: row.version,
            from: present === undefined ? null : String(present.version),
            to: String(row.version),
          },
        ]);
      });
      return {};
    },

    async deleteRegisteredModelAlias({ name, alias }, caller) {
      checkAliasShape(alias);
      await changing(caller, name, async ({ db }, model, author) => {
        const present = await findAlias(db, model, alias);
        if (present === undefined) return;
        await removeAlias(db, model, alias);
        await recordChanges(db, model, author, [
          { kind: 'ALIAS', key: alias, version: present.version, from: String(present.version) },
        ]);
      });
      return {};
    },

    async getModelVersionByAlias({ name, alias }, { workspace }) {
      checkAliasShape(alias);
      return engine.snapshot(async (db) => {
        const model = await getModel(db, workspace.workspaceId, name);
        const row = await findByAlias(db, model, alias);
        if (row === undefined) throw noSuchAlias(alias);
        const aliases = await listAliasesOf(db, row);
        const [model_version] = await hydrateVersions(db, [row], { names: nameOf(model), aliases });
        if (model_version === undefined) throw noSuchModel(name);
        return { model_version };
      });
    },
  };
}

/** A page of registered models as the bytes of its answer. */
export const searchRegisteredModels: Read<ModelQuery, Uint8Array> = {
  name: 'search-registered-models',
  async run(db, query) {
    const { keys, nextPageToken } = await searchModelKeys(db, query);
    const page: OutputOf<typeof registeredModels.searchRegisteredModels> = {
      registered_models: await hydrateModels(db, await modelsByKeys(db, query.workspaceId, keys)),
      ...(nextPageToken === undefined ? {} : { next_page_token: nextPageToken }),
    };
    return new TextEncoder().encode(writePage(page));
  },
};

const writePage = compileWriter(contract.registeredModels.searchRegisteredModels.output);

/** The version that an alias names, the reserved one included. */
export async function findByAlias(db: Db, model: ModelRow, alias: string) {
  if (isLatest(alias)) return findNewestVersion(db, model);
  const found = await findAlias(db, model, alias);
  return found === undefined ? undefined : findVersion(db, model, found.version);
}

async function takenBy(
  db: Db,
  { workspaceId, name, tags }: { workspaceId: number; name: string; tags: readonly { key: string; value: string }[] },
): Promise<Error> {
  const holder = await findModel(db, workspaceId, name);
  const holderTags =
    holder === undefined
      ? []
      : ((await listModelTags(db, workspaceId, [holder.model_key])).get(holder.model_key) ?? []);
  return nameTaken(name, {
    asked: isPrompt(tags) ? 'prompt' : 'model',
    holder: isPrompt(holderTags) ? 'prompt' : 'model',
  });
}

async function answer(db: Db, row: ModelRow) {
  const [registered_model] = await hydrateModels(db, [row]);
  if (registered_model === undefined) throw noSuchModel(row.name);
  return { registered_model };
}

function nameOf({ model_key, name }: ModelRow): Map<number, string> {
  return new Map([[model_key, name]]);
}

/** An empty description is none. */
function textOf(description: string | null | undefined): string | null {
  return description === undefined || description === null || description === '' ? null : description;
}
