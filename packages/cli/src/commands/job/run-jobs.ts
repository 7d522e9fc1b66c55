import { MlflowError, type Client, type Run } from '@lazuli/client';
import { CommandError } from '../../output.ts';
import { firstOf, pageSize } from '../../pages.ts';

/** Jobs as runs: of a server of Lazuli, where each job is a run that says so, under the run's id or a name of its own. */
export const jobNameTag = 'lazuli.jobName';

export async function listRunJobs(client: Client, limit: number) {
  const named = await experimentNames(client);
  const runs = client.runs.searchRuns.all({
    experiment_ids: [...named.keys()],
    filter: "tags.`mlflow.source.type` = 'JOB'",
    order_by: ['start_time DESC'],
    max_results: pageSize(limit),
  });
  return (await firstOf(limit, runs)).map((run) => jobShown(run, named.get(run.info.experiment_id) ?? ''));
}

/** The run of a job: by its id, or by the name that was given to the job. */
export async function findRunJob(client: Client, name: string): Promise<Run> {
  const [named] = await runsNamed(client, name);
  if (named !== undefined) return named;
  try {
    return (await client.runs.getRun({ run_id: name })).run;
  } catch (error) {
    // *An id that is none is a wrong parameter to MLflow.*
    if (!(error instanceof MlflowError && (error.status === 404 || error.status === 400))) throw error;
    throw new CommandError(3, `There is no job ${JSON.stringify(name)}.`, { cause: error });
  }
}

export async function runsNamed(client: Client, name: string): Promise<Run[]> {
  const runs = client.runs.searchRuns.all({
    experiment_ids: [...(await experimentNames(client)).keys()],
    filter: `tags.\`${jobNameTag}\` = '${name.replaceAll("'", "\\'")}'`,
    max_results: 1,
  });
  return firstOf(1, runs);
}

export async function runJobShown(client: Client, run: Run) {
  const { experiment } = await client.experiments.getExperiment({ experiment_id: run.info.experiment_id });
  return jobShown(run, experiment.name);
}

async function experimentNames(client: Client): Promise<Map<string, string>> {
  const experiments = client.experiments.searchExperiments.all({ max_results: pageSize(Infinity) });
  return new Map((await firstOf(Infinity, experiments)).map(({ experiment_id, name }) => [experiment_id, name]));
}

/** *Azure ML: what becomes of a job.* */
const statusWords: Readonly<Record<string, string>> = {
  SCHEDULED: 'Queued',
  RUNNING: 'Running',
  FINISHED: 'Completed',
  FAILED: 'Failed',
  KILLED: 'Canceled',
};

export function isEnded({ info }: Run): boolean {
  return info.status === 'FINISHED' || info.status === 'FAILED' || info.status === 'KILLED';
}

/** *The fields of `az ml job show`.* */
function jobShown({ info, data }: Run, experimentName: string) {
  const tags = new Map((data.tags ?? []).map(({ key, value }) => [key, value]));
  const moment = (time: number | bigint | undefined) =>
    time === undefined || Number(time) === 0 ? null : new Date(Number(time)).toISOString();
  return {
    name: tags.get(jobNameTag) ?? info.run_id,
    display_name: info.run_name,
    experiment_name: experimentName,
    description: tags.get('mlflow.note.content') ?? null,
    type: 'command',
    status: statusWords[info.status] ?? info.status,
    command: tags.get('mlflow.source.name') ?? null,
    compute: 'local',
    tags: Object.fromEntries([...tags].filter(([key]) => !/^(mlflow|lazuli)\./.test(key))),
    properties: { run_id: info.run_id, start_time: moment(info.start_time), end_time: moment(info.end_time) },
    creation_context: { created_at: moment(info.start_time), created_by: info.user_id || null },
  };
}
