import { MlflowError, type Client } from '@lazuli/client';
import { readClientVariables, type ServerOptions } from '../../client-variables.ts';
import { runProgram, type Program, type ProgramEnd } from '../../run-program.ts';
import type { Surroundings } from '../../surroundings.ts';
import { openJobLog, putLog } from './job-log.ts';

/**
 * A job on this machine: a program with everything configured by itself, as inside a job of Azure Machine Learning. Its run is
 * there before it starts, ends with it, and keeps what it has written.
 */
export interface LocalJob {
  readonly command: readonly string[];
  /** What the run says that was run; default: the command. */
  readonly source?: string;
  readonly cwd: string;
  readonly shown: NonNullable<Program['shown']>;
  readonly experimentName: string;
  readonly displayName?: string | undefined;
  readonly description?: string | undefined;
  readonly tags?: Readonly<Record<string, string>>;
  readonly environmentVariables?: Readonly<Record<string, string>>;
}

export interface EndedJob {
  readonly runId: string;
  readonly end: ProgramEnd;
}

export async function runLocalJob(
  {
    command,
    source = command.join(' '),
    cwd,
    shown,
    displayName,
    description,
    tags = {},
    environmentVariables,
    experimentName,
  }: LocalJob,
  options: ServerOptions,
  surroundings: Surroundings,
): Promise<EndedJob> {
  const { server, variables } = await readClientVariables(options, surroundings);
  const { client } = server;
  const experimentId = await experimentNamed(client, experimentName);
  const allTags = {
    ...tags,
    ...(description === undefined ? {} : { 'mlflow.note.content': description }),
    'mlflow.source.name': source,
    'mlflow.source.type': 'JOB',
  };
  const { run } = await client.runs.createRun({
    experiment_id: experimentId,
    start_time: Date.now(),
    ...(displayName === undefined ? {} : { run_name: displayName }),
    tags: Object.entries(allTags).map(([key, value]) => ({ key, value })),
  });
  const { run_id: runId } = run.info;
  const { job_id, token, expiry_time } = await client.jobs.startJob({ run_id: runId });
  const place = /\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/.*\/([^/]+)$/.exec(
    variables['MLFLOW_TRACKING_URI'] ?? '',
  );
  const env = {
    ...withoutIdentity(surroundings.env),
    ...environmentVariables,
    ...variables,
    MLFLOW_TRACKING_TOKEN: token,
    MLFLOW_RUN_ID: runId,
    MLFLOW_EXPERIMENT_ID: experimentId,
    MLFLOW_EXPERIMENT_NAME: experimentName,
    AZUREML_RUN_ID: runId,
    AZUREML_ROOT_RUN_ID: runId,
    AZUREML_RUN_TOKEN: token,
    AZUREML_RUN_TOKEN_EXPIRY: String(Math.floor(Number(expiry_time) / 1000)),
    AZUREML_EXPERIMENT_ID: experimentId,
    AZUREML_ARM_SUBSCRIPTION: place?.[1],
    AZUREML_ARM_RESOURCEGROUP: place?.[2],
    AZUREML_ARM_WORKSPACE_NAME: place?.[3],
    AZUREML_ARM_PROJECT_NAME: experimentName,
  };
  const log = openJobLog(putLog(client, { experimentId, runId }, options, surroundings));
  let end: ProgramEnd = { code: 1, signal: null };
  try {
    end = await runProgram({ command, env, cwd, copyTo: log.stream, shown });
  } finally {
    try {
      await log.close();
    } finally {
      const status = end.signal !== null ? 'KILLED' : end.code === 0 ? 'FINISHED' : 'FAILED';
      await client.runs.updateRun({ run_id: runId, status, end_time: Date.now() });
      await client.jobs.endJob({ job_id });
      surroundings.output.remark(`lazuli: run ${runId} of experiment '${experimentName}' ${status}`);
    }
  }
  return { runId, end };
}

/** A job has its token: who started it is none of its business. */
function withoutIdentity(env: Surroundings['env']): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(LAZULI_TOKEN$|AZURE_|MLFLOW_TRACKING_)/.test(name)),
  );
}

async function experimentNamed(client: Client, name: string): Promise<string> {
  try {
    const { experiment } = await client.experiments.getExperimentByName({ experiment_name: name });
    return experiment.experiment_id;
  } catch (error) {
    if (!(error instanceof MlflowError && error.status === 404)) throw error;
    const { experiment_id } = await client.experiments.createExperiment({ name });
    return experiment_id;
  }
}
