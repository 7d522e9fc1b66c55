import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serving, startLazuli } from './lazuli-process.ts';
import { run } from './run-command.ts';
import { sharedServer } from './shared-server.ts';

/**
 * How a command ends that is stopped. Most leave it to the signal, of which shells say 128 and its number; a command that
 * passes it on to a program ends as that does; a server stops in good order, which is no failure.
 */
const shared = sharedServer();
const start = (...args: string[]) => startLazuli(args, { cwd: shared.folder, env: { HOME: shared.folder } });

async function ended(child: ChildProcess) {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new TypeError('Its streams are pipes.');
  const [[status, signal], out, err] = await Promise.all([
    once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>,
    textOf(stdout),
    textOf(stderr),
  ]);
  return { status, signal, stdout: out, stderr: err };
}

/** Stands before the server, gives half of each file, and then nothing more. */
describe('while it waits for a server', () => {
  const content = 'x'.repeat(3_000_000);
  let front: Server;
  let url: string;
  let stall: () => void;
  const stalled = () => new Promise<void>((resolve) => (stall = resolve));
  beforeAll(async () => {
    front = createServer((request, response) => {
      const isList = request.url?.includes('runs/search') === true;
      if (isList || request.url?.endsWith('/report.bin') === true) {
        const length = String(isList ? 100 : content.length);
        response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': length, etag: '"1"' });
        response.write(isList ? '{' : content.slice(content.length / 2), () => stall());
        return;
      }
      const { method = 'GET', headers } = request;
      const kind = { 'content-type': headers['content-type'] ?? 'application/json' };
      void fetch(shared.url + (request.url ?? ''), { method, headers: kind }).then(async (answer) => {
        response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
        response.end(await answer.text());
      });
    });
    await new Promise<void>((done) => front.listen(0, '127.0.0.1', done));
    url = `http://127.0.0.1:${(front.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    front.closeAllConnections();
    front.close();
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('a command ends by %s, without a word', async (signal) => {
    const waiting = stalled();
    const listing = start('runs', 'list', '-x', '0', '--url', url);
    const end = ended(listing);
    await waiting;
    listing.kill(signal);
    expect(await end).toEqual({ status: null, signal, stdout: '', stderr: '' });
  });

  test('a download leaves what came beside the name of the file, never under it, and goes on later', async () => {
    const { run: made } = await shared.client.runs.createRun({ experiment_id: '0', start_time: 0 });
    const { run_id, artifact_uri } = made.info;
    const root = artifact_uri.replace(/^mlflow-artifacts:/, '/api/2.0/mlflow-artifacts/artifacts');
    const put = await fetch(`${shared.url}${root}/report.bin`, { method: 'PUT', body: content });
    expect(put.status).toBe(200);
    const waiting = stalled();
    const download = (at: string) => [
      'artifacts',
      'download',
      '-r',
      run_id,
      '-a',
      'report.bin',
      '-d',
      'got',
      '--url',
      at,
    ];
    const downloading = start(...download(url));
    const end = ended(downloading);
    await waiting;
    const folder = join(shared.folder, 'got');
    const part = join(folder, 'report.bin.part');
    await expect.poll(() => statSync(part, { throwIfNoEntry: false })?.size ?? 0).toBeGreaterThan(0);
    downloading.kill('SIGINT');
    expect(await end).toMatchObject({ status: null, signal: 'SIGINT', stdout: '' });
    expect(readdirSync(folder).toSorted()).toEqual(['report.bin.part', 'report.bin.part.etag']);
    expect(await run(download(shared.url), { cwd: shared.folder })).toMatchObject({ status: 0 });
    expect(readFileSync(join(folder, 'report.bin'), 'utf8') === content).toBe(true);
    expect(readdirSync(folder)).toEqual(['report.bin']);
  });
});

describe('lazuli job', () => {
  const waiting = `console.log('begun'); setInterval(() => undefined, 1000)`;
  const runAs = (experiment: string) =>
    start('job', 'run', '--url', shared.url, '--experiment-name', experiment, '--', process.execPath, '-e', waiting);
  const statusOf = async (name: string) => {
    const { experiment } = await shared.client.experiments.getExperimentByName({ experiment_name: name });
    const { runs = [] } = await shared.client.runs.searchRuns({ experiment_ids: [experiment.experiment_id] });
    return { id: runs[0]?.info.run_id ?? '', status: runs[0]?.info.status };
  };

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('run passes %s on, ends with status %i, and the run is killed', async (signal, status) => {
    const job = runAs(signal);
    const end = ended(job);
    await once(job.stdout ?? job, 'data');
    job.kill(signal);
    expect(await end).toMatchObject({ status, signal: null, stderr: expect.stringContaining('KILLED') as string });
    expect(await statusOf(signal)).toMatchObject({ status: 'KILLED' });
  });

  test('run leaves Ctrl-C at a terminal to the terminal, which sends it to the program itself', async () => {
    const counting = `let count = 0; process.on('SIGINT', () => (count += 1)); process.on('SIGTERM', () => process.exit(count));
      console.log('begun'); setInterval(() => undefined, 1000)`;
    const atTerminal = { HOME: shared.folder, NODE_OPTIONS: '--import=data:text/javascript,process.stdin.isTTY=true' };
    const args = ['job', 'run', '--url', shared.url, '--experiment-name', 'terminal', '--'];
    const job = startLazuli([...args, process.execPath, '-e', counting], { cwd: shared.folder, env: atTerminal });
    const end = ended(job);
    await once(job.stdout ?? job, 'data');
    job.kill('SIGINT');
    job.kill('SIGTERM');
    expect(await end).toMatchObject({ status: 0, stderr: expect.stringContaining('FINISHED') as string });
  });

  test('stream ends by Ctrl-C, and the job goes on', async () => {
    const job = runAs('followed');
    const end = ended(job);
    await once(job.stdout ?? job, 'data');
    const { id } = await statusOf('followed');
    const following = start('job', 'stream', '-n', id, '--url', shared.url);
    const stopped = ended(following);
    await once(following.stdout ?? following, 'data');
    following.kill('SIGINT');
    expect(await stopped).toMatchObject({ status: null, signal: 'SIGINT', stdout: 'begun\n' });
    expect(await statusOf('followed')).toMatchObject({ status: 'RUNNING' });
    job.kill('SIGTERM');
    await end;
  });
});

test('lazuli serve that is asked to stop has done what it was asked: status 0', async () => {
  await using server = await serving(['--data-dir', 'another'], { cwd: shared.folder });
  server.kill('SIGINT');
  expect(await server.end).toMatchObject({ status: 0 });
});
