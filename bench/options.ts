/** What the command line of the bench may say. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { engines } from './engine.ts';
import type { Engine } from './engine.ts';
import type { Workload } from './workloads/workload.ts';

export interface Options {
  readonly selected: readonly Workload[];
  readonly engine: Engine;
  readonly processes: number;
  /** Who may call the server that is started. */
  readonly auth: Auth;
  readonly scale: number;
  readonly durationMs: number;
  readonly keep: string | undefined;
  readonly url: URL | undefined;
  readonly label: string | undefined;
  readonly results: string;
}

const auths = ['none', 'token'] as const;
export type Auth = (typeof auths)[number];

export class UsageError extends Error {}

export function usage(workloads: readonly Workload[]): string {
  return `npm run bench [-- <workload>... --option value...]

workloads, all unless named:
${workloads.map(({ id, title }) => `  ${id.padEnd(4)} ${title}`).join('\n')}

  --engine sqlite    the database of the server that is started, and whose targets count (${engines.join(', ')})
  --processes 1      how many processes of the server share the database (postgres)
  --auth none        whether the server that is started asks for a token (${auths.join(', ')})
  --scale 0.1        size of the seeded data of W7 and W10; 1 is what the targets mean
  --duration 5       seconds of each of the three rounds of a throughput workload
  --keep <folder>    keep the server's data under this folder, and reuse what an earlier run seeded there
  --url <url>        measure this MLflow-compatible server instead of starting one
  --label <name>     what to call that server in the result (its address unless given)
  --results <folder> where the results are written (bench/results)
`;
}

export function readOptions(args: readonly string[], workloads: readonly Workload[]): Options | 'help' {
  const { values, positionals } = parse(args);
  if (values.help) return 'help';
  const engine = engines.find((known) => known === values.engine);
  if (engine === undefined) {
    throw new UsageError(`--engine ${values.engine} is not one that the bench can start: ${engines.join(', ')}`);
  }
  const processes = positiveNumber('--processes', values.processes);
  if (!Number.isInteger(processes)) throw new UsageError(`--processes ${values.processes} is not a whole number`);
  if (processes > 1 && engine === 'sqlite') {
    throw new UsageError('--processes needs --engine postgres: one process owns a SQLite database');
  }
  if (processes > 1 && values.url !== undefined) {
    throw new UsageError('--processes is about a server that the bench starts; --url names one that runs');
  }
  const auth = auths.find((known) => known === values.auth);
  if (auth === undefined) throw new UsageError(`--auth ${values.auth} is not one of ${auths.join(', ')}`);
  if (auth !== 'none' && values.url !== undefined) {
    throw new UsageError('--auth is about a server that the bench starts; --url names one that runs');
  }
  const named = positionals.map((name) => workloadNamed(name, engine, workloads));
  return {
    selected: named.length === 0 ? workloads : workloads.filter((workload) => named.includes(workload)),
    engine,
    processes,
    auth,
    scale: positiveNumber('--scale', values.scale),
    durationMs: positiveNumber('--duration', values.duration) * 1000,
    keep: values.keep,
    url: values.url === undefined ? undefined : readUrl(values.url),
    label: values.label,
    results: values.results,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        engine: { type: 'string', default: 'sqlite' },
        processes: { type: 'string', default: '1' },
        auth: { type: 'string', default: 'none' },
        scale: { type: 'string', default: '1' },
        duration: { type: 'string', default: '5' },
        keep: { type: 'string' },
        url: { type: 'string' },
        label: { type: 'string' },
        results: { type: 'string', default: fileURLToPath(new URL('results', import.meta.url)) },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** In any case of letters; on PostgreSQL W2 also goes by W2p, the name that its targets have. */
function workloadNamed(name: string, engine: Engine, workloads: readonly Workload[]): Workload {
  const plain = engine === 'postgres' && /^w2p$/i.test(name) ? 'W2' : name;
  const found = workloads.find(({ id }) => id.toLowerCase() === plain.toLowerCase());
  if (found === undefined) throw new UsageError(`there is no workload ${name} on ${engine}`);
  return found;
}

function positiveNumber(option: string, text: string): number {
  const number = Number(text);
  if (!(number > 0 && Number.isFinite(number))) throw new UsageError(`${option} ${text} is not a positive number`);
  return number;
}

function readUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol !== 'http:') throw new UsageError(`--url ${text} is not an http: URL`);
  return url;
}
