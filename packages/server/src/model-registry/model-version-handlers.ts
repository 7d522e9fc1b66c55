import {
  compileWriter,
  contract,
  invalidParameter,
  limits,
  MlflowError,
  type modelVersions,
  type OutputOf,
} from '@lazuli/contract';
import { JsonBody, type Caller, type Handlers, type WorkspaceRef } from '../access/caller.ts';
import type { Db, Engine, Read, Transaction } from '../database/engine.ts';
import { searchVersionKeys, type ModelQuery } from '../search/search-models.ts';
import { recordChanges, type Author, type Change } from './change-store.ts';
import type { ModelRegistry } from './model-registry.ts';
import {
  checkPromptSource,
  checkSource,
  type CheckedSource,
  type Origins,
  type VersionReference,
} from './model-source.ts';
import {
  findLocked,
  findModel,
  getModel,
  listModelTags,
  lockModel,
  modelsByKeys,
  updateModel,
  type ModelRow,
} from './model-store.ts';
import { findByAlias } from './registered-model-handlers.ts';
import {
  checkModelName,
  checkTag,
  checkTagKey,
  checkTags,
  isPrompt,
  noSuchAlias,
  noSuchVersion,
  promptTag,
  readMaxResults,
  readStage,
  readVersion,
  requireArchivable,
} from './registry-rules.ts';
import {
  findVersion,
  getVersion,
  hydrateVersions,
  insertVersion,
  latestVersionsOf,
  listAliasesOf,
  listVersionsInStage,
  removeVersion,
  updateVersion,
  versionsByKeys,
  type VersionRow,
} from './version-store.ts';
import { versionTags } from './tag-store.ts';

type VersionRead<T> = (db: Db, model: ModelRow, row: VersionRow) => Promise<T>;

function readingVersion<T>(
  engine: Pick<Engine, 'snapshot'>,
  workspaceId: number,
  { name, version }: { name: string; version: string },
  read: VersionRead<T>,
): Promise<T> {
  readVersion(version);
  return engine.snapshot(async (db) => {
    const model = await findModel(db, workspaceId, name);
    if (model === undefined) throw noSuchVersion(name, version.trim());
    return read(db, model, await getVersion(db, model, version));
  });
}

/** Where the files of a version lie. */
export function findVersionFiles(
  engine: Pick<Engine, 'snapshot'>,
  workspaceId: number,
  place: { name: string; version: string },
): Promise<{ artifact_uri: string }> {
  return readingVersion(engine, workspaceId, place, async (_db, _model, row) => ({
    artifact_uri: row.storage_location,
  }));
}

