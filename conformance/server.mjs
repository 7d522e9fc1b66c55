// Starts the server under test as a user would: the command, a free port, an empty data directory.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pythonEnvironment } from './environments.mjs';

const root = join(import.meta.dirname, '..');
const startLimitMs = 30_000;
const stopLimitMs = 10_000;

/** A running server: its address, what its log complains about, and `stop`. */
export async function startServer(folder, { flags = [], environment = {} } = {}) {
  const node = join(root, 'node_modules', '.bin', 'node');
  if (!existsSync(node)) throw new Error("the project is not installed: run 'npm ci' first");
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const logFile = join(folder, 'server.log');
  const log = openSync(logFile, 'w');
  const args = [
    'packages/cli/bin/lazuli.js',
    'serve',
    '--port',
    String(port),
    // The usual one is counted from the other, and may be somebody's.
    '--tls-port',
    String(await freePort()),
    '--data-dir',
    join(folder, 'data'),
    ...flags,
  ];
  const child = spawn(node, args, { cwd: root, env: { ...process.env, ...environment }, stdio: ['ignore', log, log] });
  closeSync(log);
  const ended = new Promise((resolve) => child.on('close', resolve).on('error', resolve));
  const logTail = () => complaints(readFileSync(logFile, 'utf8'));

  async function stop() {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), stopLimitMs);
    await ended;
    clearTimeout(late);
  }

  for (const limit = Date.now() + startLimitMs; Date.now() < limit; await sleep(100)) {
    if (child.exitCode !== null || child.signalCode !== null) break;
    if (await isWell(url)) return { url, dataDir: join(folder, 'data'), logTail, stop };
  }
  await stop();
  throw new Error(`the server did not answer ${url}/health within ${startLimitMs / 1000} s:\n${logTail()}`);
}

/** The last lines of a log that are no everyday ones: structured lines from `warn` (40) on, and everything unstructured. */
function complaints(log) {
  const everyday = (line) => {
    try {
      return JSON.parse(line).level < 40;
    } catch {
      return false;
    }
  };
  return log
    .trimEnd()
    .split('\n')
    .filter((line) => !everyday(line))
    .slice(-30)
    .join('\n');
}

/** MLflow's own server, of the pinned Python environment: its address and `stop`. */
export async function startMlflow(folder) {
  const python = await pythonEnvironment('python3');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const store = ['--backend-store-uri', `sqlite:///${join(folder, 'mlflow.db')}`];
  const files = ['--artifacts-destination', join(folder, 'mlflow-artifacts')];
  const args = ['server', '--port', String(port), '--workers', '1', ...store, ...files];
  const environment = {
    ...process.env,
    DO_NOT_TRACK: 'true',
    MLFLOW_DISABLE_TELEMETRY: 'true',
    PYTHONDONTWRITEBYTECODE: '1',
  };
  // A group of its own: the command starts further processes, and all of them must end.
  const child = spawn(python, ['-m', 'mlflow', ...args], {
    cwd: folder,
    env: environment,
    stdio: 'ignore',
    detached: true,
  });
  const ended = new Promise((resolve) => child.on('close', resolve).on('error', resolve));
  const stop = async () => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
    await ended;
  };
  for (const limit = Date.now() + 120_000; Date.now() < limit && child.exitCode === null; await sleep(200)) {
    if (await isWell(url)) return { url, stop };
  }
  await stop();
  throw new Error(`MLflow's server does not answer ${url}/health`);
}

export async function isWell(url) {
  try {
    return (await fetch(`${url}/health`)).ok;
  } catch {
    return false;
  }
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
