import type { Client } from '@lazuli/client';
import { Option, type Command } from 'commander';
import { firstOf, limitOf, pageSize } from '../../pages.ts';
import { addServerCommand } from '../../server-command.ts';
import type { Surroundings } from '../../surroundings.ts';
import { choiceOf, pick } from '../options.ts';
import type { ByName } from './model-requests.ts';

/** What `lazuli model` tells of the past: who changed what, and which version an alias named. */
type History = Client['registryHistory'];
type Assignment = NonNullable<Awaited<ReturnType<History['getRegistryAssignments']>>['assignments']>[number];
type Change = NonNullable<Awaited<ReturnType<History['listRegistryChanges']>>['changes']>[number];

interface AssignmentOptions extends ByName {
  readonly alias?: string;
  readonly stage?: string;
  readonly at?: string;
}

interface ChangeOptions extends ByName {
  readonly version?: string;
  readonly kind?: Change['kind'];
  readonly key?: string;
  readonly maxResults?: string;
}

/** *The contract's ChangeKind.* */
const kinds: readonly Change['kind'][] = [
  'MODEL_CREATED',
  'MODEL_RENAMED',
  'MODEL_DELETED',
  'VERSION_CREATED',
  'VERSION_DELETED',
  'DESCRIPTION',
  'TAG',
  'ALIAS',
  'STAGE',
];

export function describeHistory(command: Command, surroundings: Surroundings): void {
  const name = (described: Command): Command =>
    described.requiredOption('-n, --name <name>', 'the name that the model has, or had then');

  addServerCommand<AssignmentOptions>(command, surroundings, {
    usage: 'assignments',
    summary: 'Show which version an alias named, or which ones were in a stage, at a time',
    notes:
      'A time is a date, which means midnight UTC, a moment such as 2026-03-01T12:00+01:00, UTC where it names no zone, or milliseconds since 1970.',
    options: (assignments) =>
      name(assignments)
        .option('-a, --alias <alias>', 'the alias, such as champion')
        .option('-s, --stage <stage>', 'or the stage')
        .option('--at <time>', 'when (default: now)'),
    columns: { Version: 'version', Since: 'since', By: 'by', Path: 'path' },
    examples: [
      'lazuli model assignments -n churn --alias champion --at 2026-03-01 -o table',
      'lazuli model assignments -n churn --stage Production --at 2026-03-01T17:30+01:00 --query "[].version" -o tsv',
    ],
    async answer({ client }, options) {
      const { by, value } = choiceOf(options, { alias: '--alias', stage: '--stage' });
      const { assignments = [] } = await client.registryHistory.getRegistryAssignments({
        name: options.name,
        [by]: value,
        ...timeOf(options.at),
      });
      return assignments.map(assignmentShown);
    },
  });

  addServerCommand<ChangeOptions>(command, surroundings, {
    usage: 'changes',
    summary: 'List who changed what of a model and its versions, the newest change first',
    options: (changes) =>
      name(changes)
        .option('-v, --version <version>', 'those of a version alone')
        .addOption(new Option('--kind <kind>', 'those of one kind').choices(kinds))
        .option('--key <key>', 'those of an alias or a tag alone')
        .option('-r, --max-results <count>', 'how many at most (default: all)'),
    columns: {
      Time: 'time',
      By: 'by',
      Kind: 'kind',
      Version: 'version',
      Key: 'key',
      Old: 'old_value',
      New: 'new_value',
    },
    examples: ['lazuli model changes -n churn --kind ALIAS --key champion -o table'],
    async answer({ client }, { name, version, kind, key, maxResults }) {
      const limit = limitOf(maxResults, Infinity);
      const changes = client.registryHistory.listRegistryChanges.all({
        name,
        ...pick({ version, key, kind }),
        max_results: pageSize(limit),
      });
      return (await firstOf(limit, changes)).map(changeShown);
    },
  });
}

/** Digits are milliseconds where they are too many for a year or a date without its dashes; all else the server reads. */
function timeOf(at: string | undefined): { timestamp?: number; at?: string } {
  if (at === undefined) return {};
  return /^\d{10,15}$/.test(at) ? { timestamp: Number(at) } : { at };
}

function assignmentShown({ version, since, principal, model_version }: Assignment) {
  return {
    version,
    since: iso(since),
    by: principal,
    deleted: model_version === undefined,
    path: model_version?.source ?? null,
    job_name: model_version?.run_id || null,
  };
}

function changeShown({ timestamp, principal, kind, name, version, key, old_value, new_value }: Change) {
  return {
    time: iso(timestamp),
    by: principal,
    kind,
    name,
    version: version ?? null,
    key: key ?? null,
    old_value: old_value ?? null,
    new_value: new_value ?? null,
  };
}

function iso(time: number | bigint): string {
  return new Date(Number(time)).toISOString();
}