export function modelVersionHandlers(registry: ModelRegistry): Handlers<typeof modelVersions> {
  const { engine, now } = registry;

  /** Changes a version, whose model is locked. */
  const changing = <T>(
    { principal, workspace }: Caller,
    { name, version }: { name: string; version: string },
    change: (tx: Transaction, at: { model: ModelRow; row: VersionRow; author: Author }) => Promise<T>,
  ): Promise<T> => {
    const number = readVersion(version);
    return engine.transaction(async (tx) => {
      const model = await findLocked(tx, workspace.workspaceId, name);
      const row = model && number !== undefined ? await findVersion(tx.db, model, number) : undefined;
      if (model === undefined || row === undefined) throw noSuchVersion(name, version.trim());
      return change(tx, { model, row, author: { principal: principal.name, timestamp: now() } });
    });
  };

  const finding = <T>(
    { workspaceId }: WorkspaceRef,
    place: { name: string; version: string },
    read: VersionRead<T>,
  ): Promise<T> => readingVersion(engine, workspaceId, place, read);

  return {
    async createModelVersion({ name, source, run_id, model_id, tags = [], run_link = '', description = '' }, caller) {
      const { principal, workspace } = caller;
      checkModelName(name);
      const checkedTags = checkTags(tags);
      const asked = { source, runId: run_id, modelId: model_id, isPrompt: isPrompt(checkedTags) };
      return engine.transaction(async (tx) => {
        const { db } = tx;
        const checked = await heldSource(registry, tx, workspace, asked);
        const model = await lockModel(tx, workspace.workspaceId, name);
        const time = now();
        const row: VersionRow = {
          workspace_id: model.workspace_id,
          model_key: model.model_key,
          version: model.next_version,
          user_id: principal.name,
          current_stage: 'None',
          description,
          source: checked.source,
          storage_location: checked.storageLocation,
          run_id: checked.runId,
          run_link,
          model_id: checked.modelId,
          status: 'READY',
          status_message: null,
          creation_timestamp: time,
          last_updated_timestamp: time,
        };
        await updateModel(db, model, { next_version: model.next_version + 1, last_updated_timestamp: time });
        await insertVersion(db, row);
        await versionTags.upsert(db, row, checkedTags);
        const { version } = row;
        await recordChanges(db, model, { principal: principal.name, timestamp: time }, [
          { kind: 'VERSION_CREATED', version, to: row.current_stage },
          ...(description === '' ? [] : [{ kind: 'DESCRIPTION', version, to: description } as const]),
          ...checkedTags.map(({ key, value }) => ({ kind: 'TAG', version, key, to: value }) as const),
        ]);
        return answer(db, model, row);
      });
    },

    async updateModelVersion({ description, ...place }, caller) {
      return changing(caller, place, async ({ db }, { model, row, author }) => {
        const change = { description: description ?? null, last_updated_timestamp: author.timestamp };
        await updateVersion(db, row, change);
        await recordChanges(db, model, author, [
          {
            kind: 'DESCRIPTION',
            version: row.version,
            from: row.description === '' ? null : row.description,
            to: description === undefined || description === '' ? null : description,
          },
        ]);
        return answer(db, model, { ...row, ...change });
      });
    },

    async transitionModelVersionStage({ stage: given, archive_existing_versions = false, ...place }, caller) {
      if (archive_existing_versions) requireArchivable(given);
      const stage = readStage(given);
      return changing(caller, place, async ({ db }, { model, row, author }) => {
        const { timestamp } = author;
        const changes: Change[] = [];
        const move = async (each: VersionRow, to: string): Promise<void> => {
          await updateVersion(db, each, { current_stage: to, last_updated_timestamp: timestamp });
          changes.push({ kind: 'STAGE', version: each.version, from: each.current_stage, to });
        };
        if (archive_existing_versions) {
          for (const other of await listVersionsInStage(db, model, stage)) {
            if (other.version !== row.version) await move(other, 'Archived');
          }
        }
        await move(row, stage);
        await updateModel(db, model, { last_updated_timestamp: timestamp });
        await recordChanges(db, model, author, changes);
        return answer(db, model, { ...row, current_stage: stage, last_updated_timestamp: timestamp });
      });
    },

    async deleteModelVersion(place, caller) {
      await changing(caller, place, async ({ db }, { model, row, author }) => {
        const { version } = row;
        const aliases = await listAliasesOf(db, row);
        await removeVersion(db, row);
        await updateModel(db, model, { last_updated_timestamp: author.timestamp });
        await recordChanges(db, model, author, [
          ...aliases.map((alias) => ({ kind: 'ALIAS', key: alias, version, from: String(version) }) as const),
          { kind: 'VERSION_DELETED', version, from: row.current_stage },
        ]);
      });
      return {};
    },

    async getModelVersion(place, { workspace }) {
      return finding(workspace, place, answer);
    },

    async searchModelVersions({ filter, max_results = 10_000, order_by = [], page_token }, { workspace }) {
      const bytes = await engine.run(searchModelVersions, {
        workspaceId: workspace.workspaceId,
        maxResults: readMaxResults(max_results, limits.searchModelVersions),
        orderBy: order_by,
        promptTag,
        ...(filter === undefined ? {} : { filter }),
        ...(page_token === undefined ? {} : { pageToken: page_token }),
      });
      return new JsonBody(bytes);
    },

    async getModelVersionDownloadUri(place, { workspace }) {
      return findVersionFiles(engine, workspace.workspaceId, place);
    },

    async setModelVersionTag({ key, value = '', ...place }, caller) {
      checkTag(key, value);
      await changing(caller, place, async ({ db }, { model, row, author }) => {
        const before = await versionTags.find(db, row, key);
        await versionTags.upsert(db, row, [{ key, value }]);
        await recordChanges(db, model, author, [
          { kind: 'TAG', version: row.version, key, from: before ?? null, to: value },
        ]);
      });
      return {};
    },

    async deleteModelVersionTag({ key, ...place }, caller) {
      checkTagKey(key);
      await changing(caller, place, async ({ db }, { model, row, author }) => {
        const removed = await versionTags.remove(db, row, key);
        if (removed === undefined) return;
        await recordChanges(db, model, author, [{ kind: 'TAG', version: row.version, key, from: removed }]);
      });
      return {};
    },
  };
}

