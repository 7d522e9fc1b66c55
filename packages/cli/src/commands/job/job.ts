import { basename, join, resolve } from 'node:path';
import type { Server } from '@lazuli/client';
import type { Command } from 'commander';
import { findAzureWorkspace } from '../../azure-workspace.ts';
import type { ConnectionOptions } from '../../connection.ts';
import { CommandError, EndWithStatus } from '../../output.ts';
import { limitOf } from '../../pages.ts';
import { statusOf } from '../../run-program.ts';
import { describeCommand } from '../../command-help.ts';
import { addServerCommand, explained } from '../../server-command.ts';
import type { Surroundings } from '../../surroundings.ts';
import { severalTimes } from '../options.ts';
import { armJobShown, cancelArmJob, getArmJob, listArmJobs } from './arm-jobs.ts';
import { createJob, type CreateOptions } from './create-job.ts';
import { followJob } from './follow-job.ts';
import { runLocalJob } from './local-job.ts';
import { findRunJob, listRunJobs, runJobShown } from './run-jobs.ts';

/** `lazuli job`: the nouns and options of `az ml job`, for jobs on this machine and for those of Azure ML; and `run`, for a program at once. */
interface RunOptions extends ConnectionOptions {
  readonly experimentName?: string;
  readonly displayName?: string;
  readonly description?: string;
}

const columns = { Name: 'name', 'Display name': 'display_name', Experiment: 'experiment_name', Status: 'status' };
const byName = (command: Command): Command =>
  command.requiredOption('-n, --name <name>', 'the name of the job, or the id of its run');

export function describeJob(command: Command, surroundings: Surroundings): void {
  describeRun(command, surroundings);

  addServerCommand<CreateOptions>(command, surroundings, {
    usage: 'create',
    summary: 'Run the command job of a YAML file: here, with compute: local, or by Azure ML',
    options: (create) =>
      create
        .requiredOption('-f, --file <file>', 'the YAML file')
        .option('-n, --name <name>', 'the name of the job (default: that of the file, else the id of its run)')
        .option('--set <path=value...>', 'fields to set: tags.team=red; may be given several times', severalTimes)
        .option('-s, --stream', 'show what the job writes, on standard error'),
    columns,
    notes: `A job with compute: local ends before the command does, with the job's status. Azure ML gets the code, the environment
and the inputs that the file names on this machine first, as far as they are not there.`,
    examples: [
      'lazuli job create -f job.yml --stream',
      'lazuli job create -f job.yml --set inputs.rate=0.1 --set display_name=slower --query name -o tsv',
    ],
    answer: (server, options) => createJob(server, options, surroundings),
  });

  addServerCommand<{ maxResults?: string }>(command, surroundings, {
    usage: 'list',
    summary: 'List jobs, the newest first',
    options: (list) => list.option('-r, --max-results <count>', 'how many at most (default: all)'),
    columns,
    examples: ['lazuli job list -o table', `lazuli job list --query "[?status=='Failed'].name" -o tsv`],
    async answer({ client }, options) {
      const limit = limitOf(options.maxResults, Infinity);
      const azure = await findAzureWorkspace(options, surroundings);
      if (azure === undefined) return listRunJobs(client, limit);
      return (await listArmJobs(azure, azure.scope)).slice(0, limit).map(armJobShown);
    },
  });

  addServerCommand<{ name: string }>(command, surroundings, {
    usage: 'show',
    summary: 'Show a job',
    options: byName,
    columns,
    examples: ['lazuli job show -n nightly-17 --query status'],
    async answer({ client }, options) {
      const azure = await findAzureWorkspace(options, surroundings);
      if (azure !== undefined) return armJobShown(await getArmJob(azure, azure.scope, options.name));
      return runJobShown(client, await findRunJob(client, options.name));
    },
  });

  addServerCommand<{ name: string }>(command, surroundings, {
    usage: 'cancel',
    summary: 'Cancel a job of Azure ML',
    options: byName,
    notes: 'A job of a server of Lazuli ends with its process.',
    examples: ['lazuli job cancel -n nightly-17'],
    async answer({ client }, options) {
      const azure = await findAzureWorkspace(options, surroundings);
      if (azure === undefined) {
        const { name, status } = await runJobShown(client, await findRunJob(client, options.name));
        throw new CommandError(
          1,
          `The job ${name} is ${status}. A job of a server of Lazuli ends with its process: press Ctrl-C, or use kill, where it runs.`,
        );
      }
      await cancelArmJob(azure, azure.scope, options.name);
      surroundings.output.remark(`The job ${options.name} is canceled.`);
    },
  });

  addServerCommand<{ name: string }>(command, surroundings, {
    usage: 'stream',
    summary: 'Show what a job writes, until it ends',
    options: byName,
    notes: 'The command ends with status 1 where the job did not complete.',
    examples: ['lazuli job stream -n nightly-17'],
    async answer(server, options) {
      const runId = await idOfRun(server, options);
      const { info } = await followJob(server, runId, surroundings.output.result);
      surroundings.output.remark(`lazuli: run ${runId} ${info.status}`);
      if (info.status !== 'FINISHED') throw new EndWithStatus(1);
    },
  });

  addServerCommand<{ name: string; downloadPath?: string; all?: true }>(command, surroundings, {
    usage: 'download',
    summary: 'Download what a job has logged, to a folder artifacts',
    options: (download) =>
      byName(download)
        .option('-p, --download-path <folder>', 'where that folder is made (default: here)')
        .option('--all', 'everything, as without it'),
    examples: ['lazuli job download -n nightly-17 --download-path ./nightly'],
    async answer(server, options) {
      const runId = await idOfRun(server, options);
      const folder = resolve(surroundings.workingDir, options.downloadPath ?? '.');
      return server.download(`runs:/${runId}`, join(folder, 'artifacts'));
    },
  });

  /** *In Azure ML a job is a run of its name.* */
  async function idOfRun({ client }: Server, options: ConnectionOptions & { readonly name: string }): Promise<string> {
    if ((await findAzureWorkspace(options, surroundings)) !== undefined) return options.name;
    return (await findRunJob(client, options.name)).info.run_id;
  }
}

function describeRun(command: Command, surroundings: Surroundings): void {
  describeCommand(command, {
    usage: 'run',
    summary: 'Run a program as a job: a run of its own, a token, its output kept as an artifact',
    examples: ['lazuli job run --experiment-name iris -- python train.py'],
  })
    .argument('<program...>', 'the program and its arguments, after --')
    .option('--experiment-name <name>', 'the experiment (default: the name of the working directory)')
    .option('--display-name <name>', 'the name of the run')
    .option('--description <text>', 'what the run is about')
    .option('--url <url>', 'the server (LAZULI_URL; default: http://127.0.0.1:5000)')
    .option('-w, --workspace-name <name>', 'the workspace (LAZULI_WORKSPACE; default: the default one)')
    .action(async (program: readonly string[], options: RunOptions) => {
      const { workingDir } = surroundings;
      const { end } = await explained(() =>
        runLocalJob(
          {
            ...options,
            command: program,
            cwd: workingDir,
            shown: 'both',
            experimentName: options.experimentName ?? basename(workingDir),
          },
          options,
          surroundings,
        ),
      );
      const status = statusOf(end);
      if (status !== 0) throw new EndWithStatus(status);
    });
}
