import type { Client } from '@lazuli/client';
import type { Command } from 'commander';
import { connect, defaultUrl } from '../connection.ts';
import { parseAge } from '../duration.ts';
import { CommandError, EndWithStatus, type Output } from '../output.ts';
import { pick } from './options.ts';
import { withHelp } from '../command-help.ts';
import type { Surroundings } from '../surroundings.ts';

/** `lazuli gc`: deletes for good, on a running server, what was marked as deleted, with MLflow's options. */
interface GcOptions {
  readonly url?: string;
  readonly trackingUri?: string;
  readonly workspaceName?: string;
  readonly olderThan?: string;
  readonly runIds?: string;
  readonly experimentIds?: string;
  readonly loggedModelIds?: string;
  readonly dryRun?: true;
}

type CollectInput = Parameters<Client['collections']['collect']>[0];

export function describeGc(command: Command, surroundings: Surroundings): void {
  withHelp(command, {
    notes: `What goes is written to stdout, a line each; what stays, and why, to stderr. A run or logged model from which a
version of a registered model was made stays, and so does a model that another run uses. There is no way back.

The command ends with status 1 where something that was named stays, or files could not be removed: run it again.
LAZULI_TOKEN (or MLFLOW_TRACKING_TOKEN) holds the token of somebody who may delete the workspace.`,
    examples: ['lazuli gc --dry-run', 'lazuli gc --older-than 90d', 'lazuli gc --experiment-ids 7,8'],
  })
    .option('--url <url>', `the server (LAZULI_URL, MLFLOW_TRACKING_URI; default: ${defaultUrl})`)
    .option('--tracking-uri <url>', 'as --url, as MLflow calls it')
    .option('-w, --workspace-name <name>', 'the workspace to empty (LAZULI_WORKSPACE; default: the default one)')
    .option('--older-than <time>', 'only what was deleted longer ago: 30d, 12h, 1d6h (default: 30d; 0d with ids)')
    .option('--run-ids <ids>', 'these runs alone, with commas between them')
    .option('--experiment-ids <ids>', 'these experiments with their runs and logged models')
    .option('--logged-model-ids <ids>', 'these logged models')
    .option('--dry-run', 'say what would go and what would stay, and change nothing')
    .action(async (options: GcOptions) => {
      const input = inputOf(options);
      const { client } = await connect(
        { ...options, ...pick({ url: options.url ?? options.trackingUri }) },
        surroundings,
      );
      await collect(client, input, surroundings.output).catch((error: unknown) => {
        if (error instanceof EndWithStatus || !(error instanceof Error)) throw error;
        throw new CommandError(1, error.message, { cause: error });
      });
    });
}

function inputOf({ olderThan, runIds, experimentIds, loggedModelIds, dryRun }: GcOptions): CollectInput {
  return {
    ...(olderThan === undefined ? {} : { older_than_ms: parseAge('--older-than', olderThan) }),
    ...(runIds === undefined ? {} : { run_ids: idsOf('--run-ids', runIds) }),
    ...(experimentIds === undefined ? {} : { experiment_ids: idsOf('--experiment-ids', experimentIds) }),
    ...(loggedModelIds === undefined ? {} : { logged_model_ids: idsOf('--logged-model-ids', loggedModelIds) }),
    ...(dryRun === undefined ? {} : { dry_run: dryRun }),
  };
}

/** No ids would mean everything. */
function idsOf(option: string, text: string): string[] {
  const ids = text.split(',').map((id) => id.trim());
  if (ids.every((id) => id !== '')) return ids;
  throw new CommandError(2, `${option}: ${JSON.stringify(text)} must be ids with commas between them`);
}

const names = { RUN: 'run', EXPERIMENT: 'experiment', LOGGED_MODEL: 'logged model' } as const;

async function collect({ collections }: Client, input: CollectInput, output: Output): Promise<void> {
  const named = new Set([...(input.run_ids ?? []), ...(input.experiment_ids ?? []), ...(input.logged_model_ids ?? [])]);
  const done = input.dry_run === true ? 'would be deleted' : 'deleted';
  let count = 0;
  let isComplete = true;
  let token: string | undefined;
  do {
    const page = await collections.collect({ ...input, ...(token === undefined ? {} : { page_token: token }) });
    for (const { kind, id } of page.collected ?? []) output.result(`${names[kind]} ${id} ${done}`);
    for (const { kind, id, reason } of page.kept ?? []) {
      output.remark(`${names[kind]} ${id} stays: ${reason}`);
      if (named.has(id)) isComplete = false;
    }
    for (const { uri, reason } of page.unremoved ?? []) {
      output.remark(`files left at ${uri}: ${reason}`);
      isComplete = false;
    }
    count += page.collected?.length ?? 0;
    token = page.next_page_token;
  } while (token !== undefined);
  output.remark(`${count} ${count === 1 ? 'thing' : 'things'} ${done}.`);
  if (!isComplete) throw new EndWithStatus(1);
}