/** A page of versions as the bytes of its answer. */
export const searchModelVersions: Read<ModelQuery, Uint8Array> = {
  name: 'search-model-versions',
  async run(db, query) {
    const { keys, nextPageToken } = await searchVersionKeys(db, query);
    const models = await modelsByKeys(db, query.workspaceId, [...new Set(keys.map(({ model_key }) => model_key))]);
    const rows = await versionsByKeys(db, query.workspaceId, keys);
    const page: OutputOf<typeof modelVersions.searchModelVersions> = {
      model_versions: await hydrateVersions(db, rows, {
        names: new Map(models.map(({ model_key, name }) => [model_key, name])),
      }),
      ...(nextPageToken === undefined ? {} : { next_page_token: nextPageToken }),
    };
    return new TextEncoder().encode(writePage(page));
  },
};

const writePage = compileWriter(contract.modelVersions.searchModelVersions.output);

interface AskedSource {
  readonly source: string;
  readonly runId: string | undefined;
  readonly modelId: string | undefined;
  readonly isPrompt: boolean;
}

/** The source, whose run and logged model stay until the commit: what is found once they are held is so. */
async function heldSource(
  registry: ModelRegistry,
  tx: Transaction,
  workspace: WorkspaceRef,
  asked: AskedSource,
): Promise<CheckedSource> {
  const found = await sourceOf(registry, tx.db, workspace, asked);
  await registry.hold(tx, workspace, found);
  return sourceOf(registry, tx.db, workspace, asked);
}

async function sourceOf(
  { findRun, findLoggedModel }: ModelRegistry,
  db: Db,
  workspace: WorkspaceRef,
  { source, runId, modelId, isPrompt: isPromptVersion }: AskedSource,
): Promise<CheckedSource> {
  if (isPromptVersion) {
    checkPromptSource(source);
    return { source, storageLocation: source, runId: runId ?? '', modelId: null };
  }
  const origins: Origins = {
    findRun: (id) => findRun(db, workspace, id),
    findLoggedModel: (id) => findLoggedModel(db, workspace, id),
    resolveVersion: (reference) => resolveVersion(db, workspace.workspaceId, reference),
  };
  return checkSource({ source, runId, modelId }, origins);
}

async function resolveVersion(db: Db, workspaceId: number, { name, by, value, source }: VersionReference) {
  const model = await getModel(db, workspaceId, name);
  const tags = await listModelTags(db, workspaceId, [model.model_key]);
  if (isPrompt(tags.get(model.model_key) ?? [])) {
    throw invalidParameter(
      `Invalid model version source: '${source}'. Prompt versions cannot be used as model version sources.`,
    );
  }
  const row = await referencedVersion(db, model, { by, value });
  return {
    name,
    version: row.version,
    storageLocation: row.storage_location,
    runId: row.run_id,
    modelId: row.model_id,
  };
}

async function referencedVersion(
  db: Db,
  model: ModelRow,
  { by, value }: Pick<VersionReference, 'by' | 'value'>,
): Promise<VersionRow> {
  if (by === 'version') return getVersion(db, model, value);
  if (by === 'alias') {
    const row = await findByAlias(db, model, value);
    if (row === undefined) throw noSuchAlias(value);
    return row;
  }
  const stage = readStage(value);
  const latest = await latestVersionsOf(db, model.workspace_id, [model.model_key]);
  const row = latest.find(({ current_stage }) => current_stage === stage);
  if (row === undefined) {
    throw new MlflowError(
      'RESOURCE_DOES_NOT_EXIST',
      `No versions of model with name '${model.name}' and stage '${stage}' found`,
    );
  }
  return row;
}

async function answer(db: Db, model: ModelRow, row: VersionRow) {
  const names = new Map([[model.model_key, model.name]]);
  const [model_version] = await hydrateVersions(db, [row], { names, aliases: await listAliasesOf(db, row) });
  if (model_version === undefined) throw noSuchVersion(model.name, row.version);
  return { model_version };
}
