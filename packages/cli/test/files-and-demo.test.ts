import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { run } from './run-command.ts';
import { sharedServer } from './shared-server.ts';

const server = sharedServer();

function lazuli(...args: readonly string[]) {
  return run(args, { cwd: server.folder, env: { MLFLOW_TRACKING_URI: server.url, HOME: server.folder } });
}

async function json(...args: readonly string[]): Promise<unknown> {
  const { status, stdout, stderr } = await lazuli(...args);
  expect([status, stderr]).toEqual([0, '']);
  return stdout === '' ? undefined : JSON.parse(stdout);
}

function write(name: string, text: string): void {
  const file = join(server.folder, name);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, text);
}

async function aRun(): Promise<string> {
  const { run } = await server.client.runs.createRun({ experiment_id: '0', start_time: 0 });
  return run.info.run_id;
}

describe('lazuli artifacts', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test('uploads a file and a folder, lists them, and brings them back', async () => {
    const id = await aRun();
    write('report.txt', 'all went well');
    write('plots/loss.svg', '<svg/>');
    write('plots/by class/a.svg', '<svg>a</svg>');
    await json('artifacts', 'log-artifact', '-l', 'report.txt', '-r', id);
    await json('artifacts', 'log-artifacts', '-l', 'plots', '-r', id, '-a', 'figures');
    expect(await json('artifacts', 'list', '--run-id', id)).toEqual([
      { path: 'figures', is_dir: true, file_size: null },
      { path: 'report.txt', is_dir: false, file_size: 13 },
    ]);
    expect(await json('artifacts', 'list', '-r', id, '-a', 'figures/by class', '--query', '[].path')).toEqual([
      'figures/by class/a.svg',
    ]);
    const came = await json('artifacts', 'download', '-r', id, '-a', 'figures', '-d', 'back');
    expect(came).toEqual(['by class/a.svg', 'loss.svg'].map((name) => join(server.folder, 'back', name)));
    expect(readFileSync(join(server.folder, 'back/by class/a.svg'), 'utf8')).toBe('<svg>a</svg>');
  });

  test('brings files back in a new temporary folder, of which nothing is left where there are none', async () => {
    const id = await aRun();
    write('report.txt', 'all went well');
    await json('artifacts', 'log-artifact', '-l', 'report.txt', '-r', id);
    mkdirSync(join(server.folder, 'temporary'));
    vi.stubEnv('TMPDIR', join(server.folder, 'temporary'));
    const [single = ''] = (await json('artifacts', 'download', '-u', `runs:/${id}/report.txt`)) as string[];
    expect(readFileSync(single, 'utf8')).toBe('all went well');
    expect((await lazuli('artifacts', 'download', '-r', id, '-a', 'absent')).status).not.toBe(0);
    expect((await lazuli('artifacts', 'download', '-r', 'absent')).status).not.toBe(0);
    expect(readdirSync(join(server.folder, 'temporary'))).toEqual([basename(dirname(single))]);
  });

  test.each([
    [['artifacts', 'download'], 2, 'Give one of --run-id and --artifact-uri.'],
    [['artifacts', 'log-artifact', '-l', 'nowhere', '-r', 'RUN'], 2, 'nowhere is no file.'],
    [['artifacts', 'log-artifacts', '-l', 'report.txt', '-r', 'RUN'], 2, 'is no folder.'],
    [['artifacts', 'list', '-r', '0123456789abcdef0123456789abcdef'], 3, '0123456789abcdef0123456789abcdef'],
  ])('%j ends with the reason', async (args, status, reason) => {
    const id = await aRun();
    const ended = await lazuli(...args.map((arg) => (arg === 'RUN' ? id : arg)));
    expect([ended.status, ended.stdout, ended.stderr]).toEqual([status, '', expect.stringContaining(reason)]);
  });
});

