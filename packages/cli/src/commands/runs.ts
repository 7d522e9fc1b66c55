import type { Client } from '@lazuli/client';
import type { Command } from 'commander';
import { limitOf } from '../pages.ts';
import { addServerCommand } from '../server-command.ts';
import type { Surroundings } from '../surroundings.ts';
import { addDeleteAndRestore } from './delete-and-restore.ts';
import { choiceOf, pairsOf, pick, severalTimes, viewOf, viewOption } from './options.ts';
import { describeResumeLog } from './resume-log.ts';
import { searchRuns } from './run-lists.ts';

/** `lazuli runs`: MLflow's commands for runs, with its options, and search. */
interface ById {
  readonly runId: string;
}

const columns = {
  'Run ID': 'info.run_id',
  Name: 'info.run_name',
  Status: 'info.status',
  Experiment: 'info.experiment_id',
};
const byId = (command: Command): Command => command.requiredOption('--run-id <id>', 'the id of the run');

export function describeRuns(command: Command, surroundings: Surroundings): void {
  addServerCommand<{ experimentId?: string; experimentName?: string; runName?: string; tags?: readonly string[] }>(
    command,
    surroundings,
    {
      usage: 'create',
      summary: 'Create a run',
      options: (create) =>
        inExperiment(create)
          .option('--run-name <name>', 'its name (default: an invented one)')
          .option('-t, --tags <name=value>', 'a tag; may be given several times', severalTimes),
      columns,
      examples: ['lazuli runs create -x 1 --run-name baseline --query info.run_id -o tsv'],
      async answer({ client }, options) {
        const { run } = await client.runs.createRun({
          experiment_id: await experimentIdOf(client, options),
          start_time: Date.now(),
          tags: pairsOf('--tags', options.tags),
          ...pick({ run_name: options.runName }),
        });
        return run;
      },
    },
  );

  addServerCommand<{
    experimentId?: string;
    experimentName?: string;
    view?: string;
    filter?: string;
    orderBy?: readonly string[];
    maxResults?: string;
  }>(command, surroundings, {
    usage: 'list',
    summary: 'List the runs of an experiment, the newest first',
    options: (list) =>
      viewOption(inExperiment(list))
        .option('--filter <filter>', `such as "metrics.loss < 0.1 AND params.model = 'mlp'"`)
        .option('--order-by <column>', 'such as "metrics.loss ASC"; may be given several times', severalTimes)
        .option('--max-results <count>', 'how many at most (default: 1000)'),
    columns,
    examples: [
      'lazuli runs list -x 1 -o table',
      `lazuli runs list -n churn --filter "metrics.auc > 0.9" --order-by "metrics.auc DESC" --query "[0].info.run_id"`,
    ],
    async answer({ client }, options) {
      return searchRuns(client, {
        experimentIds: [await experimentIdOf(client, options)],
        filter: options.filter,
        orderBy: options.orderBy,
        view: viewOf(options.view),
        limit: limitOf(options.maxResults, 1_000),
      });
    },
  });

  addServerCommand<ById>(command, surroundings, {
    usage: 'describe',
    summary: 'Show a run, deleted or not: what it is, its latest metrics, params and tags',
    options: byId,
    columns,
    examples: ['lazuli runs describe --run-id 5c1ee5dcff864ba3b2bd24de1d1c0c4a --query data.metrics'],
    answer: async ({ client }, { runId }) => (await client.runs.getRun({ run_id: runId })).run,
  });

  addDeleteAndRestore<ById>(command, surroundings, {
    noun: 'runs',
    byId,
    example: '--run-id 5c1ee5dcff864ba3b2bd24de1d1c0c4a',
    summaries: {
      delete: 'Mark a run as deleted; it can be restored until it is collected',
      restore: 'Restore a deleted run',
    },
    delete: ({ runs }, { runId }) => runs.deleteRun({ run_id: runId }),
    restore: ({ runs }, { runId }) => runs.restoreRun({ run_id: runId }),
  });

  describeResumeLog(command, surroundings);
}

function inExperiment(command: Command): Command {
  return command
    .option('-x, --experiment-id <id>', 'the id of the experiment')
    .option('-n, --experiment-name <name>', 'or its name');
}

async function experimentIdOf(
  client: Client,
  options: { readonly experimentId?: string; readonly experimentName?: string },
): Promise<string> {
  const { by, value } = choiceOf(options, { experimentId: '--experiment-id', experimentName: '--experiment-name' });
  if (by === 'experimentId') return value;
  return (await client.experiments.getExperimentByName({ experiment_name: value })).experiment.experiment_id;
}
