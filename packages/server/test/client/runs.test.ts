import { setTimeout as sleep } from 'node:timers/promises';
import {
  activeRun,
  flush,
  logMetric,
  logMetrics,
  logParam,
  logParams,
  MlflowError,
  registerModel,
  searchRuns,
  setExperiment,
  setTag,
  setTags,
  startRun,
} from '@lazuli/client';
import { afterEach, expect, test, vi } from 'vitest';
import { trackedServer } from './a-tracked-server.ts';

afterEach(() => vi.unstubAllEnvs());

const valuesOf = (pairs: readonly { key: string; value: unknown }[] = []): Record<string, unknown> =>
  Object.fromEntries(pairs.map(({ key, value }) => [key, value]));

test('a run holds what is logged within it, and is finished after it', async () => {
  await using server = await trackedServer();
  const { experiment_id } = await setExperiment('iris');
  const runId = await startRun({ runName: 'first', tags: { team: 'docs' }, description: 'a try' }, async (run) => {
    expect(activeRun()).toBe(run);
    await logParam('rate', 0.1);
    await logParams({ layers: 3, shuffle: true });
    for (let step = 0; step < 5; step++) await logMetric('loss', 1 / (step + 1), { step, timestamp: 1_000 + step });
    await logMetrics({ accuracy: 0.9, recall: NaN }, { step: 4 });
    await setTag('done', 'yes');
    await setTags({ a: 1, b: 'two' });
    return run.runId;
  });
  const { run } = await server.client.runs.getRun({ run_id: runId });
  expect(run.info).toMatchObject({ run_name: 'first', status: 'FINISHED', experiment_id });
  expect(run.info.end_time).toBeGreaterThanOrEqual(Number(run.info.start_time));
  expect(valuesOf(run.data.params)).toEqual({ rate: '0.1', layers: '3', shuffle: 'true' });
  expect(valuesOf(run.data.tags)).toMatchObject({
    team: 'docs',
    done: 'yes',
    a: '1',
    b: 'two',
    'mlflow.note.content': 'a try',
    'mlflow.source.type': 'LOCAL',
    'mlflow.runName': 'first',
  });
  expect(valuesOf(run.data.metrics)).toEqual({ loss: 0.2, accuracy: 0.9, recall: NaN });
  const { metrics = [] } = await server.client.metrics.getMetricHistory({ run_id: runId, metric_key: 'loss' });
  expect(metrics.map(({ step, timestamp }) => [step ?? 0, timestamp])).toEqual(
    [0, 1, 2, 3, 4].map((n) => [n, 1_000 + n]),
  );
});

test('whatever asks a server can be given up, and nothing has happened then', async () => {
  await using server = await trackedServer();
  const run = await startRun();
  const reason = new Error('enough');
  const given = { signal: AbortSignal.abort(reason) };
  await run.logMetric('loss', 1);
  const calls = await Promise.allSettled([
    setExperiment('iris', given),
    startRun(given),
    startRun({ ...given, experimentName: 'iris' }, () => undefined),
    registerModel(`runs:/${run.runId}/model`, 'flowers', given),
    run.logText('words', 'a.txt', given),
    run.logDict({ a: 1 }, 'a.yaml', given),
    run.logTable([{ a: 1 }], 'a.json', given),
    run.logImage({ width: 1, height: 1, data: Uint8Array.of(0) }, 'a.png', given),
    run.logFigure('<svg/>', 'a.svg', given),
    run.wait(given),
  ]);
  for (const call of calls) expect(call).toEqual({ status: 'rejected', reason });
  await run.end();
  expect(await run.listArtifacts()).toEqual([]);
  const { client } = server;
  const { runs } = await client.runs.searchRuns({ experiment_ids: ['0'] });
  expect(runs?.map(({ data }) => data.metrics?.length)).toEqual([1]);
  await expect(client.experiments.getExperimentByName({ experiment_name: 'iris' })).rejects.toThrow(MlflowError);
  await expect(client.registeredModels.getRegisteredModel({ name: 'flowers' })).rejects.toThrow(MlflowError);
});

test('a run whose work throws has failed, and the caller gets what was thrown', async () => {
  await using server = await trackedServer();
  let runId = '';
  await expect(
    startRun(async (run) => {
      runId = run.runId;
      await logMetric('loss', 1);
      throw new RangeError('diverged');
    }),
  ).rejects.toThrow(RangeError);
  const { run } = await server.client.runs.getRun({ run_id: runId });
  expect(run.info.status).toBe('FAILED');
  expect(valuesOf(run.data.metrics)).toEqual({ loss: 1 });
});

