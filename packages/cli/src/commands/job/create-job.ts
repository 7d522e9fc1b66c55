import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { Server } from '@lazuli/client';
import { findAzureWorkspace } from '../../azure-workspace.ts';
import { connect } from '../../connection.ts';
import { AnswerWithStatus, CommandError } from '../../output.ts';
import { statusOf } from '../../run-program.ts';
import type { ServerOptions } from '../../server-command.ts';
import type { Surroundings } from '../../surroundings.ts';
import { armJobShown, getArmJob, putArmJob } from './arm-jobs.ts';
import { followJob } from './follow-job.ts';
import { checkJobName, readJobFile, withInputs, wrong, type JobFile } from './job-file.ts';
import { runLocalJob } from './local-job.ts';
import { jobNameTag, runJobShown, runsNamed } from './run-jobs.ts';

/** `lazuli job create`: a job from its file, on this machine or by Azure ML. */
export interface CreateOptions extends ServerOptions {
  readonly file: string;
  readonly name?: string;
  readonly set?: readonly string[];
  readonly stream?: true;
}

export async function createJob(server: Server, options: CreateOptions, surroundings: Surroundings): Promise<unknown> {
  const read = readJobFile(options.file, options.set ?? [], surroundings);
  const file = options.name === undefined ? read : { ...read, name: checkJobName('--name', options.name) };
  const isLocal = file.compute === 'local' || file.compute === 'azureml:local';
  const azure = await findAzureWorkspace(options, surroundings);
  if (azure === undefined) {
    if (!isLocal) throw wrong('compute', 'a server of Lazuli has no machines; local runs the command on this one');
    return createLocal(file, options, surroundings);
  }
  if (isLocal) {
    throw wrong('compute', 'local makes a run of a server of Lazuli, and the address is of Azure; give its --url');
  }
  const experimentName = file.experimentName ?? basename(surroundings.workingDir);
  const { uploadToContainer } = await import('@lazuli/client');
  const job = await putArmJob(file, experimentName, {
    ...azure,
    upload: (address, files) => uploadToContainer(address, files, { environment: surroundings.env }),
    remark: surroundings.output.remark,
  });
  if (options.stream !== true) return armJobShown(job);
  const { info } = await followJob(server, job.name, surroundings.output.remark);
  const shown = armJobShown(await getArmJob(azure, azure.scope, job.name));
  return info.status === 'FINISHED' ? shown : new AnswerWithStatus(shown, 1);
}

async function createLocal(file: JobFile, options: CreateOptions, surroundings: Surroundings): Promise<unknown> {
  const [further] = Object.keys(file.further);
  if (further !== undefined) throw wrong(further, 'it is not supported with compute: local');
  if (file.environment !== undefined) {
    const named = typeof file.environment === 'string' ? ` ${file.environment}` : '';
    surroundings.output.remark(`lazuli: with compute: local the environment${named} is not used.`);
  }
  const cwd = resolve(file.folder, file.code ?? '.');
  if (!existsSync(cwd)) throw wrong('code', `there is no ${cwd}`);
  const { client } = await connect(options, surroundings);
  if (file.name !== undefined && (await runsNamed(client, file.name)).length > 0) {
    throw new CommandError(1, `There is a job ${JSON.stringify(file.name)} already.`);
  }
  const inputs = Object.entries(file.inputs).map(([name, input]) => [name, localInput(file, name, input)]);
  const command = withInputs(file.command, Object.fromEntries(inputs) as Record<string, string>);
  const { runId, end } = await runLocalJob(
    {
      // *Azure ML runs commands by bash.*
      command: [existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh', '-c', command],
      source: command,
      cwd,
      shown: options.stream === true ? 'on stderr' : 'nothing',
      experimentName: file.experimentName ?? basename(surroundings.workingDir),
      displayName: file.displayName,
      description: file.description,
      tags: { ...file.tags, ...(file.name === undefined ? {} : { [jobNameTag]: file.name }) },
      environmentVariables: file.environmentVariables,
    },
    options,
    surroundings,
  );
  const { run } = await client.runs.getRun({ run_id: runId });
  const shown = await runJobShown(client, run);
  const status = statusOf(end);
  return status === 0 ? shown : new AnswerWithStatus(shown, status);
}

/** A literal as it is; data of this machine by their path. */
function localInput(file: JobFile, name: string, input: JobFile['inputs'][string]): string {
  if (typeof input === 'string') return input;
  if (/^[a-z][a-z0-9+.-]+:/i.test(input.path)) {
    throw wrong(`inputs.${name}.path`, 'with compute: local it must be a file or folder of this machine');
  }
  return resolve(file.folder, input.path);
}
