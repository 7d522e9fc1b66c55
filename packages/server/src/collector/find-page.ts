import type { CollectableKind } from '@lazuli/contract';
import type { Lockable, Transaction, Db } from '../database/engine.ts';
import { selectExperiments, selectModels, selectRuns, type Selection } from './candidate-store.ts';
import type { Collector } from './collector.ts';
import type { Place } from './page-place.ts';
import { endExperiment, endModels, endRuns, type Cause } from './removal-store.ts';
import { useOfExperiment, usesOfModels, usesOfRuns, type Reasons } from './use-store.ts';

/** Things of one kind: those that nothing uses, and those that have to stay. */
export interface FoundPage {
  readonly kind: CollectableKind;
  readonly free: readonly string[];
  readonly used: readonly { readonly id: string; readonly reason: string }[];
  /** The key at which a full page ends. */
  readonly last: number | undefined;
  /** Ends those that nothing uses. */
  end(tx: Transaction, cause: Cause): Promise<void>;
}

/** Things that one transaction ends. */
const pageSize = 100;

export interface PageReader {
  readonly db: Db;
  readonly locked: <Query extends Lockable<Query>>(query: Query) => Query;
}

/** The page behind a place. `planned`: as if the pages before had been collected. */
export async function findPage(
  { forgetRuns, forgetExperiment }: Collector,
  { db, locked }: PageReader,
  selection: Selection,
  { place: { phase, after }, before }: { place: Place; before: 'collected' | 'planned' },
): Promise<FoundPage> {
  const { workspaceId } = selection;
  const page = { after, limit: pageSize };
  switch (phase) {
    case 'logged_models': {
      const models = await locked(selectModels(db, selection, page)).execute();
      const reasons = await usesOfModels(db, workspaceId, models);
      const free = models.filter(({ model_key }) => !reasons.has(model_key));
      const named = models.map(({ model_key, model_id }) => ({ key: model_key, id: model_id }));
      return found('LOGGED_MODEL', named, reasons, ({ db: written }, cause) => endModels(written, cause, free));
    }
    case 'runs': {
      const runs = await locked(selectRuns(db, selection, page)).execute();
      const reasons = await usesOfRuns(db, workspaceId, runs);
      const free = runs.filter(({ run_key }) => !reasons.has(run_key));
      const named = runs.map(({ run_key, run_id }) => ({ key: run_key, id: run_id }));
      return found('RUN', named, reasons, async (tx, cause) => {
        await endRuns(tx.db, cause, free);
        tx.onCommit(() => forgetRuns(workspaceId, free));
      });
    }
    case 'experiments': {
      const experiments = await locked(selectExperiments(db, selection, page)).execute();
      const keys = experiments.map(({ experiment_id }) => experiment_id);
      const reasons = new Map<number, string>();
      for (const key of keys) {
        const reason = await useOfExperiment(db, selection, key, before);
        if (reason !== undefined) reasons.set(key, reason);
      }
      const named = keys.map((key) => ({ key, id: String(key) }));
      return found('EXPERIMENT', named, reasons, async (tx) => {
        for (const key of keys.filter((each) => !reasons.has(each))) {
          await endExperiment(tx.db, workspaceId, key);
          tx.onCommit(() => forgetExperiment(workspaceId, key));
        }
      });
    }
    case 'rest':
      return found('EXPERIMENT', [], new Map(), async () => {});
  }
}

function found(
  kind: CollectableKind,
  named: readonly { readonly key: number; readonly id: string }[],
  reasons: Reasons,
  end: FoundPage['end'],
): FoundPage {
  return {
    kind,
    free: named.filter(({ key }) => !reasons.has(key)).map(({ id }) => id),
    used: named.flatMap(({ key, id }) => {
      const reason = reasons.get(key);
      return reason === undefined ? [] : [{ id, reason }];
    }),
    last: named.length === pageSize ? named.at(-1)?.key : undefined,
    end,
  };
}
