import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createClient } from '@lazuli/client';
import { aFolder, serving } from './lazuli-process.ts';
import { run } from './run-command.ts';

/** Logs a metric with nothing but what is in its environment, by plain MLflow's address of the same server. */
const program = (url: string, end: string): string => `
  const { MLFLOW_RUN_ID: run_id, MLFLOW_TRACKING_TOKEN: token } = process.env;
  const body = JSON.stringify({ run_id, key: 'm', value: 0.5, timestamp: 1 });
  const headers = { 'content-type': 'application/json', authorization: 'Bearer ' + token };
  const { status } = await fetch('${url}/api/2.0/mlflow/runs/log-metric', { method: 'POST', headers, body });
  console.log('logged', status, process.env.MLFLOW_TRACKING_URI.slice(0, 10), process.env.AZUREML_ARM_WORKSPACE_NAME);
  ${end}`;

describe('lazuli job run', () => {
  test('gives a program its run, ends that with it, and keeps what it wrote', async () => {
    using folder = aFolder();
    await using server = await serving([], { cwd: folder.path });
    const client = createClient({ url: server.url });
    const around = { cwd: folder.path, env: { HOME: folder.path } };
    const ends: readonly (readonly [string, string, number])[] = [
      ['', 'FINISHED', 0],
      ['process.exit(3)', 'FAILED', 3],
      ["process.kill(process.pid, 'SIGTERM'); await new Promise((r) => setTimeout(r, 10_000))", 'KILLED', 143],
    ];
    for (const [end, runStatus, exitStatus] of ends) {
      const code = program(server.url, end);
      const options = ['--url', server.url, '--experiment-name', runStatus, '--display-name', 'a job'];
      const { status, stderr } = await run(
        ['job', 'run', ...options, '--', process.execPath, '--input-type=module', '-e', code],
        around,
      );
      expect([status, stderr]).toEqual([exitStatus, expect.stringContaining(runStatus)]);
      const { experiment } = await client.experiments.getExperimentByName({ experiment_name: runStatus });
      const { runs = [] } = await client.runs.searchRuns({ experiment_ids: [experiment.experiment_id] });
      expect(runs).toMatchObject([
        { info: { status: runStatus, run_name: 'a job' }, data: { metrics: [{ value: 0.5 }] } },
      ]);
      const log = await fetch(
        `${server.url}/get-artifact?run_id=${runs[0]?.info.run_id ?? ''}&path=user_logs/std_log.txt`,
      );
      expect(await log.text()).toContain('logged 200 azureml:// default');
    }
  });
});

describe('lazuli session', () => {
  test('runs a program that finds the workspace in its environment, and ends as it ends', async () => {
    using folder = aFolder();
    await using server = await serving([], { cwd: folder.path });
    const seen = join(folder.path, 'seen');
    const code = `require('fs').writeFileSync(process.argv[1], [process.env.MLFLOW_TRACKING_URI, process.env.IDENTITY_HEADER].join(' ')); process.exit(4)`;
    const { status } = await run(['session', '--url', server.url, '--', process.execPath, '-e', code, seen], {
      cwd: folder.path,
      env: { HOME: folder.path },
    });
    expect([status, readFileSync(seen, 'utf8')]).toEqual([4, expect.stringMatching(/^azureml:\/\/.* lzm_/)]);
  });
});
