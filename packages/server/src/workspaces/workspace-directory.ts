import { randomUUID } from 'node:crypto';
import { invalidParameter, MlflowError } from '@lazuli/contract';
import type { MaySee, WorkspaceRef } from '../access/caller.ts';
import { placeOfScope, type WorkspacePlace } from '../access/scope.ts';
import type { Db, Engine } from '../database/engine.ts';
import {
  findWorkspaceAt,
  findWorkspaceByGuid,
  findWorkspacesByName,
  getWorkspace,
  insertWorkspace,
  workspaceRef,
  type NewWorkspace,
} from './workspace-store.ts';

/** Where workspaces lie that are made without naming a subscription and a resource group. */
export const defaultPlace = {
  subscription_id: '00000000-0000-0000-0000-000000000001',
  resource_group: 'lazuli',
  region: 'local',
} as const;

export const defaultWorkspaceName = 'default';

/**
 * Finds the workspace that a request addresses. Kept in memory: every request asks. One that whoever asks may not see is looked
 * for in the database even if it is remembered: a refusal takes as long as for a name that nobody has, and the time tells
 * nothing.
 */
export interface WorkspaceDirectory {
  /** The workspace of requests that name none. */
  default(): WorkspaceRef | Promise<WorkspaceRef>;
  /**
   * Of those of that name that whoever asks may see, in whatever subscription and group; or by its long form, where the
   * name is not unique: `/subscriptions/…/workspaces/{name}`.
   */
  byName(name: string, maySee: MaySee): WorkspaceRef | Promise<WorkspaceRef>;
  /** By Azure's form of an address, without regard to case; if whoever asks may see it. */
  at(place: WorkspacePlace, maySee: MaySee): WorkspaceRef | Promise<WorkspaceRef>;
  /** By what its signed URLs name. */
  byGuid(guid: string): Promise<WorkspaceRef>;
  /** To be called after any change of a workspace. */
  forget(): void;
}

/** Opens the directory; an empty database gets its default workspace, furnished in the same transaction. */
export async function openWorkspaceDirectory(
  engine: Engine,
  now: () => number,
  furnish: (db: Db, workspace: WorkspaceRef) => Promise<void>,
): Promise<WorkspaceDirectory> {
  const row = await engine.transaction(async ({ db }) => {
    const [present] = await findWorkspacesByName(db, defaultWorkspaceName);
    if (present !== undefined) return present;
    const given = { ...newWorkspace(defaultWorkspaceName, now()), description: 'Default workspace' };
    const created = await insertWorkspace(db, given);
    if (created !== undefined) {
      await furnish(db, workspaceRef(created));
      return created;
    }
    // Another process that starts on the same database came first.
    const [theirs] = await findWorkspacesByName(db, defaultWorkspaceName);
    if (theirs === undefined) throw new MlflowError('TEMPORARILY_UNAVAILABLE', 'The default workspace is being made.');
    return theirs;
  });
  const known = new Map<string, readonly WorkspaceRef[]>();
  const knownPlaces = new Map<string, WorkspaceRef>();
  /** Counts changes: a lookup that was under way during one must not bring back what was. */
  let changes = 0;
  let defaultRef = workspaceRef(row);
  let isDefaultKnown = true;

  return {
    default() {
      return isDefaultKnown ? defaultRef : loadDefault();
    },
    byName(name, maySee) {
      const place = name.startsWith('/') ? placeOfScope(name) : undefined;
      if (place !== undefined) return at(place, maySee);
      const seen = known.get(name)?.filter(maySee) ?? [];
      return seen.length > 0 ? onlyNamed(name, seen) : load(name).then((all) => onlyNamed(name, all.filter(maySee)));
    },
    at,
    async byGuid(guid) {
      const row = await findWorkspaceByGuid(engine.db, guid);
      if (row === undefined) throw new MlflowError('RESOURCE_DOES_NOT_EXIST', 'The workspace is not there any more.');
      return workspaceRef(row);
    },
    forget() {
      changes += 1;
      isDefaultKnown = false;
      known.clear();
      knownPlaces.clear();
    },
  };

  function at(place: WorkspacePlace, maySee: MaySee): WorkspaceRef | Promise<WorkspaceRef> {
    const found = knownPlaces.get(keyOf(place));
    if (found !== undefined && maySee(found)) return found;
    return loadAt(place).then((ref) => onlyNamed(place.name, [ref].filter(maySee)));
  }

  async function load(name: string): Promise<readonly WorkspaceRef[]> {
    if (!isAzureName(name)) checkWorkspaceName(name);
    const before = changes;
    const found = (await findWorkspacesByName(engine.db, name)).map(workspaceRef);
    // Names that nobody has are not remembered, so that nobody can fill the memory.
    if (before === changes && found.length > 0) known.set(name, found);
    return found;
  }

  async function loadAt(place: WorkspacePlace): Promise<WorkspaceRef> {
    const before = changes;
    const found = await findWorkspaceAt(engine.db, place);
    if (found === undefined) {
      throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `Workspace '${place.name}' not found`);
    }
    const ref = workspaceRef(found);
    if (before === changes && knownPlaces.size < rememberedPlaces) knownPlaces.set(keyOf(place), ref);
    return ref;
  }

  async function loadDefault(): Promise<WorkspaceRef> {
    const before = changes;
    const row = await getWorkspace(engine.db, defaultRef.workspaceId);
    if (before === changes) {
      defaultRef = workspaceRef(row);
      isDefaultKnown = true;
    }
    return workspaceRef(row);
  }
}

