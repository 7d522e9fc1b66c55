import {
  createClient,
  dualTracking,
  experimentNameIn,
  MlflowError,
  type DualStore,
  type DualTracking,
} from '@lazuli/client';
import { connectDatabricks } from '@lazuli/client/databricks';
import { describe, expect, test } from 'vitest';
import { personalToken, startDatabricks, type DatabricksWorkspace } from '../databricks/databricks-fixture.ts';
import { startServer, type TestServer } from '../server-fixture.ts';

const path = '/Users/ada@example.org/iris-classifier';

interface Both {
  readonly databricks: DualStore;
  readonly azure: DualStore;
  /** What lies at which artifact URI and path, in both stores. */
  readonly files: Map<string, string>;
  /** Lets the calls of the Azure store fail. */
  readonly outage: { error?: MlflowError };
}

function inBoth(
  name: string,
  body: (both: Both, servers: { workspace: DatabricksWorkspace; server: TestServer }) => Promise<void>,
): void {
  test(name, async () => {
    await using workspace = await startDatabricks();
    await using server = await startServer();
    const environment = { DATABRICKS_HOST: workspace.url, DATABRICKS_TOKEN: personalToken };
    const files = new Map<string, string>();
    const outage: Both['outage'] = {};
    const artifactsAt: DualTracking['artifactsAt'] = (uri) => ({
      list: async () => [],
      open: async () => expect.unreachable('Nothing is read.'),
      async upload(uploads) {
        for (const { path: file, content } of uploads) files.set(`${uri}/${file}`, await content.text());
      },
    });
    const databricks: DualStore = {
      uri: { kind: 'databricks' },
      client: createClient(await connectDatabricks('databricks', { environment })),
      artifactsAt,
    };
    const azure: DualStore = { uri: { kind: 'azureml' }, client: failing(server.client, outage), artifactsAt };
    await body({ databricks, azure, files, outage }, { workspace, server });
  });
}

/** A client whose calls fail while there is an outage. */
function failing(client: TestServer['client'], outage: Both['outage']): TestServer['client'] {
  const groups = Object.entries(client).map(([group, methods]) => [
    group,
    Object.fromEntries(
      Object.entries(methods as Record<string, (input: unknown) => Promise<unknown>>).map(([name, method]) => [
        name,
        async (input: unknown) => {
          if (outage.error !== undefined) throw outage.error;
          return await method(input);
        },
      ]),
    ),
  ]);
  return Object.fromEntries(groups) as TestServer['client'];
}

async function startRun({
  client,
}: Pick<DualTracking, 'client'>): Promise<{ run_id: string; experiment_id: string; artifact_uri: string }> {
  const { experiment_id } = await client.experiments.createExperiment({
    name: path,
    tags: [{ key: 'team', value: 'a' }],
  });
  const { run } = await client.runs.createRun({
    experiment_id,
    start_time: 1,
    run_name: 'first',
    tags: [{ key: 'k', value: 'v' }],
  });
  return { run_id: run.info.run_id, experiment_id, artifact_uri: run.info.artifact_uri };
}

/** The only run of the experiment in a store, with its tags as an object. */
async function onlyRun({ client }: Pick<DualStore, 'client'>, name: string) {
  const { experiment } = await client.experiments.getExperimentByName({ experiment_name: name });
  const { runs = [] } = await client.runs.searchRuns({ experiment_ids: [experiment.experiment_id] });
  expect(runs).toHaveLength(1);
  const [run] = runs;
  return {
    run: run!,
    experiment,
    tags: Object.fromEntries((run!.data.tags ?? []).map(({ key, value }) => [key, value])),
  };
}

inBoth(
  'each experiment, run, param, metric and tag goes to both, under names and ids of their own',
  async ({ databricks, azure }) => {
    const dual = dualTracking({ primary: databricks, secondary: azure, onSecondaryFailure: 'fail' });
    const { run_id } = await startRun(dual);
    await dual.client.runs.logBatch({
      run_id,
      metrics: [{ key: 'loss', value: 0.5, timestamp: 2, step: 3 }],
      params: [{ key: 'rate', value: '0.1' }],
    });
    await dual.client.runs.setTag({ run_id, key: 'later', value: 'x' });
    await dual.client.runs.updateRun({ run_id, status: 'FINISHED', end_time: 9 });

    const here = await onlyRun(databricks, path);
    const there = await onlyRun(azure, 'iris-classifier');
    expect(here.run.info.run_id).toBe(run_id);
    expect(there.run.info.run_id).not.toBe(run_id);
    for (const { run, experiment, tags } of [here, there]) {
      expect(run.info).toMatchObject({ status: 'FINISHED', end_time: 9, run_name: 'first' });
      expect(run.data.metrics).toMatchObject([{ key: 'loss', value: 0.5, timestamp: 2, step: 3 }]);
      expect(run.data.params).toEqual([{ key: 'rate', value: '0.1' }]);
      expect(tags).toMatchObject({ k: 'v', later: 'x' });
      expect(experiment.tags).toEqual([{ key: 'team', value: 'a' }]);
    }
    expect(here.tags['lazuli.secondaryRunId']).toBe(there.run.info.run_id);
    expect(there.tags['lazuli.primaryRunId']).toBe(run_id);
  },
);

