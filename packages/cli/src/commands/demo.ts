import { MlflowError, type Client, type Server } from '@lazuli/client';
import type { Command } from 'commander';
import { CommandError } from '../output.ts';
import { asServerCommand } from '../server-command.ts';
import type { Surroundings } from '../surroundings.ts';

/**
 * `lazuli demo`: an experiment as a team has it after a week, so that a new server has something to look at. A small network
 * learns to tell flowers apart, with several rates and widths; one run diverged and failed, the best became a model. The curves
 * follow a formula with a little noise, the same each time.
 */
const usualName = 'Demo: flowers';
const modelName = 'demo-flowers';
const steps = 120;
const trials = [
  { name: 'baseline', rate: 0.01, width: 16 },
  { name: 'wider', rate: 0.01, width: 64 },
  { name: 'wide-and-slow', rate: 0.003, width: 64 },
  { name: 'narrow', rate: 0.01, width: 4 },
  { name: 'too-fast', rate: 0.3, width: 64 },
] as const;

type Trial = (typeof trials)[number];

const dayMs = 24 * 3600_000;

export function describeDemo(command: Command, surroundings: Surroundings): void {
  asServerCommand<{ experimentName?: string }>(command, surroundings, {
    options: (create) =>
      create.option('-n, --experiment-name <name>', `the name of the experiment (default: ${usualName})`),
    columns: { Experiment: 'experiment_name', Id: 'experiment_id', Runs: 'length(runs)', Model: 'registered_model' },
    notes: `An experiment, its runs with metrics over time, and a registered model. They are deleted like anything else: lazuli experiments delete, lazuli model delete -n ${modelName}.`,
    examples: ['lazuli demo', 'lazuli demo -n "My first experiment" --query experiment_id -o tsv'],
    answer: (server, { experimentName = usualName }) => fill(server, experimentName),
  });
}

async function fill(server: Server, experimentName: string) {
  const { client } = server;
  const experimentId = await newExperiment(client, experimentName);
  const start = Date.now() - trials.length * dayMs;
  const runs: { run_id: string; run_name: string; accuracy: number; source: string }[] = [];
  for (const [index, trial] of trials.entries()) {
    runs.push(await logTrial(server, experimentId, trial, start + index * dayMs));
  }
  const ranked = runs.filter(({ accuracy }) => Number.isFinite(accuracy)).toSorted((a, b) => a.accuracy - b.accuracy);
  await client.registeredModels
    .createRegisteredModel({ name: modelName, description: 'Tells flowers apart. Made by lazuli demo.' })
    .catch((error: unknown) => {
      if (!(error instanceof MlflowError && error.errorCode === 'RESOURCE_ALREADY_EXISTS')) throw error;
    });
  let newest = '';
  for (const { source, run_id, accuracy } of ranked.slice(-2)) {
    const description = `Accuracy ${accuracy.toFixed(3)}`;
    const made = await client.modelVersions.createModelVersion({ name: modelName, source, run_id, description });
    newest = made.model_version.version;
  }
  await client.registeredModels.setRegisteredModelAlias({ name: modelName, alias: 'champion', version: newest });
  return {
    experiment_id: experimentId,
    experiment_name: experimentName,
    runs: runs.map(({ run_id, run_name }) => ({ run_id, run_name })),
    registered_model: modelName,
  };
}

async function newExperiment(client: Client, name: string): Promise<string> {
  try {
    const tags = [{ key: 'mlflow.note.content', value: 'What an experiment looks like. Made by lazuli demo.' }];
    return (await client.experiments.createExperiment({ name, tags })).experiment_id;
  } catch (error) {
    if (!(error instanceof MlflowError && error.errorCode === 'RESOURCE_ALREADY_EXISTS')) throw error;
    throw new CommandError(1, `There is an experiment '${name}' already; give another name with --experiment-name.`);
  }
}

async function logTrial({ client, artifactsAt }: Server, experiment_id: string, trial: Trial, start: number) {
  const { run } = await client.runs.createRun({
    experiment_id,
    run_name: trial.name,
    start_time: start,
    tags: [
      { key: 'mlflow.source.name', value: 'train_flowers.py' },
      { key: 'mlflow.source.type', value: 'LOCAL' },
      { key: 'team', value: 'botany' },
    ],
  });
  const { run_id, artifact_uri } = run.info;
  const points = curve(trial);
  const metrics = points.flatMap(({ loss, accuracy }, step) => {
    const timestamp = start + step * 30_000;
    return [
      { key: 'loss', value: loss, timestamp, step },
      { key: 'accuracy', value: accuracy, timestamp, step },
    ];
  });
  const params = { learning_rate: trial.rate, hidden_units: trial.width, optimizer: 'adam', epochs: steps };
  await client.runs.logBatch({
    run_id,
    metrics,
    params: Object.entries(params).map(([key, value]) => ({ key, value: String(value) })),
  });
  const last = points.at(-1) ?? { loss: NaN, accuracy: NaN };
  const hasDiverged = !Number.isFinite(last.loss);
  const report = `# ${trial.name}\n\n${hasDiverged ? 'The loss has diverged.' : `Accuracy ${last.accuracy.toFixed(3)} after ${steps} epochs.`}\n`;
  const weights = `flavors:\n  demo:\n    hidden_units: ${trial.width}\nrun_id: ${run_id}\n`;
  await artifactsAt(artifact_uri).upload([
    { path: 'report.md', content: new Blob([report]) },
    { path: 'model/MLmodel', content: new Blob([weights]) },
  ]);
  const end_time = start + points.length * 30_000;
  await client.runs.updateRun({ run_id, status: hasDiverged ? 'FAILED' : 'FINISHED', end_time });
  return { run_id, run_name: trial.name, accuracy: last.accuracy, source: `runs:/${run_id}/model` };
}

/** Loss falls from ln 3 (three kinds of flowers) to what the width allows, as fast as the rate says; too fast a rate diverges. */
function curve({ rate, width }: Trial): { loss: number; accuracy: number }[] {
  const floor = 0.04 + 0.9 / width;
  const points: { loss: number; accuracy: number }[] = [];
  for (let step = 0; step < steps; step++) {
    const noise = 0.02 * Math.sin(step * 12.9898 + width) * Math.exp(-step / 80);
    if (rate > 0.1 && step > 20) return [...points, { loss: NaN, accuracy: NaN }];
    const loss = floor + (Math.log(3) - floor) * Math.exp(-step * rate * 3) + noise;
    const swell = rate > 0.1 ? Math.exp(step / 8) / 10 : 0;
    points.push({ loss: loss + swell, accuracy: Math.min(0.99, Math.max(1 / 3, 1 - (loss + swell) / 1.7)) });
  }
  return points;
}
