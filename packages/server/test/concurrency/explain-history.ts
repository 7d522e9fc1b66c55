/**
 * Decides whether a history of concurrent operations is explained by some order: whether all of them, each at one moment
 * between its call and its answer, one after the other, could have given the answers that they gave (linearizability; the
 * search is Wing and Gong's, with Lowe's memory of what was tried).
 *
 * The search goes depth first. Whoever was called before the first of the open operations was answered may come next; the
 * model says whether its answer fits and what follows from it. A set of operations that has once led to a state that led
 * nowhere is not tried again. An operation whose answer never came, or said nothing, may have happened at any time after
 * its call, or not at all.
 */
export interface Operation<Input, Output> {
  readonly client: string;
  readonly input: Input;
  readonly output: Output | typeof unknown;
  /** Moments on one clock, all different. At the infinite one: it may have happened after its call, or not at all. */
  readonly called: number;
  readonly answered: number;
}

/** The answer of an operation of which nobody knows how it ended. */
export const unknown = Symbol('unknown');

/** What the operations of one object mean, one after the other. */
export interface Model<State, Input, Output> {
  readonly initial: State;
  /** The state that follows, or undefined where this operation cannot have given this answer in this state. */
  step(state: State, input: Input, output: Output | typeof unknown): State | undefined;
  /** The same for equal states only. */
  keyOf(state: State): string;
}

/** The search took more steps than it may: what is left open can come anywhere, and multiplies the orders. */
export class TooManyOrders extends Error {}

/** Whether there is such an order; gives it, or undefined. */
export function explain<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  mostSteps = 5_000_000,
): Operation<Input, Output>[] | undefined {
  let steps = 0;
  const operations = history.toSorted((x, y) => x.called - y.called);
  const deadEnds = new Set<string>();
  const order: Operation<Input, Output>[] = [];
  const isDone = operations.map(() => false);
  let open = operations.filter(isCertain).length;

  function search(state: State): boolean {
    if (open === 0) return true;
    if (++steps > mostSteps) throw new TooManyOrders(`No answer within ${mostSteps} steps.`);
    const name = `${isDone.map((done) => (done ? 1 : 0)).join('')} ${model.keyOf(state)}`;
    if (deadEnds.has(name)) return false;
    let horizon = Infinity;
    for (const [index, { answered }] of operations.entries()) {
      if (isDone[index] !== true && answered < horizon) horizon = answered;
    }
    for (const [index, operation] of operations.entries()) {
      if (operation.called > horizon) break;
      if (isDone[index] === true) continue;
      const next = model.step(state, operation.input, operation.output);
      if (next === undefined) continue;
      const counts = isCertain(operation) ? 1 : 0;
      isDone[index] = true;
      open -= counts;
      order.push(operation);
      if (search(next)) return true;
      order.pop();
      open += counts;
      isDone[index] = false;
    }
    deadEnds.add(name);
    return false;
  }

  return search(model.initial) ? order : undefined;
}

/**
 * The smallest part of a history without explanation that shows why it has none. Only what weakens it is done, so that the
 * part has no explanation because the whole has none: what comes after the contradiction is cut off, reads are left out,
 * and of a write it is left open whether and when it happened.
 */
export function contradiction<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  changesNothing: (operation: Operation<Input, Output>) => boolean,
): Operation<Input, Output>[] {
  let part = history.toSorted((x, y) => x.answered - y.answered);
  const failsWith = (candidate: readonly Operation<Input, Output>[]): boolean => {
    try {
      return explain(model, candidate, 50_000) === undefined;
    } catch (error) {
      if (error instanceof TooManyOrders) return false;
      throw error;
    }
  };

  // Up to the first answer that contradicts; what was under way then may have happened.
  const upTo = (count: number): Operation<Input, Output>[] => {
    const moment = part[count - 1]?.answered ?? Infinity;
    return part.flatMap((operation) => {
      if (operation.answered <= moment) return [operation];
      return operation.called < moment ? [leftOpen(operation)] : [];
    });
  };
  let [explained, contradicting] = [0, part.length];
  while (contradicting - explained > 1) {
    const middle = Math.floor((explained + contradicting) / 2);
    if (failsWith(upTo(middle))) contradicting = middle;
    else explained = middle;
  }
  part = upTo(contradicting);
  // Reads first, and again at the end: the more is left open, the longer a search takes.
  const reads = part.filter(changesNothing);
  const writes = part.filter((operation) => !changesNothing(operation));
  for (const operation of [...reads, ...writes, ...reads]) {
    if (!isCertain(operation) || !part.includes(operation)) continue;
    const rest = part.filter((other) => other !== operation);
    const weaker = changesNothing(operation) ? rest : rest.concat(leftOpen(operation));
    if (failsWith(weaker)) part = weaker;
  }
  return part.toSorted((x, y) => x.called - y.called);
}

/** Whether it has happened, before it was answered. */
export function isCertain({ answered }: Operation<unknown, unknown>): boolean {
  return answered !== Infinity;
}

function leftOpen<Input, Output>(operation: Operation<Input, Output>): Operation<Input, Output> {
  return { ...operation, answered: Infinity };
}

/** A history as text, an operation a line. */
export function describeHistory(operations: readonly Operation<unknown, unknown>[]): string {
  return operations
    .map((operation) => {
      const { client, input, output, called, answered } = operation;
      const span = isCertain(operation) ? `[${called}, ${answered}]` : `[${called}, never or later]`;
      return `${span} ${client}: ${JSON.stringify(input)} → ${output === unknown ? '?' : JSON.stringify(output)}`;
    })
    .join('\n');
}
