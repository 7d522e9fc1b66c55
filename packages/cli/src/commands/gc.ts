import type { Client } from '@lazuli/client';
import type { Command } from 'commander';
import { connect } from '../connection.ts';
import { parseAge } from '../duration.ts';
import { CommandError, EndWithStatus } from '../output.ts';
import { pick } from './options.ts';
import { withHelp } from '../command-help.ts';
import { explained, printer, withServerOptions, type ServerOptions } from '../server-command.ts';
import type { Surroundings } from '../surroundings.ts';

/** `lazuli gc`: deletes for good, on a running server, what was marked as deleted, with MLflow's options. */
interface GcOptions extends ServerOptions {
  readonly trackingUri?: string;
  readonly olderThan?: string;
  readonly runIds?: string;
  readonly experimentIds?: string;
  readonly loggedModelIds?: string;
  readonly dryRun?: true;
}

type CollectInput = Parameters<Client['collections']['collect']>[0];

export function describeGc(command: Command, surroundings: Surroundings): void {
  withHelp(withServerOptions(command), {
    notes: `What went is listed, and what stays with the reason. A run or logged model from which a
version of a registered model was made stays, and so does a model that another run uses. There is no way back.

The command ends with status 1 where something that was named stays, or files could not be removed: run it again.
LAZULI_TOKEN (or MLFLOW_TRACKING_TOKEN) holds the token of somebody who may delete the workspace.`,
    examples: [
      'lazuli gc --dry-run -o table',
      'lazuli gc --older-than 90d',
      'lazuli gc --experiment-ids 7,8 --query "[?state==\'kept\']"',
    ],
  })
    .option('--tracking-uri <url>', 'as --url, as MLflow calls it')
    .option('--older-than <time>', 'only what was deleted longer ago: 30d, 12h, 1d6h (default: 30d; 0d with ids)')
    .option('--run-ids <ids>', 'these runs alone, with commas between them')
    .option('--experiment-ids <ids>', 'these experiments with their runs and logged models')
    .option('--logged-model-ids <ids>', 'these logged models')
    .option('--dry-run', 'say what would go and what would stay, and change nothing')
    .action(async (options: GcOptions) => {
      const print = printer(options, surroundings, columns);
      const input = inputOf(options);
      const { client } = await connect(
        { ...options, ...pick({ url: options.url ?? options.trackingUri }) },
        surroundings,
      );
      const entries: Entry[] = [];
      const report = (): void => {
        print(entries);
        const count = entries.filter(({ state }) => state === 'deleted').length;
        const done = input.dry_run === true ? 'would be deleted' : 'deleted';
        surroundings.output.remark(`${count} ${count === 1 ? 'thing' : 'things'} ${done}.`);
      };
      await explained(() => collect(client, input, entries)).catch((error: unknown) => {
        // What is gone is gone, also where it could not be brought to an end.
        if (entries.length > 0) report();
        throw error;
      });
      report();
      if (entries.some((entry) => isUndone(entry, input))) throw new EndWithStatus(1);
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

/** What became of a thing; with --dry-run, what would. */
interface Entry {
  readonly kind: 'run' | 'experiment' | 'logged_model' | 'files';
  /** Of files, where they are. */
  readonly id: string;
  readonly state: 'deleted' | 'kept' | 'left';
  readonly reason: string | null;
}

const columns = { Kind: 'kind', Id: 'id', State: 'state', Reason: 'reason' };
const kinds = { RUN: 'run', EXPERIMENT: 'experiment', LOGGED_MODEL: 'logged_model' } as const;

async function collect({ collections }: Client, input: CollectInput, entries: Entry[]): Promise<void> {
  let token: string | undefined;
  do {
    const page = await collections.collect({ ...input, ...(token === undefined ? {} : { page_token: token }) });
    entries.push(
      ...(page.collected ?? []).map(
        ({ kind, id }) => ({ kind: kinds[kind], id, state: 'deleted', reason: null }) as const,
      ),
      ...(page.kept ?? []).map(({ kind, id, reason }) => ({ kind: kinds[kind], id, state: 'kept', reason }) as const),
      ...(page.unremoved ?? []).map(({ uri, reason }) => ({ kind: 'files', id: uri, state: 'left', reason }) as const),
    );
    token = page.next_page_token;
  } while (token !== undefined);
}

/** Files that could not be removed, and what was named and stays. */
function isUndone({ id, state }: Entry, input: CollectInput): boolean {
  const named = [input.run_ids, input.experiment_ids, input.logged_model_ids];
  return state === 'left' || (state === 'kept' && named.some((ids) => ids?.includes(id) === true));
}
