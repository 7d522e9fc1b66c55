import type { Insertable, Selectable } from 'kysely';
import type { Db } from '../database/engine.ts';
import type { JobTable } from '../database/schema.ts';

/** The SQL of jobs. */
export type JobRow = Selectable<JobTable>;

export async function insertJob(db: Db, job: Insertable<JobTable>): Promise<void> {
  await db.insertInto('jobs').values(job).execute();
}

export async function findJob(db: Db, jobId: string): Promise<JobRow | undefined> {
  return db.selectFrom('jobs').selectAll().where('job_id', '=', jobId).executeTakeFirst();
}

/** The newest job of a run that has not ended. */
export async function findJobOfRun(db: Db, workspaceId: number, runId: string): Promise<JobRow | undefined> {
  return db
    .selectFrom('jobs')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .where('run_id', '=', runId)
    .where('end_time', 'is', null)
    .orderBy('creation_time', 'desc')
    .orderBy('job_id')
    .limit(1)
    .executeTakeFirst();
}

export async function endJob(db: Db, jobId: string, time: number): Promise<void> {
  await db
    .updateTable('jobs')
    .set({ end_time: time })
    .where('job_id', '=', jobId)
    .where('end_time', 'is', null)
    .execute();
}
