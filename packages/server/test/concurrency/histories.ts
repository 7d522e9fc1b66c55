import type { Client } from '@lazuli/client';
import { contradiction, describeHistory, explain, type Model, type Operation } from './explain-history.ts';
import { changesNoName, nameModel, type NameInput } from './name-model.ts';
import { createRandom, type Random } from './random.ts';
import { turns } from './races.ts';
import { recordNames, recordRuns, type Recorder } from './recorded-clients.ts';
import { changesNoRun, runModel, runNameTag, type RunInput, type Texts } from './run-model.ts';

/** Random histories: clients on both sides send random verbs to a few objects at once, and what they saw is to be explained. */
export interface Sent {
  readonly histories: number;
  readonly operations: number;
}

const clientsASide = 3;
const operationsAClient = 9;

/** Makes histories until the time is over; throws with a contradiction and the seed of its requests. */
export async function explainRandomHistories(sides: readonly Client[], seconds: number): Promise<Sent> {
  const end = performance.now() + seconds * 1000;
  let histories = 0;
  let operations = 0;
  while (histories < 4 || performance.now() < end) {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = createRandom(seed);
    operations += histories % 3 === 2 ? await someNames(sides, random, seed) : await someRuns(sides, random, seed);
    histories++;
  }
  return { histories, operations };
}

async function someRuns(sides: readonly Client[], random: Random, seed: number): Promise<number> {
  const [client] = sides as [Client];
  const { experiment_id } = await client.experiments.createExperiment({ name: `history of ${seed}` });
  const recorder = recordRuns(experiment_id);
  const ids: string[] = [];
  const send = async (name: string, sender: Client, input: RunInput): Promise<void> => {
    const output = await recorder.perform(name, sender, input);
    if (typeof output === 'object' && 'created' in output) ids.push(output.created);
  };
  for (const name of ['first', 'second']) await send('setup', client, { verb: 'create run', name, tags: {} });
  // Both sides have seen the runs and remember them.
  for (const [place, side] of sides.entries()) {
    for (const run of [...ids]) await send(`side ${place}`, side, logOf(run, { tags: { warm: 'yes' } }));
  }
  let count = 0;
  await inParallel(sides, random, async (name, sender) => send(name, sender, someRunInput(random, ids, ++count)));
  for (const [place, side] of sides.entries()) await send(`side ${place}`, side, { verb: 'search runs' });
  judge(runModel, recorder, changesNoRun, seed);
  return recorder.history.length;
}

function logOf(run: string, part: Partial<Extract<RunInput, { verb: 'log' }>>): RunInput {
  return { verb: 'log', run, metrics: [], params: {}, tags: {}, ...part };
}

const keys = ['x', 'y'] as const;

/** `count` makes what is written tell who wrote it. */
function someRunInput(random: Random, ids: readonly string[], count: number): RunInput {
  // Two runs take most of it, so that the verbs meet.
  const run = random.below(6) === 0 ? random.pick(ids) : ids[random.below(2)]!;
  const metric = () => ({
    key: random.pick(keys),
    step: random.below(3),
    timestamp: random.below(2),
    value: count,
  });
  const params = (): Texts => ({ [random.pick(keys)]: `${random.below(3)}` });
  const tags = (): Texts => ({ [random.pick([...keys, runNameTag])]: `v${count}` });
  const chance = random.below(100);
  if (chance < 10) return logOf(run, { metrics: [metric()] });
  if (chance < 20) return logOf(run, { params: params() });
  if (chance < 29) return logOf(run, { tags: tags() });
  if (chance < 45) {
    return logOf(run, {
      metrics: random.below(2) === 0 ? [metric(), metric()] : [],
      params: random.below(3) === 0 ? params() : {},
      tags: { ...tags(), x: `v${count}` },
    });
  }
  if (chance < 51) return { verb: 'delete tag', run, key: random.pick(keys) };
  if (chance < 58) return { verb: 'rename run', run, name: `v${count}` };
  if (chance < 64) return { verb: 'delete run', run };
  if (chance < 71) return { verb: 'restore run', run };
  if (chance < 86) return { verb: 'get run', run };
  if (chance < 91) return { verb: 'search runs' };
  if (chance < 94) return { verb: 'create run', name: `v${count}`, tags: {} };
  if (chance < 96) return { verb: 'delete experiment' };
  if (chance < 98) return { verb: 'restore experiment' };
  return { verb: 'get experiment' };
}

async function someNames(sides: readonly Client[], random: Random, seed: number): Promise<number> {
  const recorder = recordNames();
  const names = ['one', 'two', 'three'].map((name) => `${name} of ${seed}`);
  const ids: string[] = [];
  await inParallel(sides, random, async (client, sender) => {
    const output = await recorder.perform(client, sender, someNameInput(random, names, ids));
    if (typeof output === 'object' && 'created' in output) ids.push(output.created);
  });
  for (const [place, side] of sides.entries()) {
    for (const name of names) await recorder.perform(`side ${place}`, side, { verb: 'find', name });
  }
  judge(nameModel, recorder, changesNoName, seed);
  return recorder.history.length;
}

function someNameInput(random: Random, names: readonly string[], ids: readonly string[]): NameInput {
  const name = random.pick(names);
  const chance = random.below(100);
  if (chance < 25 || ids.length === 0) return { verb: 'create', name };
  const id = random.pick(ids);
  if (chance < 60) return { verb: 'rename', id, name };
  if (chance < 80) return { verb: 'find', name };
  return { verb: chance < 90 ? 'delete' : 'restore', id };
}

async function inParallel(
  sides: readonly Client[],
  random: Random,
  step: (name: string, client: Client) => Promise<void>,
): Promise<void> {
  const clients = sides.flatMap((client, side) =>
    Array.from({ length: clientsASide }, async (_, place) => {
      for (let count = 0; count < operationsAClient; count++) {
        await turns(1 + random.below(3));
        await step(`side ${side}, client ${place}`, client);
      }
    }),
  );
  await Promise.all(clients);
}

function judge<State, Input, Output>(
  model: Model<State, Input, Output>,
  { history }: Recorder<Input, Output>,
  changesNothing: (operation: Operation<Input, Output>) => boolean,
  seed: number,
): void {
  if (explain(model, history) !== undefined) return;
  const part = contradiction(model, history, changesNothing);
  throw new Error(
    `No order explains this history (seed ${seed}, ${history.length} operations); it contradicts itself here:\n${describeHistory(part)}`,
  );
}
