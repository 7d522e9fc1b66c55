/**
 * `npm run examples`: starts the server as a user does, with `npm start`, runs each program of `examples/` against it and
 * looks for what it should have logged. One line a check; the last one is `N passed, N failed`.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client, type Run } from '@lazuli/client';

const root = join(import.meta.dirname, '..');
const startLimitMs = 60_000;
const exampleLimitMs = 5 * 60_000;

interface Example {
  readonly file: string;
  readonly command: (url: string) => Promise<readonly [program: string, ...args: string[]]>;
  /** The run that it logs. */
  readonly runName: string;
  readonly metric: string;
  readonly points: number;
  readonly artifacts: readonly string[];
}

const examples: readonly Example[] = [
  {
    file: 'examples/curl.sh',
    command: async () => ['bash', 'examples/curl.sh'],
    runName: 'from curl',
    metric: 'loss',
    points: 3,
    artifacts: ['note.txt'],
  },
  {
    file: 'examples/typescript/log-a-run.ts',
    command: async () => [join(root, 'node_modules/.bin/node'), 'examples/typescript/log-a-run.ts'],
    runName: 'from TypeScript',
    metric: 'loss',
    points: 3,
    artifacts: [],
  },
  {
    file: 'examples/typescript/train.ts',
    command: async () => [join(root, 'node_modules/.bin/node'), 'examples/typescript/train.ts'],
    runName: 'least squares',
    metric: 'loss',
    points: 50,
    artifacts: ['predictions.json', 'summary.txt'],
  },
  {
    file: 'examples/job.yml',
    command: async () => [
      join(root, 'node_modules/.bin/node'),
      ...['packages/cli/bin/lazuli.js', 'job', 'create', '-f', 'examples/job.yml', '--stream'],
    ],
    runName: 'least squares, as a job',
    metric: 'loss',
    points: 50,
    artifacts: ['predictions.json', 'summary.txt', 'user_logs'],
  },
  {
    file: 'examples/python/train.py',
    command: async () => [await pythonWithMlflow(), 'examples/python/train.py'],
    runName: 'sgd',
    metric: 'train/loss',
    points: 30,
    artifacts: ['loss.png', 'predictions.json'],
  },
  {
    file: 'examples/python/register.py',
    command: async () => [await pythonWithMlflow(), 'examples/python/register.py'],
    runName: 'logistic',
    metric: 'accuracy',
    points: 1,
    artifacts: [],
  },
  {
    file: 'the model in README.md',
    command: async (url) => [await pythonWithMlflow(), '-c', await readmeLines('registered_model_name', url)],
    runName: 'irises',
    metric: 'accuracy',
    points: 1,
    artifacts: [],
  },
];

const count = { passed: 0, failed: 0 };

async function check(what: string, work: () => Promise<string | undefined>): Promise<void> {
  const problem = await work().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
  if (problem === undefined) {
    count.passed += 1;
    console.log(`ok - ${what}`);
  } else {
    count.failed += 1;
    console.log(`not ok - ${what}\n${problem.replace(/^/gm, '    ')}`);
  }
}

/** The Python of the conformance runs, whose environment has all that the example needs. */
async function pythonWithMlflow(): Promise<string> {
  const module = new URL('../conformance/environments.mjs', import.meta.url).href;
  const { pythonEnvironment } = (await import(module)) as { pythonEnvironment: (name: string) => Promise<string> };
  return pythonEnvironment('python3');
}

/** The program in README.md that has a word in it, with the address of this server. */
async function readmeLines(word: string, url: string): Promise<string> {
  const text = await readFile(join(root, 'README.md'), 'utf8');
  const programs = [...text.matchAll(/^```python\n(.*?)^```$/gms)].map(([, lines = '']) => lines);
  const found = programs.find((lines) => lines.includes(word));
  if (found === undefined) throw new Error(`README.md has no program with ${word}`);
  return found.replaceAll('http://127.0.0.1:5000', url);
}

interface Started {
  readonly url: string;
  /** Asks it to stop and gives its exit code. */
  readonly stop: () => Promise<number | null>;
}

function startServer(dataDir: string): Promise<Started> {
  const child = spawn('npm', ['start', '--', '--port', '0', '--data-dir', dataDir, '--log-level', 'warn'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = endOf(child);
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`npm start said within ${startLimitMs / 1000} s nothing about where it listens`));
    }, startLimitMs);
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      const [, url] = /listens on (http:\/\/\S+)/.exec(said) ?? [];
      if (url === undefined) return;
      clearTimeout(late);
      resolve({
        url,
        stop: () => {
          child.kill('SIGTERM');
          return ended;
        },
      });
    });
    ended.then((status) => reject(new Error(`npm start ended with ${status}: ${said}`)), reject);
  });
}

function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
}

/** Runs a program to its end; what it said is the problem where it failed. */
async function run([program, ...args]: readonly [string, ...string[]], uri: string): Promise<string | undefined> {
  const child = spawn(program, args, {
    cwd: root,
    env: { ...process.env, MLFLOW_TRACKING_URI: uri, MLFLOW_DISABLE_TELEMETRY: 'true', DO_NOT_TRACK: 'true' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: exampleLimitMs,
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()));
  const status = await endOf(child);
  return status === 0 ? undefined : `${program} ended with ${status}:\n${said.slice(-3000)}`;
}

async function findRun(client: Client, runName: string): Promise<Run | undefined> {
  const { experiments = [] } = await client.experiments.searchExperiments({ max_results: 100 });
  const { runs = [] } = await client.runs.searchRuns({
    experiment_ids: experiments.map(({ experiment_id }) => experiment_id),
    filter: `run_name = '${runName}'`,
  });
  return runs[0];
}

async function loggedBy(client: Client, { runName, metric, points, artifacts }: Example): Promise<string | undefined> {
  const found = await findRun(client, runName);
  if (found === undefined) return `there is no run '${runName}'`;
  const { run_id, status } = found.info;
  if (status !== 'FINISHED') return `its run is ${status}`;
  const { metrics = [] } = await client.metrics.getMetricHistory({ run_id, metric_key: metric });
  if (metrics.length !== points) return `${metric} has ${metrics.length} points, not ${points}`;
  const { files = [] } = await client.artifacts.listArtifacts({ run_id });
  const absent = artifacts.filter((name) => !files.some(({ path }) => path === name));
  return absent.length === 0 ? undefined : `it has no artifact ${absent.join(', ')}`;
}

const folder = await mkdtemp(join(tmpdir(), 'lazuli-examples-'));
try {
  let server: Started | undefined;
  await check('npm start: the server says where it listens', async () => {
    server = await startServer(join(folder, 'data'));
    return undefined;
  });
  if (server !== undefined) {
    const { url, stop } = server;
    const client = createClient({ url });
    await check('npm start: a person gets a page with lines to paste', async () => {
      const page = await fetch(url);
      return page.ok && (await page.text()).includes('mlflow.set_tracking_uri') ? undefined : `status ${page.status}`;
    });
    for (const example of examples) {
      await check(`${example.file}: runs to its end`, async () => run(await example.command(url), url));
      await check(`${example.file}: what it logged is there`, () => loggedBy(client, example));
    }
    await check('npm start: the server stops when asked', async () => {
      const status = await stop();
      return status === 0 ? undefined : `exit status ${status}`;
    });
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exitCode = count.failed === 0 ? 0 : 1;