inBoth('answers come from the primary', async ({ databricks, azure }) => {
  const dual = dualTracking({ primary: databricks, secondary: azure, onSecondaryFailure: 'fail' });
  const { run_id } = await startRun(dual);
  expect(await dual.client.runs.getRun({ run_id })).toEqual(await databricks.client.runs.getRun({ run_id }));
  await expect(dual.client.runs.getRun({ run_id: 'nope' })).rejects.toMatchObject({
    errorCode: 'RESOURCE_DOES_NOT_EXIST',
  });
});

inBoth('a nested run names the twin of its parent', async ({ databricks, azure }) => {
  const dual = dualTracking({ primary: databricks, secondary: azure, onSecondaryFailure: 'fail' });
  const { run_id, experiment_id } = await startRun(dual);
  const tags = [{ key: 'mlflow.parentRunId', value: run_id }];
  const child = await dual.client.runs.createRun({ experiment_id, start_time: 2, tags });
  const twins = await tagsOf(azure, (await tagsOf(databricks, child.run.info.run_id))['lazuli.secondaryRunId'] ?? '');
  expect(twins['mlflow.parentRunId']).toBe((await tagsOf(databricks, run_id))['lazuli.secondaryRunId']);
});

inBoth('logged models and their links go to both', async ({ databricks, azure }) => {
  const dual = dualTracking({ primary: databricks, secondary: azure, onSecondaryFailure: 'fail' });
  const { run_id, experiment_id } = await startRun(dual);
  const { model } = await dual.client.loggedModels.createLoggedModel({
    experiment_id,
    name: 'net',
    source_run_id: run_id,
  });
  const { model_id } = model.info;
  await dual.client.runs.logMetric({ run_id, key: 'acc', value: 1, timestamp: 1, model_id });
  await dual.client.loggedModels.finalizeLoggedModel({ model_id, status: 'LOGGED_MODEL_READY' });
  await dual.client.runs.logOutputs({ run_id, models: [{ model_id, step: 1 }] });
  const there = await onlyRun(azure, 'iris-classifier');
  const [output] = there.run.outputs?.model_outputs ?? [];
  const twin = await azure.client.loggedModels.getLoggedModel({ model_id: output?.model_id ?? '' });
  expect(twin.model.info).toMatchObject({
    name: 'net',
    status: 'LOGGED_MODEL_READY',
    source_run_id: there.run.info.run_id,
  });
  expect(twin.model.info.tags).toContainEqual({ key: 'lazuli.primaryModelId', value: model_id });
  expect(twin.model.data.metrics).toMatchObject([{ key: 'acc', value: 1 }]);
});

inBoth('files of runs and models go to both places', async ({ databricks, azure, files }) => {
  const dual = dualTracking({ primary: databricks, secondary: azure, onSecondaryFailure: 'fail' });
  const { run_id, artifact_uri, experiment_id } = await startRun(dual);
  await dual.artifactsAt(`${artifact_uri}/plots`).upload([{ path: 'loss.txt', content: new Blob(['down']) }]);
  const { model } = await dual.client.loggedModels.createLoggedModel({
    experiment_id,
    name: 'net',
    source_run_id: run_id,
  });
  await dual.artifactsAt(model.info.artifact_uri).upload([{ path: 'MLmodel', content: new Blob(['flavors: {}']) }]);
  const there = await onlyRun(azure, 'iris-classifier');
  const { models = [] } = await azure.client.loggedModels.searchLoggedModels({
    experiment_ids: [there.experiment.experiment_id],
  });
  expect(Object.fromEntries(files)).toEqual({
    [`${artifact_uri}/plots/loss.txt`]: 'down',
    [`${there.run.info.artifact_uri}/plots/loss.txt`]: 'down',
    [`${model.info.artifact_uri}/MLmodel`]: 'flavors: {}',
    [`${models[0]!.info.artifact_uri}/MLmodel`]: 'flavors: {}',
  });
});