describe('lazuli demo', () => {
  test('fills a server with runs, their curves and a model, which can be looked into', async () => {
    const made = (await json('demo')) as { experiment_id: string; runs: { run_id: string; run_name: string }[] };
    expect(made).toMatchObject({ experiment_name: 'Demo: flowers', registered_model: 'demo-flowers' });
    const ids = [made.experiment_id];
    const { runs = [] } = await server.client.runs.searchRuns({
      experiment_ids: ids,
      order_by: ['metrics.accuracy DESC'],
    });
    expect(runs.map(({ info }) => info.status).toSorted()).toEqual(['FAILED', ...Array<string>(4).fill('FINISHED')]);
    const best = runs.find(({ info }) => info.status === 'FINISHED')?.info;
    const history = await server.client.metrics.getMetricHistory({ run_id: best?.run_id ?? '', metric_key: 'loss' });
    expect(history.metrics).toHaveLength(120);
    expect(await json('model', 'show', '-n', 'demo-flowers', '-l', 'champion', '--query', 'job_name')).toBe(
      best?.run_id,
    );

    const uri = ['-m', 'models:/demo-flowers@champion'];
    expect(await json('models', 'show', ...uri)).toMatchObject({ flavors: { demo: { hidden_units: 64 } } });
    expect(await json('models', 'list-files', ...uri, '--query', '[].path | length(@)')).toBe(1);
    await json('models', 'download', ...uri, '-d', 'champion');
    expect(readFileSync(join(server.folder, 'champion/MLmodel'), 'utf8')).toContain(best?.run_id);
    const [came] = (await json('model', 'download', '-n', 'demo-flowers', '-l', 'champion', '-p', 'all')) as string[];
    expect(came).toBe(join(server.folder, 'all/demo-flowers/MLmodel'));
    expect(await lazuli('models', 'show', '-m', `runs:/${best?.run_id ?? ''}`)).toMatchObject({ status: 3 });
    expect(await lazuli('demo')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("There is an experiment 'Demo: flowers' already") as string,
    });
    expect(await json('demo', '-n', 'another', '--query', 'length(runs)')).toBe(5);
  });
});

describe('lazuli model create', () => {
  test('uploads a folder or file of this machine, and the version has it', async () => {
    write('forest/MLmodel', 'flavors: {}\n');
    write('forest/data/trees.bin', 'trees');
    const created = ['model', 'create', '-n', 'forest.v.2', '--path', './forest', '--type', 'mlflow_model'];
    const version = (await json(...created)) as { version: string; path: string };
    expect(version).toMatchObject({ version: '1', path: expect.stringMatching(/^models:\/m-/) as string });
    await json('models', 'download', '-m', version.path, '-d', 'forest-back');
    expect(readFileSync(join(server.folder, 'forest-back/data/trees.bin'), 'utf8')).toBe('trees');
    const single = ['model', 'create', '-n', 'forest.v.2', '-p', 'forest/data/trees.bin', '-t', 'custom_model'];
    expect(await json(...single, '--query', 'version')).toBe('2');
    const nowhere = await lazuli('model', 'create', '-n', 'other', '-p', './nowhere');
    expect(nowhere).toMatchObject({ status: 2, stderr: expect.stringContaining('there is no ') as string });
    expect(await lazuli('model', 'show', '-n', 'other')).toMatchObject({ status: 3 });
  });
});

describe('lazuli runs resume-log', () => {
  const line = (run_id: string, key: string): string => {
    const body = JSON.stringify({ run_id, metrics: [{ key, value: 1, timestamp: 1, step: 0 }] });
    return `${JSON.stringify({ uri: server.url, path: '/api/2.0/mlflow/runs/log-batch', body })}\n`;
  };

  test('sends what the client has kept, once', async () => {
    const id = await aRun();
    write('kept.jsonl', line(id, 'loss') + line(id, 'accuracy'));
    expect(await json('runs', 'resume-log', 'kept.jsonl')).toEqual({ sent: 2, refused: [] });
    const { run } = await server.client.runs.getRun({ run_id: id });
    expect(run.data.metrics?.map(({ key }) => key).toSorted()).toEqual(['accuracy', 'loss']);
    expect(await lazuli('runs', 'resume-log', 'kept.jsonl')).toMatchObject({ status: 1, stdout: '' });
  });

  test('lists what the server refuses', async () => {
    const id = await aRun();
    write('kept.jsonl', line(id, 'loss') + line(id, 'a\nb'));
    const { status, stdout } = await lazuli('runs', 'resume-log', 'kept.jsonl');
    expect([status, JSON.parse(stdout)]).toMatchObject([1, { sent: 1, refused: [{ line: 2 }] }]);
  });
});
