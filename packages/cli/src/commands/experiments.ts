import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Client } from '@lazuli/client';
import type { Command } from 'commander';
import { csvOf } from '../csv.ts';
import { firstOf, limitOf, pageSize } from '../pages.ts';
import { addServerCommand } from '../server-command.ts';
import type { Surroundings } from '../surroundings.ts';
import { addDeleteAndRestore } from './delete-and-restore.ts';
import { choiceOf, pick, viewOf, viewOption } from './options.ts';
import { flatRun, searchRuns } from './run-lists.ts';

/** `lazuli experiments`: MLflow's commands for experiments, with its options. */
interface ById {
  readonly experimentId: string;
}

const columns = {
  Id: 'experiment_id',
  Name: 'name',
  Stage: 'lifecycle_stage',
  'Artifact location': 'artifact_location',
};
const byId = (command: Command): Command =>
  command.requiredOption('-x, --experiment-id <id>', 'the id of the experiment');
const get = async (client: Client, experiment_id: string) =>
  (await client.experiments.getExperiment({ experiment_id })).experiment;

export function describeExperiments(command: Command, surroundings: Surroundings): void {
  addServerCommand<{ experimentName: string; artifactLocation?: string }>(command, surroundings, {
    usage: 'create',
    summary: 'Create an experiment',
    options: (create) =>
      create
        .requiredOption('-n, --experiment-name <name>', 'its name')
        .option(
          '-l, --artifact-location <uri>',
          'where the artifacts of its runs go (default: a folder of the server)',
        ),
    columns,
    examples: ['lazuli experiments create -n churn', 'lazuli experiments create -n churn --query experiment_id -o tsv'],
    async answer({ client }, { experimentName, artifactLocation }) {
      const { experiment_id } = await client.experiments.createExperiment({
        name: experimentName,
        ...pick({ artifact_location: artifactLocation }),
      });
      return get(client, experiment_id);
    },
  });

  addServerCommand<{ view?: string; filter?: string; orderBy?: string; maxResults?: string }>(command, surroundings, {
    usage: 'search',
    summary: 'List experiments',
    options: (search) =>
      viewOption(search)
        .option('--filter <filter>', `such as "name LIKE 'churn%'"`)
        .option('--order-by <columns>', 'such as "last_update_time DESC"')
        .option('--max-results <count>', 'how many at most (default: all)'),
    columns,
    examples: [`lazuli experiments search --filter "name LIKE 'churn%'" -o table`],
    answer({ client }, { view, filter, orderBy, maxResults }) {
      const limit = limitOf(maxResults, Infinity);
      const experiments = client.experiments.searchExperiments.all({
        max_results: pageSize(limit),
        view_type: viewOf(view),
        ...pick({ filter, order_by: orderBy?.split(',') }),
      });
      return firstOf(limit, experiments);
    },
  });

  addServerCommand<{ experimentId?: string; experimentName?: string }>(command, surroundings, {
    usage: 'get',
    summary: 'Show an experiment, deleted or not',
    options: (show) =>
      show.option('-x, --experiment-id <id>', 'its id').option('-n, --experiment-name <name>', 'or its name'),
    columns,
    examples: ['lazuli experiments get -n churn --query artifact_location'],
    async answer({ client }, options) {
      const { by, value } = choiceOf(options, { experimentId: '--experiment-id', experimentName: '--experiment-name' });
      if (by === 'experimentId') return get(client, value);
      return (await client.experiments.getExperimentByName({ experiment_name: value })).experiment;
    },
  });

  addServerCommand<ById & { newName: string }>(command, surroundings, {
    usage: 'rename',
    summary: 'Rename an active experiment',
    options: (rename) => byId(rename).requiredOption('--new-name <name>', 'its new name'),
    columns,
    examples: ['lazuli experiments rename -x 7 --new-name "churn 2025"'],
    async answer({ client }, { experimentId, newName }) {
      await client.experiments.updateExperiment({ experiment_id: experimentId, new_name: newName });
      return get(client, experimentId);
    },
  });

  addDeleteAndRestore<ById>(command, surroundings, {
    noun: 'experiments',
    byId,
    example: '-x 7',
    summaries: {
      delete: 'Mark an experiment and its runs as deleted; they can be restored until they are collected',
      restore: 'Restore a deleted experiment and the runs that were deleted with it',
    },
    delete: ({ experiments }, { experimentId }) => experiments.deleteExperiment({ experiment_id: experimentId }),
    restore: ({ experiments }, { experimentId }) => experiments.restoreExperiment({ experiment_id: experimentId }),
  });

  addServerCommand<ById & { filename?: string }>(command, surroundings, {
    usage: 'csv',
    summary: 'Write the runs of an experiment as CSV, with a column for each metric, param and tag',
    options: (csv) => byId(csv).option('--filename <file>', 'where to (default: stdout)'),
    examples: ['lazuli experiments csv -x 1 --filename runs.csv'],
    async answer({ client }, { experimentId, filename }) {
      const runs = await searchRuns(client, { experimentIds: [experimentId], limit: Infinity });
      const text = csvOf(runs.map(flatRun));
      if (filename === undefined) surroundings.output.result(text);
      else await writeFile(resolve(surroundings.workingDir, filename), `${text}\n`);
    },
  });
}