test('runs that go on at the same time never see each other', async () => {
  await using server = await trackedServer();
  const ids = await Promise.all(
    ['a', 'b', 'c'].map((name) =>
      startRun({ runName: name }, async (run) => {
        for (let step = 0; step < 10; step++) {
          await sleep(0);
          await logMetric('own', name.charCodeAt(0), { step });
        }
        expect(activeRun()).toBe(run);
        await logParam('name', name);
        return run.runId;
      }),
    ),
  );
  for (const [index, name] of ['a', 'b', 'c'].entries()) {
    const { run } = await server.client.runs.getRun({ run_id: ids[index] ?? '' });
    expect(valuesOf(run.data.params)).toEqual({ name });
    expect(valuesOf(run.data.metrics)).toEqual({ own: name.charCodeAt(0) });
  }
  expect(activeRun()).toBeUndefined();
});

test('a run that is handed around is finished at the end of its block, and is nobody’s surroundings', async () => {
  await using server = await trackedServer();
  const { runId } = await (async () => {
    await using run = await startRun({ runName: 'explicit' });
    const { runId } = run;
    expect(activeRun()).toBeUndefined();
    expect(() => logMetric('loss', 1)).toThrow(/No run surrounds this call/);
    await run.logMetric('loss', 0.5);
    await run.wait();
    const { run: now } = await server.client.runs.getRun({ run_id: runId });
    expect(now.info.status).toBe('RUNNING');
    expect(valuesOf(now.data.metrics)).toEqual({ loss: 0.5 });
    await run.setTag('late', 'yes');
    return run;
  })();
  const { run } = await server.client.runs.getRun({ run_id: runId });
  expect(run.info.status).toBe('FINISHED');
  expect(valuesOf(run.data.tags)).toMatchObject({ late: 'yes' });
});

test('a run ends with the status that it is given, once, and takes nothing afterwards', async () => {
  await using server = await trackedServer();
  const run = await startRun();
  await run.end('KILLED');
  await run.end('FINISHED');
  expect(() => run.logMetric('loss', 1)).toThrow(/has ended/);
  expect((await server.client.runs.getRun({ run_id: run.runId })).run.info.status).toBe('KILLED');
});

test('a child names its parent; a second run within a run needs to be one', async () => {
  await using server = await trackedServer();
  await startRun({ runName: 'parent' }, async (parent) => {
    await expect(startRun(async () => undefined)).rejects.toThrow(/\{ nested: true \}/);
    const childId = await startRun({ nested: true }, async (child) => child.runId);
    expect(activeRun()).toBe(parent);
    const { run } = await server.client.runs.getRun({ run_id: childId });
    expect(valuesOf(run.data.tags)).toMatchObject({ 'mlflow.parentRunId': parent.runId });
  });
});

test('a run is gone on with by its id', async () => {
  await using server = await trackedServer();
  const first = await startRun();
  await first.logParam('one', 1);
  await first.end();
  await startRun({ runId: first.runId, tags: { again: 'yes' } }, async (run) => {
    expect((await server.client.runs.getRun({ run_id: run.runId })).run.info.status).toBe('RUNNING');
    await run.logParam('two', 2);
  });
  const { run } = await server.client.runs.getRun({ run_id: first.runId });
  expect(run.info.status).toBe('FINISHED');
  expect(valuesOf(run.data.params)).toEqual({ one: '1', two: '2' });
  expect(valuesOf(run.data.tags)).toMatchObject({ again: 'yes' });
  await server.client.runs.deleteRun({ run_id: first.runId });
  await expect(startRun({ runId: first.runId })).rejects.toThrow(/is deleted/);
});

test('what the server refuses is told at the end, by name, and the rest is there', async () => {
  await using server = await trackedServer();
  const run = await startRun();
  await run.logParam('rate', 1);
  await run.logParam('rate', 2);
  await run.logMetric('loss', 1);
  const failure = await run.end().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(MlflowError);
  expect(failure).toMatchObject({ errorCode: 'INVALID_PARAMETER_VALUE', status: 400 });
  expect(String(failure)).toMatch(/refused the param 'rate'/);
  const { run: read } = await server.client.runs.getRun({ run_id: run.runId });
  expect(read.info.status).toBe('FINISHED');
  expect(valuesOf(read.data.params)).toEqual({ rate: '1' });
  expect(valuesOf(read.data.metrics)).toEqual({ loss: 1 });
});

test('everything that waits is sent on demand', async () => {
  await using server = await trackedServer();
  const runs = await Promise.all([startRun(), startRun()]);
  for (const run of runs) void run.logMetric('loss', 1);
  await flush();
  for (const run of runs) {
    const { run: read } = await server.client.runs.getRun({ run_id: run.runId });
    expect(valuesOf(read.data.metrics)).toEqual({ loss: 1 });
    await run.end();
  }
});

