import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { finished, startLazuli } from './lazuli-process.ts';
import { run } from './run-command.ts';
import { sharedServer } from './shared-server.ts';

const server = sharedServer();

function around(env: Record<string, string> = {}) {
  return {
    cwd: server.folder,
    env: { LAZULI_URL: server.url, HOME: server.folder, PATH: process.env['PATH'] ?? '', ...env },
  };
}

function lazuli(...args: readonly string[]) {
  return run(args, around());
}

function write(name: string, text: string): string {
  const file = join(server.folder, name);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, text);
  return name;
}

/** As a person writes it: it says nothing of server, run, experiment, name, description or tags. */
const script = `
import { logMetric, startRun } from ${JSON.stringify(fileURLToPath(new URL('../../client/src/index.ts', import.meta.url)))};
const [rate, data] = process.argv.slice(2);
console.log('training at', rate, 'on', data, process.env.COLOUR);
await startRun(async (run) => { await run.logMetric('loss', Number(rate)); await run.logText('weights', 'model/weights.txt'); });
`;

const job = `
$schema: https://azuremlschemas.azureedge.net/latest/commandJob.schema.json
type: command
code: ./src
command: >-
  node --conditions=lazuli train.ts \${{inputs.rate}} \${{ inputs.data }}
environment: azureml:sklearn:1
environment_variables:
  COLOUR: red
inputs:
  rate: 0.25
  data:
    type: uri_file
    path: ./data.csv
compute: local
experiment_name: from-yaml
display_name: a first try
description: What the job is about
tags:
  team: red
  cost: 3
`;

describe('lazuli job create, with compute: local', () => {
  test('runs the command with a run that has what the file says, and shows the job', async () => {
    write('src/train.ts', script);
    const created = await lazuli(
      'job',
      'create',
      '-f',
      write('job.yml', job),
      '--name',
      'first',
      '--set',
      'tags.team=blue',
      'tags.kind=try',
    );
    expect(created).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('azureml:sklearn:1 is not used') as string,
    });
    const shown = JSON.parse(created.stdout) as { properties: { run_id: string } };
    expect(shown).toMatchObject({
      name: 'first',
      display_name: 'a first try',
      experiment_name: 'from-yaml',
      description: 'What the job is about',
      status: 'Completed',
      type: 'command',
      compute: 'local',
      tags: { team: 'blue', cost: '3', kind: 'try' },
    });
    const { run } = await server.client.runs.getRun({ run_id: shown.properties.run_id });
    expect(run.info).toMatchObject({ run_name: 'a first try', status: 'FINISHED' });
    expect(run.data.metrics).toMatchObject([{ key: 'loss', value: 0.25 }]);
    expect(run.data.tags).toContainEqual({ key: 'mlflow.note.content', value: 'What the job is about' });

    expect(JSON.parse((await lazuli('job', 'show', '-n', 'first')).stdout)).toEqual(shown);
    const found = await lazuli('job', 'list', '--query', '[].[name, status]', '-o', 'tsv');
    expect(found.stdout).toBe('first\tCompleted\n');
    const streamed = await lazuli('job', 'stream', '-n', run.info.run_id);
    const data = join(server.folder, 'data.csv');
    expect(streamed).toMatchObject({ status: 0, stdout: `training at 0.25 on ${data} red\n` });
    expect((await lazuli('job', 'download', '-n', 'first', '-p', 'got')).status).toBe(0);
    expect(readFileSync(join(server.folder, 'got/artifacts/model/weights.txt'), 'utf8')).toBe('weights');
    expect(existsSync(join(server.folder, 'got/artifacts/user_logs/std_log.txt'))).toBe(true);
    expect(await lazuli('job', 'create', '-f', 'job.yml', '-n', 'first')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('There is a job "first" already') as string,
    });
  });

  test('shows the job also where its command fails, and ends as that ended', async () => {
    const file = write('failing.yml', 'compute: local\nexperiment_name: failing\ncommand: echo no luck >&2; exit 7\n');
    const { status, stdout, stderr } = await lazuli('job', 'create', '-f', file);
    const { name, status: state } = JSON.parse(stdout) as { name: string; status: string };
    expect([status, state]).toEqual([7, 'Failed']);
    expect(stderr).not.toContain('no luck');
    expect(await lazuli('job', 'stream', '-n', name)).toMatchObject({ status: 1, stdout: 'no luck\n' });
  });

  test('is not canceled by its name: it ends with its process', async () => {
    const fields = { compute: 'local', name: 'ended', experiment_name: 'ended', command: 'true' };
    await lazuli('job', 'create', '-f', write('ended.yml', JSON.stringify(fields)));
    expect(await lazuli('job', 'cancel', '-n', 'ended')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(
        'The job ended is Completed. A job of a server of Lazuli ends with its process',
      ) as string,
    });
    expect(await lazuli('job', 'cancel', '-n', 'none')).toMatchObject({ status: 3 });
  });

  test('says that an environment which the file describes is not used', async () => {
    const fields = {
      compute: 'local',
      experiment_name: 'described',
      environment: { image: 'ubuntu' },
      command: 'true',
    };
    const created = await lazuli('job', 'create', '-f', write('described.yml', JSON.stringify(fields)));
    expect([created.status, created.stderr]).toEqual([0, expect.stringContaining('the environment is not used')]);
  });

  test('lets others follow what is written while it runs', async () => {
    const wait = `until [ -e ${join(server.folder, 'go on')} ]; do read -t 0.1 < <(:); done`.replace(
      'go on',
      "'go on'",
    );
    const file = write(
      'slow.yml',
      JSON.stringify({
        compute: 'local',
        name: 'slow',
        experiment_name: 'slow',
        command: `echo begun; ${wait}; echo done`,
      }),
    );
    const creating = finished(startLazuli(['job', 'create', '-f', file, '--stream'], around()));
    const known = (): Promise<number> => lazuli('job', 'show', '-n', 'slow').then(({ status }) => status ?? 1);
    while ((await known()) !== 0);
    const following = startLazuli(['job', 'stream', '-n', 'slow'], around());
    const end = finished(following);
    await new Promise<void>((resolve) => following.stdout?.once('data', () => resolve()));
    write('go on', '');
    expect(await end).toMatchObject({ status: 0, stdout: 'begun\ndone\n' });
    const { status, stdout, stderr } = await creating;
    expect([status, (JSON.parse(stdout) as { name: string }).name]).toEqual([0, 'slow']);
    expect(stderr).toContain('begun\ndone\n');
  });

  test.each([
    ['command: x\ncompute: local\npriority: 3', "The job's priority: this field is not known"],
    ['type: pipeline\ncommand: x', 'The job\'s type: "pipeline" is not supported'],
    ['compute: local', "The job's command: it must say what is run"],
    ['command: x\ncompute: azureml:cpu', "The job's compute: a server of Lazuli has no machines"],
    ['command: x\ncompute: local\ndistribution: {type: mpi}', "The job's distribution: it is not supported with"],
    ['command: echo ${{inputs.rate}}\ncompute: local', 'nothing is known for ${{inputs.rate}}'],
    ['command: x\ncompute: local\ntags: {a: [1]}', "The job's tags.a: it must be a text, a number"],
    ['command: x\ncompute: local\nname: a/b', 'name: "a/b" must be letters, digits'],
    ['command: [x', 'is not valid YAML'],
  ])('%j is refused, and names the field', async (text, reason) => {
    const { status, stdout, stderr } = await lazuli('job', 'create', '-f', write('wrong.yml', text));
    expect([status, stdout, stderr]).toEqual([2, '', expect.stringContaining(reason)]);
  });
});
