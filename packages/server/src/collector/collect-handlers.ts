import {
  invalidParameter,
  parseInt64,
  type CollectableKind,
  type collections,
  type InputOf,
  type Int64,
  type KeptBack,
  type OutputOf,
} from '@lazuli/contract';
import type { Handlers } from '../access/caller.ts';
import { experimentKey } from '../experiments/experiment-store.ts';
import { listNamed, type Dated, type Named, type Selection } from './candidate-store.ts';
import { clearRemovals } from './clear-removals.ts';
import { addCounts, insertCollection, isOwnCollection, listCollections } from './collection-store.ts';
import type { Collector } from './collector.ts';
import { findPage, type FoundPage } from './find-page.ts';
import { invalidPlace, placeBehind, readPlace, writePlace, type Place } from './page-place.ts';

/** About as long as one request removes points and files; the next one goes on. */
const clearingMs = 10_000;
const mostNamed = 1_000;
const mostCollections = 1_000;
const defaultAgeMs = 30 * 86_400_000;

type CollectInput = InputOf<typeof collections.collect>;

export function collectHandlers(collector: Collector): Handlers<typeof collections> {
  const { engine, now } = collector;
  return {
    async collect(input, { principal, workspace }) {
      const { workspaceId } = workspace;
      const named = readNamed(input);
      const olderThanMs = readAge(input.older_than_ms ?? (named === undefined ? defaultAgeMs : 0));
      const selection = { workspaceId, deletedUntil: now() - olderThanMs, named };
      const place = readPlace(input.page_token);
      const kept = input.page_token ? [] : await refusedNames(collector, selection);
      if (input.dry_run === true) {
        const plain = <Query>(query: Query): Query => query;
        const page = await engine.snapshot((db) =>
          findPage(collector, { db, locked: plain }, selection, { place, before: 'planned' }),
        );
        return answer(page, kept, placeBehind(place, { last: page.last, left: 'nothing' }));
      }
      const occasion = { workspaceId, principal: principal.name, time: now(), olderThanMs };
      if (place.collectionId !== undefined && !(await isOwnCollection(engine.db, occasion, place.collectionId))) {
        throw invalidPlace();
      }
      const before = await clearRemovals(collector, workspace, clearingMs);
      if (!before.isFinished) return { kept, unremoved: [...before.unremoved], next_page_token: writePlace(place) };
      const { page, collectionId } = await engine.transaction(async (tx) => {
        const found = await findPage(collector, tx, selection, { place, before: 'collected' });
        if (found.free.length === 0) return { page: found, collectionId: place.collectionId };
        const id = place.collectionId ?? (await insertCollection(tx.db, occasion));
        await addCounts(tx.db, id, now(), { [place.phase]: found.free.length });
        await found.end(tx, { workspaceId, collectionId: id });
        return { page: found, collectionId: id };
      });
      const after = await clearRemovals(collector, workspace, clearingMs);
      const next = placeBehind(
        { ...place, collectionId },
        { last: page.last, left: after.isFinished ? 'nothing' : 'removals' },
      );
      return { ...answer(page, kept, next), unremoved: [...before.unremoved, ...after.unremoved] };
    },

    async listCollections({ max_results = 100, page_token }, { workspace }) {
      const limit = Number(max_results);
      if (limit < 1 || limit > mostCollections) {
        throw invalidParameter(
          `Invalid value ${max_results} for parameter 'max_results' supplied. It must be between 1 and ${mostCollections}.`,
        );
      }
      const before = page_token === undefined || page_token === '' ? undefined : parseInt64(page_token);
      if (typeof before === 'bigint' || (before === undefined && page_token)) {
        throw invalidParameter('Invalid page token: it is none that this list gave');
      }
      const rows = await listCollections(engine.db, workspace.workspaceId, { before, limit: limit + 1 });
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      return {
        collections: page.map(({ workspace_id: _, ...row }) => row),
        ...(rows.length > limit && last !== undefined ? { next_page_token: String(last.collection_id) } : {}),
      };
    },
  };
}

function answer(
  { kind, free, used }: FoundPage,
  refused: readonly KeptBack[],
  next: Place | undefined,
): OutputOf<typeof collections.collect> {
  return {
    collected: free.map((id) => ({ kind, id })),
    kept: [...refused, ...used.map((each) => ({ kind, ...each }))],
    ...(next === undefined ? {} : { next_page_token: writePlace(next) }),
  };
}

function readAge(given: Int64): number {
  if (given >= 0) return Number(given);
  throw invalidParameter(`Invalid value ${given} for parameter 'older_than_ms' supplied. It must not be negative.`);
}

/** Where nothing is named, everything is meant. */
function readNamed({ run_ids = [], experiment_ids = [], logged_model_ids = [] }: CollectInput): Named | undefined {
  const count = run_ids.length + experiment_ids.length + logged_model_ids.length;
  if (count === 0) return undefined;
  if (count > mostNamed) {
    throw invalidParameter(`A collection can name at most ${mostNamed} things. Got ${count}.`);
  }
  return { runIds: run_ids, experimentIds: experiment_ids.map(experimentKey), modelIds: logged_model_ids };
}

const kinds: Readonly<Record<keyof Named, CollectableKind>> = {
  modelIds: 'LOGGED_MODEL',
  runIds: 'RUN',
  experimentIds: 'EXPERIMENT',
};

/** What was named and is no candidate. */
async function refusedNames(
  { engine }: Collector,
  { workspaceId, deletedUntil, named }: Selection,
): Promise<KeptBack[]> {
  if (named === undefined) return [];
  const present = await engine.snapshot((db) => listNamed(db, workspaceId, named));
  return (Object.keys(kinds) as (keyof Named)[]).flatMap((list) => {
    const rows = new Map(present[list].map((row) => [row.id, row]));
    return [...new Set(named[list].map(String))].flatMap((id) => {
      const reason = refusal(rows.get(id), deletedUntil);
      return reason === undefined ? [] : [{ kind: kinds[list], id, reason }];
    });
  });
}

function refusal(row: Dated | undefined, deletedUntil: number): string | undefined {
  if (row === undefined) return 'it is not there';
  if (row.stage !== 'deleted') return 'it is not marked as deleted';
  if (row.time === null || row.time <= deletedUntil) return undefined;
  return `it was deleted only at ${new Date(row.time).toISOString()}`;
}