test('twenty thousand points from a loop that waits for nothing all arrive, in order', async () => {
  await using server = await trackedServer();
  const run = await startRun();
  for (let step = 0; step < 20_000; step++) void run.logMetric('loss', step, { step, timestamp: step });
  await run.end();
  const steps: unknown[] = [];
  for await (const { step = 0 } of server.client.metrics.getMetricHistory.all({
    run_id: run.runId,
    metric_key: 'loss',
  })) {
    steps.push(step);
  }
  expect(steps).toEqual(Array.from({ length: 20_000 }, (_, step) => step));
});

test('runs are found by filter and order, over pages', async () => {
  await using server = await trackedServer();
  await setExperiment('many');
  for (let index = 0; index < 7; index++) {
    await startRun({ runName: `run ${index}` }, (run) => run.logMetric('loss', index));
  }
  const found: string[] = [];
  const options = { filter: 'metrics.loss < 5', orderBy: ['metrics.loss DESC'], pageSize: 2 };
  for await (const { info } of searchRuns(options)) found.push(info.run_name);
  expect(found).toEqual(['run 4', 'run 3', 'run 2', 'run 1', 'run 0']);
  const named: string[] = [];
  for await (const { info } of searchRuns({ experimentNames: ['many'], filter: "run_name = 'run 6'" })) {
    named.push(info.run_id);
  }
  expect(named).toHaveLength(1);
  expect(server.url).toContain('127.0.0.1');
});

test('the environment names experiment and run', async () => {
  await using server = await trackedServer();
  vi.stubEnv('MLFLOW_EXPERIMENT_NAME', 'from the environment');
  vi.stubEnv('MLFLOW_RUN_CONTEXT', '{"pipeline":"nightly"}');
  const first = await startRun();
  await first.end();
  const { experiment } = await server.client.experiments.getExperimentByName({
    experiment_name: 'from the environment',
  });
  expect(first.experimentId).toBe(experiment.experiment_id);
  const { run } = await server.client.runs.getRun({ run_id: first.runId });
  expect(valuesOf(run.data.tags)).toMatchObject({ pipeline: 'nightly' });

  vi.stubEnv('MLFLOW_EXPERIMENT_ID', '0');
  await expect(startRun()).rejects.toThrow(/MLFLOW_EXPERIMENT_ID is '0', the experiment 'Default'/);
  vi.stubEnv('MLFLOW_EXPERIMENT_NAME', undefined);
  const second = await startRun();
  expect(second.experimentId).toBe('0');
  await second.end();

  vi.stubEnv('MLFLOW_RUN_ID', second.runId);
  await startRun(async (resumed) => expect(resumed.runId).toBe(second.runId));
  await startRun(async (fresh) => expect(fresh.runId).not.toBe(second.runId));
});

test('in a job, the platform keeps the status of its run', async () => {
  await using server = await trackedServer();
  const { run } = await server.client.runs.createRun({ start_time: 1 });
  const run_id = run.info.run_id;
  await server.client.runs.updateRun({ run_id, status: 'SCHEDULED' });
  vi.stubEnv('AZUREML_RUN_ID', run_id);
  await startRun({ runId: run_id }, (own) => own.logMetric('loss', 1));
  const after = await server.client.runs.getRun({ run_id });
  expect(after.run.info.status).toBe('SCHEDULED');
  expect(valuesOf(after.run.data.metrics)).toEqual({ loss: 1 });
  const other = await startRun({ nested: true });
  await other.end();
  expect((await server.client.runs.getRun({ run_id: other.runId })).run.info.status).toBe('FINISHED');
});

test('many processes may choose an experiment that is not there yet', async () => {
  await using server = await trackedServer();
  const chosen = await Promise.all(Array.from({ length: 8 }, () => setExperiment('shared')));
  expect(new Set(chosen.map(({ experiment_id }) => experiment_id)).size).toBe(1);
  await server.client.experiments.deleteExperiment({ experiment_id: chosen[0]?.experiment_id ?? '' });
  await expect(setExperiment('shared')).rejects.toThrow(/is deleted. Restore it/);
});

test('the load of the machine is logged beside the run', async () => {
  await using server = await trackedServer();
  const run = await startRun({ systemMetrics: { samplingInterval: 0.01, samplesBeforeLogging: 2 } });
  const names = async (): Promise<string[]> => {
    await run.wait();
    const { run: read } = await server.client.runs.getRun({ run_id: run.runId });
    return (read.data.metrics ?? []).map(({ key }) => key);
  };
  await expect
    .poll(names)
    .toEqual(
      expect.arrayContaining([
        'system/cpu_utilization_percentage',
        'system/system_memory_usage_megabytes',
        'system/system_memory_usage_percentage',
        'system/disk_usage_percentage',
        'system/network_receive_megabytes',
      ]),
    );
  await run.end();
});
