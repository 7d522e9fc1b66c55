import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { MlflowError, type Client } from '@lazuli/client';
import type { Command } from 'commander';
import { readClientVariables, type ServerOptions } from '../client-variables.ts';
import { serverUrl } from '../connection.ts';
import { CommandError, EndWithStatus } from '../output.ts';
import { runProgram, statusOf, type ProgramEnd } from '../run-program.ts';
import type { Surroundings } from '../surroundings.ts';

/**
 * `lazuli job run`: a program with everything configured by itself, as inside a job of Azure Machine Learning. Its run is
 * there before it starts, ends with it, and keeps what it has written.
 */
interface JobOptions extends ServerOptions {
  readonly experimentName?: string;
  readonly displayName?: string;
  readonly description?: string;
}

const logPath = 'user_logs/std_log.txt';

export function describeJob(command: Command, surroundings: Surroundings): void {
  command
    .command('run')
    .description('Run a program as a job: a run of its own, a token, its output kept as an artifact')
    .helpOption('--help', 'show this help')
    .argument('<program...>', 'the program and its arguments, after --')
    .option('--experiment-name <name>', 'the experiment (default: the name of the working directory)')
    .option('--display-name <name>', 'the name of the run')
    .option('--description <text>', 'what the run is about')
    .option('--url <url>', 'the server (LAZULI_URL; default: http://127.0.0.1:5000)')
    .option('-w, --workspace-name <name>', 'the workspace (LAZULI_WORKSPACE; default: the default one)')
    .addHelpText('after', '\nExample:\n  lazuli job run --experiment-name iris -- python train.py')
    .action(async (program: readonly string[], options: JobOptions) => {
      const end = await runJob(program, options, surroundings);
      const status = statusOf(end);
      if (status !== 0) throw new EndWithStatus(status);
    });
}

async function runJob(
  program: readonly string[],
  options: JobOptions,
  surroundings: Surroundings,
): Promise<ProgramEnd> {
  const { client, variables } = await readClientVariables(options, surroundings);
  const experimentName = options.experimentName ?? basename(surroundings.workingDir);
  const experimentId = await experimentNamed(client, experimentName);
  const description =
    options.description === undefined ? [] : [{ key: 'mlflow.note.content', value: options.description }];
  const { run } = await client.runs.createRun({
    experiment_id: experimentId,
    start_time: Date.now(),
    ...(options.displayName === undefined ? {} : { run_name: options.displayName }),
    tags: [
      { key: 'mlflow.source.name', value: program.join(' ') },
      { key: 'mlflow.source.type', value: 'JOB' },
      ...description,
    ],
  });
  const { run_id: runId } = run.info;
  const { origin } = new URL(serverUrl(options, surroundings));
  const job = await client.jobs.startJob({ run_id: runId });
  const place = /\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/.*\/([^/]+)$/.exec(
    variables['MLFLOW_TRACKING_URI'] ?? '',
  );
  const env = {
    ...withoutIdentity(surroundings.env),
    ...variables,
    MLFLOW_TRACKING_TOKEN: job.token,
    MLFLOW_RUN_ID: runId,
    MLFLOW_EXPERIMENT_ID: experimentId,
    MLFLOW_EXPERIMENT_NAME: experimentName,
    AZUREML_RUN_ID: runId,
    AZUREML_ROOT_RUN_ID: runId,
    AZUREML_RUN_TOKEN: job.token,
    AZUREML_RUN_TOKEN_EXPIRY: String(Math.floor(Number(job.expiry_time) / 1000)),
    AZUREML_EXPERIMENT_ID: experimentId,
    AZUREML_ARM_SUBSCRIPTION: place?.[1],
    AZUREML_ARM_RESOURCEGROUP: place?.[2],
    AZUREML_ARM_WORKSPACE_NAME: place?.[3],
    AZUREML_ARM_PROJECT_NAME: experimentName,
  };
  const folder = mkdtempSync(join(tmpdir(), 'lazuli-job-'));
  const log = join(folder, 'std_log.txt');
  try {
    const copy = createWriteStream(log);
    let end: ProgramEnd = { code: 1, signal: null };
    try {
      end = await runProgram({ command: program, env, cwd: surroundings.workingDir, copyTo: copy });
    } finally {
      copy.end();
      await finished(copy);
      await keepOutput(log, { client, origin, experimentId, runId });
      const status = end.signal !== null ? 'KILLED' : end.code === 0 ? 'FINISHED' : 'FAILED';
      await client.runs.updateRun({ run_id: runId, status, end_time: Date.now() });
      await client.jobs.endJob({ job_id: job.job_id });
      surroundings.output.remark(`lazuli: run ${runId} of experiment '${experimentName}' ${status}`);
    }
    return end;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
    if (!(error instanceof Error && 'status' in error && error.status === 404)) throw error;
    const { experiment_id } = await client.experiments.createExperiment({ name });
    return experiment_id;
  }
}

interface Output {
  readonly client: Client;
  readonly origin: string;
  readonly experimentId: string;
  readonly runId: string;
}

/** By a signed URL, because the run's files may lie in any store that the server reaches. */
async function keepOutput(file: string, { client, origin, experimentId, runId }: Output): Promise<void> {
  const reserved = await client.runHistory
    .reserveRunArtifacts({ experiment: experimentId, run_id: runId, paths: [{ path: logPath }] })
    .catch((error: unknown) => {
      if (error instanceof MlflowError && unreached.includes(error.errorCode)) return undefined;
      throw error;
    });
  const { contentUri } = reserved?.artifactContentInformation[logPath] ?? {};
  if (contentUri === undefined) return;
  const { pathname, search } = new URL(contentUri);
  const response = await fetch(origin + pathname + search, {
    method: 'PUT',
    headers: { 'content-type': 'text/plain', 'content-length': String(statSync(file).size) },
    body: Readable.toWeb(createReadStream(file)) as ReadableStream,
    duplex: 'half',
  });
  if (!response.ok) throw new CommandError(1, `The output could not be kept: the server answered ${response.status}.`);
}

/** Where clients write artifacts themselves there is no server to take them. */
const unreached: readonly string[] = ['NOT_IMPLEMENTED', 'INVALID_PARAMETER_VALUE'];
