import { randomUUID } from 'node:crypto';
import { MlflowError, type jobs } from '@lazuli/contract';
import { actingFor, readActingFor, writeActingFor } from '../access/acting-for.ts';
import type { Caller, Handlers, WorkspaceRef } from '../access/caller.ts';
import { endJob, findJob, findJobOfRun, insertJob, type JobRow } from '../access/job-store.ts';
import type { JobTokens } from '../access/job-tokens.ts';
import { countChange } from '../database/change-watch.ts';
import type { Engine } from '../database/engine.ts';

export interface JobRoom {
  readonly engine: Pick<Engine, 'transaction' | 'snapshot'>;
  readonly now: () => number;
  readonly tokens: JobTokens;
  /** Rejects where the workspace has no such run. */
  findRun(workspace: WorkspaceRef, runId: string): Promise<unknown>;
}

export function jobHandlers(room: JobRoom): Handlers<typeof jobs> {
  const { engine, now, tokens } = room;
  return {
    async startJob({ run_id }, { workspace, principal }) {
      await room.findRun(workspace, run_id);
      const job = {
        job_id: randomUUID(),
        workspace_id: workspace.workspaceId,
        run_id,
        acting_for: writeActingFor(actingFor(principal)),
        creation_time: now(),
        end_time: null,
      };
      await engine.transaction(({ db }) => insertJob(db, job));
      const { token, expirySeconds } = tokens.issue(job.job_id);
      return { job_id: job.job_id, token, expiry_time: expirySeconds * 1000 };
    },

    async endJob({ job_id }, caller) {
      await engine.transaction(async (tx) => {
        requireOwn(await findJob(tx.db, job_id), caller);
        await endJob(tx.db, job_id, now());
        await countChange(tx);
        tx.onCommit(() => tokens.forget());
      });
      return {};
    },

    async refreshJobToken({ run_id }, caller) {
      const job = await engine.snapshot((db) => findJobOfRun(db, caller.workspace.workspaceId, run_id));
      const { token, expirySeconds } = tokens.issue(requireOwn(job, caller).job_id);
      return { token, expiryTimeUtc: new Date(expirySeconds * 1000).toISOString().replace('.000', '') };
    },
  };
}

/** A job is nobody's business but of whom it acts for. */
function requireOwn(job: JobRow | undefined, { workspace, principal }: Caller): JobRow {
  const isOwn =
    job?.workspace_id === workspace.workspaceId && readActingFor(job.acting_for).objectId === principal.objectId;
  if (job === undefined || !isOwn) throw new MlflowError('RESOURCE_DOES_NOT_EXIST', 'You have no such job.');
  return job;
}