/**
 * Which one a name means, of those that the caller may know of: what others have of that name is not told, and makes no name
 * ambiguous. The default workspace keeps its name, whoever makes another one that is called so.
 */
export function onlyNamed<T>(name: string, known: readonly T[]): T {
  const [first, second] = known;
  if (first === undefined) throw new MlflowError('RESOURCE_DOES_NOT_EXIST', `Workspace '${name}' not found`);
  if (second === undefined || name === defaultWorkspaceName) return first;
  throw invalidParameter(
    `The workspace name '${name}' is not unique on this server: address it by its long form, /subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.MachineLearningServices/workspaces/${name}.`,
  );
}

/** Any spelling of a workspace is remembered, so there may be more of them than workspaces. */
const rememberedPlaces = 10_000;

function keyOf({ subscriptionId, resourceGroup, name }: WorkspacePlace): string {
  return `${subscriptionId}/${resourceGroup}/${name}`;
}

/** A workspace without description and root, in the default place. */
export function newWorkspace(name: string, time: number) {
  return {
    ...defaultPlace,
    guid: randomUUID(),
    name,
    description: null,
    default_artifact_root: null,
    next_experiment_id: 0,
    creation_time: time,
    last_update_time: time,
  } satisfies NewWorkspace;
}

/** *MLflow: names are DNS labels of 2 to 63 characters.* */
export function checkWorkspaceName(name: string): void {
  if (name.length < 2 || name.length > 63) {
    throw invalidParameter(`Workspace name '${name.slice(0, 80)}' must be between 2 and 63 characters.`);
  }
  if (!/^[a-z0-9][-a-z0-9]*$/.test(name) || name.endsWith('-')) {
    throw invalidParameter(
      `Workspace name '${name}' must match the pattern ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$ (lowercase alphanumeric with optional internal hyphens).`,
    );
  }
  if (reservedNames.includes(name)) {
    throw invalidParameter(`Workspace name '${name}' is reserved and cannot be used.`);
  }
}

/** *Azure: letters of both cases, digits, `-` and `_`.* What is made by Azure's protocol may be called so. */
export function isAzureName(name: string): boolean {
  return /^[a-z0-9][a-z0-9_-]{1,62}$/i.test(name) && !reservedNames.includes(name.toLowerCase());
}

const reservedNames: readonly string[] = ['workspaces', 'api', 'ajax-api', 'static-files'];