inBoth('a store without logged models gets them among the files of the run', async (both) => {
  const { databricks, azure, files } = both;
  const absent = async (): Promise<never> => {
    throw new MlflowError('ENDPOINT_NOT_FOUND', 'There is no such endpoint.');
  };
  const loggedModels = Object.fromEntries(Object.keys(azure.client.loggedModels).map((name) => [name, absent]));
  const older = { ...azure, client: { ...azure.client, loggedModels } as unknown as DualStore['client'] };
  const dual = dualTracking({
    primary: databricks,
    secondary: older,
    onSecondaryFailure: 'fail',
    registry: 'secondary',
  });
  const { run_id, experiment_id } = await startRun(dual);
  const { model } = await dual.client.loggedModels.createLoggedModel({
    experiment_id,
    name: 'net',
    source_run_id: run_id,
  });
  const { model_id, artifact_uri } = model.info;
  await dual.artifactsAt(artifact_uri).upload([{ path: 'MLmodel', content: new Blob(['flavors: {}']) }]);
  await dual.client.loggedModels.finalizeLoggedModel({ model_id, status: 'LOGGED_MODEL_READY' });
  await dual.client.runs.logOutputs({ run_id, models: [{ model_id, step: 1 }] });
  await dual.client.runs.logMetric({ run_id, key: 'acc', value: 1, timestamp: 1, model_id });
  await dual.client.registeredModels.createRegisteredModel({ name: 'iris' });
  await dual.client.modelVersions.createModelVersion({ name: 'iris', source: `models:/${model_id}`, run_id, model_id });
  const { run } = await onlyRun(azure, 'iris-classifier');
  expect(files.get(`${run.info.artifact_uri}/net/MLmodel`)).toBe('flavors: {}');
  expect(run.data.metrics).toMatchObject([{ key: 'acc', value: 1 }]);
  const { model_version } = await azure.client.modelVersions.getModelVersion({ name: 'iris', version: '1' });
  expect(model_version).toMatchObject({ run_id: run.info.run_id, source: `runs:/${run.info.run_id}/net` });
});

inBoth('another process goes on with the runs of both', async ({ databricks, azure, files }) => {
  const { run_id } = await startRun(
    dualTracking({ primary: databricks, secondary: azure, onSecondaryFailure: 'fail' }),
  );
  const next = dualTracking({ primary: databricks, secondary: azure, onSecondaryFailure: 'fail' });
  await next.client.runs.logMetric({ run_id, key: 'loss', value: 1, timestamp: 1 });
  const { run } = await next.client.runs.getRun({ run_id });
  await next.artifactsAt(run.info.artifact_uri).upload([{ path: 'a', content: new Blob(['b']) }]);
  expect((await onlyRun(azure, 'iris-classifier')).run.data.metrics).toMatchObject([{ key: 'loss', value: 1 }]);
  expect(files.size).toBe(2);
});

describe('the registry', () => {
  const register = async ({ client }: DualTracking, run_id: string): Promise<void> => {
    await client.registeredModels.createRegisteredModel({ name: 'iris' });
    await client.modelVersions.createModelVersion({ name: 'iris', source: `runs:/${run_id}/model`, run_id });
  };
  const versionsIn = async ({ client }: DualStore) =>
    (await client.modelVersions.searchModelVersions({ filter: "name = 'iris'" })).model_versions ?? [];

  inBoth('is that of Databricks, where Databricks is the primary', async ({ databricks, azure }) => {
    const dual = dualTracking({ primary: databricks, secondary: azure, onSecondaryFailure: 'fail' });
    const { run_id } = await startRun(dual);
    await register(dual, run_id);
    expect(await versionsIn(databricks)).toMatchObject([{ version: '1', run_id }]);
    expect(await versionsIn(azure)).toEqual([]);
  });

  inBoth(
    'is that of Databricks where it is the secondary, and knows runs by their ids there',
    async ({ databricks, azure }) => {
      const dual = dualTracking({ primary: azure, secondary: databricks, onSecondaryFailure: 'queue' });
      const { run_id } = await startRun(dual);
      await register(dual, run_id);
      expect((await onlyRun(azure, 'iris-classifier')).run.info.run_id).toBe(run_id);
      const twin = (await onlyRun(databricks, path)).run.info.run_id;
      expect(await versionsIn(databricks)).toMatchObject([
        { version: '1', run_id: twin, source: `runs:/${twin}/model` },
      ]);
      expect(await versionsIn(azure)).toEqual([]);
    },
  );

  inBoth('may be chosen', async ({ databricks, azure }) => {
    const dual = dualTracking({
      primary: databricks,
      secondary: azure,
      onSecondaryFailure: 'fail',
      registry: 'secondary',
    });
    const { run_id } = await startRun(dual);
    await register(dual, run_id);
    expect(await versionsIn(azure)).toHaveLength(1);
    expect(await versionsIn(databricks)).toEqual([]);
  });
});

