import { unknown, type Model } from './explain-history.ts';

/**
 * What the verbs on one experiment and its runs mean when they come one after the other: the rules of the protocol, without
 * servers, caches and concurrency.
 */
export interface Point {
  readonly step: number;
  readonly timestamp: number;
  readonly value: number;
}

export type Texts = Readonly<Record<string, string>>;

export interface RunState {
  readonly deleted: boolean;
  readonly name: string;
  readonly params: Texts;
  readonly tags: Texts;
  readonly latest: Readonly<Record<string, Point>>;
}

export interface ExperimentState {
  readonly deleted: boolean;
  readonly runs: Readonly<Record<string, RunState>>;
}

export type RunInput =
  | { readonly verb: 'create run'; readonly name: string; readonly tags: Texts }
  | OneRunInput
  | { readonly verb: 'delete experiment' | 'restore experiment' | 'get experiment' | 'search runs' };

type OneRunInput =
  | {
      readonly verb: 'log';
      readonly run: string;
      readonly metrics: readonly (Point & { readonly key: string })[];
      readonly params: Texts;
      readonly tags: Texts;
    }
  | { readonly verb: 'delete tag'; readonly run: string; readonly key: string }
  | { readonly verb: 'rename run'; readonly run: string; readonly name: string }
  | { readonly verb: 'delete run'; readonly run: string }
  | { readonly verb: 'restore run'; readonly run: string }
  | { readonly verb: 'get run'; readonly run: string };

/** What a client can tell of an answer. */
export type RunOutput =
  | 'done'
  | 'is deleted'
  | 'no such thing'
  | { readonly unlike: Texts }
  | { readonly created: string }
  | { readonly run: RunState }
  | { readonly experimentDeleted: boolean }
  | { readonly runs: Readonly<Record<string, RunState>> };

export const runNameTag = 'mlflow.runName';

export const runModel: Model<ExperimentState, RunInput, RunOutput> = {
  initial: { deleted: false, runs: {} },
  keyOf: canonical,
  step(state, input, output) {
    if (input.verb === 'create run') return createRun(state, input, output);
    const { next, answer } = apply(state, input);
    return output === unknown || canonical(output) === canonical(answer) ? next : undefined;
  },
};

type Applied = { readonly next: ExperimentState; readonly answer: RunOutput };

function createRun(
  state: ExperimentState,
  { name, tags }: Extract<RunInput, { verb: 'create run' }>,
  output: RunOutput | typeof unknown,
): ExperimentState | undefined {
  if (state.deleted) return output === 'is deleted' || output === unknown ? state : undefined;
  // A run whose id nobody was told is in the way of no answer but that of a search.
  if (output === unknown) return state;
  if (typeof output === 'string' || !('created' in output) || output.created in state.runs) return undefined;
  const run: RunState = { deleted: false, name, params: {}, tags: { ...tags, [runNameTag]: name }, latest: {} };
  return { ...state, runs: { ...state.runs, [output.created]: run } };
}

function apply(state: ExperimentState, input: Exclude<RunInput, { verb: 'create run' }>): Applied {
  switch (input.verb) {
    case 'get experiment':
      return { next: state, answer: { experimentDeleted: state.deleted } };
    case 'search runs':
      return { next: state, answer: { runs: state.runs } };
    case 'delete experiment':
    case 'restore experiment': {
      // *MLflow: a deleted experiment cannot be found for deletion, nor an active one for restoring.*
      const deleted = input.verb === 'delete experiment';
      if (state.deleted === deleted) return { next: state, answer: 'no such thing' };
      const runs = Object.entries(state.runs).map(([id, run]) => [id, { ...run, deleted }] as const);
      return { next: { deleted, runs: Object.fromEntries(runs) }, answer: 'done' };
    }
    default: {
      const run = state.runs[input.run];
      if (run === undefined) return { next: state, answer: 'no such thing' };
      const { after, answer } = applyToRun(run, input);
      return { next: { ...state, runs: { ...state.runs, [input.run]: after } }, answer };
    }
  }
}

function applyToRun(run: RunState, input: OneRunInput): { readonly after: RunState; readonly answer: RunOutput } {
  if (input.verb === 'get run') return { after: run, answer: { run } };
  // *MLflow: deleting or restoring twice is fine.*
  if (input.verb === 'delete run') return { after: { ...run, deleted: true }, answer: 'done' };
  if (input.verb === 'restore run') return { after: { ...run, deleted: false }, answer: 'done' };
  if (run.deleted) return { after: run, answer: 'is deleted' };
  if (input.verb === 'rename run') {
    const tags = { ...run.tags, [runNameTag]: input.name };
    return { after: { ...run, name: input.name, tags }, answer: 'done' };
  }
  if (input.verb === 'delete tag') {
    if (!(input.key in run.tags)) return { after: run, answer: 'no such thing' };
    const { [input.key]: _, ...tags } = run.tags;
    return { after: { ...run, tags }, answer: 'done' };
  }
  const unlike = Object.entries(input.params).flatMap(([key, value]) => {
    const logged = run.params[key];
    return logged === undefined || logged === value ? [] : [[key, logged] as const];
  });
  if (unlike.length > 0) return { after: run, answer: { unlike: Object.fromEntries(unlike) } };
  const latest = { ...run.latest };
  for (const { key, step, timestamp, value } of input.metrics) {
    const point = { step, timestamp, value };
    const known = latest[key];
    if (known === undefined || isGreater(point, known)) latest[key] = point;
  }
  const after: RunState = {
    ...run,
    name: input.tags[runNameTag] ?? run.name,
    params: { ...run.params, ...input.params },
    tags: { ...run.tags, ...input.tags },
    latest,
  };
  return { after, answer: 'done' };
}

function isGreater(x: Point, y: Point): boolean {
  return (x.step - y.step || x.timestamp - y.timestamp || x.value - y.value) > 0;
}

const texts = new WeakMap<object, string>();

/** One text for equal values, whatever the order of their fields. The search asks for the same objects again and again. */
export function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  let text = texts.get(value);
  if (text === undefined) {
    const fields = Object.entries(value).toSorted(([x], [y]) => (x < y ? -1 : 1));
    text = `{${fields.map(([name, part]) => `${name}:${canonical(part)}`).join(',')}}`;
    texts.set(value, text);
  }
  return text;
}

/** Reads, and what was refused. */
export function changesNoRun({ input, output }: { input: RunInput; output: RunOutput | typeof unknown }): boolean {
  if (output === unknown) return false;
  if (['get run', 'get experiment', 'search runs'].includes(input.verb)) return true;
  return output !== 'done' && (typeof output === 'string' || 'unlike' in output);
}
