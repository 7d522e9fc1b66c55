import { unknown, type Model } from './explain-history.ts';
import { canonical } from './run-model.ts';

/** What creating, renaming, deleting and finding experiments means when it comes one after the other: who holds which name. */
export type NameInput =
  | { readonly verb: 'create'; readonly name: string }
  | { readonly verb: 'find'; readonly name: string }
  | { readonly verb: 'rename'; readonly id: string; readonly name: string }
  | { readonly verb: 'delete' | 'restore'; readonly id: string };

export type NameOutput =
  | 'done'
  | 'taken'
  | 'is deleted'
  | 'no such thing'
  | { readonly created: string }
  | { readonly id: string; readonly deleted: boolean };

interface Named {
  readonly name: string;
  readonly deleted: boolean;
}

export type NameState = Readonly<Record<string, Named>>;

export const nameModel: Model<NameState, NameInput, NameOutput> = {
  initial: {},
  keyOf: canonical,
  step(state, input, output) {
    if (input.verb === 'create') {
      const isTaken = holderOf(state, input.name) !== undefined;
      if (output === unknown) return state;
      if (isTaken || typeof output === 'string') return isTaken && output === 'taken' ? state : undefined;
      if (!('created' in output) || output.created in state) return undefined;
      return { ...state, [output.created]: { name: input.name, deleted: false } };
    }
    const { next, answer } = apply(state, input);
    return output === unknown || canonical(output) === canonical(answer) ? next : undefined;
  },
};

function apply(
  state: NameState,
  input: Exclude<NameInput, { verb: 'create' }>,
): { readonly next: NameState; readonly answer: NameOutput } {
  if (input.verb === 'find') {
    const id = holderOf(state, input.name);
    if (id === undefined) return { next: state, answer: 'no such thing' };
    return { next: state, answer: { id, deleted: state[id]?.deleted === true } };
  }
  const found = state[input.id];
  if (found === undefined) return { next: state, answer: 'no such thing' };
  if (input.verb === 'rename') {
    if (found.deleted) return { next: state, answer: 'is deleted' };
    const holder = holderOf(state, input.name);
    if (holder !== undefined && holder !== input.id) return { next: state, answer: 'taken' };
    return { next: { ...state, [input.id]: { ...found, name: input.name } }, answer: 'done' };
  }
  const deleted = input.verb === 'delete';
  if (found.deleted === deleted) return { next: state, answer: 'no such thing' };
  return { next: { ...state, [input.id]: { ...found, deleted } }, answer: 'done' };
}

/** Deleted experiments keep their names. */
function holderOf(state: NameState, name: string): string | undefined {
  return Object.keys(state).find((id) => state[id]?.name === name);
}

/** Reads, and what was refused. */
export function changesNoName({ input, output }: { input: NameInput; output: NameOutput | typeof unknown }): boolean {
  if (output === unknown) return false;
  return input.verb === 'find' || (typeof output === 'string' && output !== 'done');
}