describe('a secondary store that fails', () => {
  const down = (): MlflowError => new MlflowError('TEMPORARILY_UNAVAILABLE', 'it is away');

  inBoth('fails the call, where that is wanted', async ({ databricks, azure, outage }) => {
    const dual = dualTracking({ primary: databricks, secondary: azure, onSecondaryFailure: 'fail' });
    const { run_id } = await startRun(dual);
    outage.error = down();
    const failure = dual.client.runs.setTag({ run_id, key: 'a', value: 'b' });
    await expect(failure).rejects.toThrow('Failed to setTag from the secondary store (azureml): it is away');
    await expect(failure).rejects.toMatchObject({ errorCode: 'TEMPORARILY_UNAVAILABLE' });
    expect(await tagsOf(databricks, run_id)).toMatchObject({ a: 'b' });
  });

  inBoth('is warned of, and a run that it did not get once', async ({ databricks, azure, outage }) => {
    const warnings: string[] = [];
    const dual = dualTracking({
      primary: databricks,
      secondary: azure,
      onSecondaryFailure: 'warn',
      warn: (text) => warnings.push(text),
    });
    outage.error = down();
    const { run_id } = await startRun(dual);
    delete outage.error;
    for (let step = 0; step < 3; step++)
      await dual.client.runs.logMetric({ run_id, key: 'm', value: step, timestamp: step, step });
    expect(warnings).toEqual([
      'Failed to createExperiment from the secondary store (azureml): it is away',
      'Failed to createRun from the secondary store (azureml): it is away',
      `Failed to logMetric from the secondary store (azureml): The run '${run_id}' has no twin there.`,
    ]);
    expect((await databricks.client.metrics.getMetricHistory({ run_id, metric_key: 'm' })).metrics).toHaveLength(3);
  });

  inBoth('gets in order what it missed, where that is queued', async ({ databricks, azure, outage }) => {
    const warnings: string[] = [];
    const dual = dualTracking({
      primary: databricks,
      secondary: azure,
      onSecondaryFailure: 'queue',
      warn: (text) => warnings.push(text),
    });
    outage.error = down();
    const { run_id } = await startRun(dual);
    for (let step = 0; step < 50; step++)
      await dual.client.runs.logMetric({ run_id, key: 'm', value: step, timestamp: step, step });
    await dual.client.runs.updateRun({ run_id, status: 'FINISHED', end_time: 9 });
    expect(dual.pending()).toBe(53);
    await expect(dual.flush(AbortSignal.timeout(20))).rejects.toMatchObject({ name: 'TimeoutError' });
    delete outage.error;
    await dual.flush();
    expect(dual.pending()).toBe(0);
    const { run } = await onlyRun(azure, 'iris-classifier');
    expect(run.info.status).toBe('FINISHED');
    const history = await azure.client.metrics.getMetricHistory({ run_id: run.info.run_id, metric_key: 'm' });
    expect(history.metrics?.map(({ value }) => value)).toEqual(Array.from({ length: 50 }, (_, step) => step));
    expect(warnings).toEqual([expect.stringMatching(/createExperiment, which is tried again, .*it is away/)]);
  });

  inBoth('and refuses for good is warned of, and the queue goes on', async ({ databricks, azure, outage }) => {
    const warnings: string[] = [];
    const dual = dualTracking({
      primary: databricks,
      secondary: azure,
      onSecondaryFailure: 'queue',
      warn: (text) => warnings.push(text),
    });
    const { run_id } = await startRun(dual);
    await dual.flush();
    outage.error = new MlflowError('INVALID_PARAMETER_VALUE', 'not here');
    await dual.client.runs.setTag({ run_id, key: 'a', value: '1' });
    await dual.flush();
    delete outage.error;
    await dual.client.runs.setTag({ run_id, key: 'b', value: '2' });
    await dual.flush();
    expect(warnings).toEqual(['Failed to setTag from the secondary store (azureml): not here']);
    const { tags } = await onlyRun(azure, 'iris-classifier');
    expect(tags).toMatchObject({ b: '2' });
    expect(tags).not.toHaveProperty('a');
  });
});

test.each([
  ['databricks', path, path],
  ['azureml', path, 'iris-classifier'],
  ['azureml', 'iris-classifier', 'iris-classifier'],
  ['azureml', '/Shared/team/iris/', 'iris'],
  ['http', 'a/b', 'a/b'],
] as const)('in a store of the kind %s the experiment %s is called %s', (kind, name, wanted) => {
  expect(experimentNameIn(kind, name)).toBe(wanted);
});

test('Databricks is not asked for a name that is no path', () => {
  expect(() => experimentNameIn('databricks', 'iris')).toThrow(
    "'iris' has to be one such as /Users/{you}/iris or /Shared/iris",
  );
});

async function tagsOf({ client }: DualStore, run_id: string): Promise<Record<string, string>> {
  const { run } = await client.runs.getRun({ run_id });
  return Object.fromEntries((run.data.tags ?? []).map(({ key, value }) => [key, value]));
}
