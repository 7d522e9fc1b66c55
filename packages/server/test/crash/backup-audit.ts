import type { Client } from '@lazuli/client';
import { expect } from 'vitest';
import { allRuns, stateAfter, stateOf, type Books } from './logged-work.ts';

/**
 * Holds a backup that was taken while work went on against the books: it has each worker's work up to some request, that
 * request whole, and at least what was acknowledged before the backup began.
 */
export async function auditBackup(client: Client, before: ReadonlyMap<string, number>, books: Books): Promise<void> {
  const found = new Set((await allRuns(client, books.experimentId)).map(({ info }) => info.run_id));
  const known = new Set(books.runs.map(({ runId }) => runId));
  expect([...found].filter((runId) => !known.has(runId)).length).toBeLessThanOrEqual(books.creationsInDoubt);
  for (const runsOfWorker of Map.groupBy(books.runs, ({ worker }) => worker).values()) {
    let isOver = false;
    for (const { runId, worker, acknowledged, inDoubt } of runsOfWorker) {
      const required = before.get(runId);
      if (!found.has(runId)) {
        if (required !== undefined) throw new Error(`The backup lacks the run ${runId}, acknowledged before it began.`);
        isOver = true;
        continue;
      }
      if (isOver) throw new Error(`The backup has the run ${runId}, but not all that its worker did before.`);
      const sent = inDoubt === undefined ? acknowledged : [...acknowledged, inDoubt];
      const { run } = await client.runs.getRun({ run_id: runId });
      const seen = JSON.stringify(await stateOf(client, run));
      const states = sent.map((_, index) => JSON.stringify(stateAfter(worker, sent.slice(0, index + 1))));
      states.unshift(JSON.stringify(stateAfter(worker, [])));
      // A batch that was sent twice leaves the state as it was, so the last of equal states counts.
      const reached = states.lastIndexOf(seen);
      expect(reached, `${runId} holds ${seen}`).toBeGreaterThanOrEqual(required ?? 0);
      isOver = reached < acknowledged.length;
    }
  }
}

/** How much of each run is acknowledged at this moment. */
export function acknowledgedSoFar({ runs }: Books): ReadonlyMap<string, number> {
  return new Map(runs.map(({ runId, acknowledged }) => [runId, acknowledged.length]));
}
