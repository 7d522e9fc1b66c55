import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../../bench/free-port.ts';
import { hasEnded, startProcess, type OwnedProcess } from '../../bench/owned-process.ts';
import { serverCommand } from '../../packages/server/test/crash/server-process.ts';
import type { Authority } from './certificates.ts';
import { blockOfGuide } from './guide.ts';
import type { Tools } from './tools.ts';

/** Lazuli's processes and the balancer before them, with the guide's files. */
export interface TrackingServer {
  readonly url: string;
  readonly port: number;
  /** The running process; another one after each start. */
  process(): OwnedProcess;
  start(): Promise<void>;
}

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

export interface ServerPlan {
  readonly databaseUrl: string;
  readonly preparedStatements: 'on' | 'off';
  readonly folder: string;
}

export async function startServers(
  count: number,
  plan: ServerPlan,
  undo: AsyncDisposableStack,
): Promise<TrackingServer[]> {
  const config = join(plan.folder, 'lazuli.yaml');
  const settings = await blockOfGuide('yaml', 'public-url', {
    '/srv/lazuli/artifacts': join(plan.folder, 'artifacts'),
    '/var/lib/lazuli': join(plan.folder, 'data'),
  });
  await writeFile(config, settings);
  const ports: number[] = [];
  for (let index = 0; index < count; index++) ports.push(await freePort());
  const servers = ports.map((port) => trackingServer(port, config, plan, undo));
  // All at once: they take turns with the schema.
  await Promise.all(servers.map((server) => server.start()));
  return servers;
}

function trackingServer(port: number, config: string, plan: ServerPlan, undo: AsyncDisposableStack): TrackingServer {
  const url = `http://127.0.0.1:${port}`;
  const [program = '', ...args] = serverCommand();
  const flags = ['--config', config, '--port', String(port), '--database-prepared-statements', plan.preparedStatements];
  let current: OwnedProcess | undefined;
  return {
    url,
    port,
    process() {
      if (current === undefined) throw new Error('It has not been started.');
      return current;
    },
    async start() {
      // The database's URL has a password in it; the environment is the place that the guide names for it.
      const started = startProcess(undo, {
        command: ['env', `LAZULI_DATABASE_URL=${plan.databaseUrl}`, program, ...args, 'serve', ...flags],
        cwd: root,
        logFile: join(plan.folder, `lazuli-${port}.log`),
        ending: { ask: 'SIGTERM', limitMs: 30_000, force: 'SIGKILL' },
      });
      current = started;
      await untilReady(url, started);
    },
  };
}

export async function startBalancer(
  tools: Tools,
  folder: string,
  servers: readonly TrackingServer[],
  authority: Authority,
  undo: AsyncDisposableStack,
): Promise<{ readonly port: number }> {
  const signed = await authority.sign('localhost');
  const pem = join(folder, 'haproxy.pem');
  await writeFile(pem, (await readFile(signed.certificate, 'utf8')) + (await readFile(signed.key, 'utf8')), {
    mode: 0o600,
  });
  const port = await freePort();
  const addresses = servers.map((server, index) => [`127.0.0.1:500${index + 1}`, `127.0.0.1:${server.port}`] as const);
  const text = await blockOfGuide('haproxy', 'backend lazuli', {
    'bind :443': `bind 127.0.0.1:${port}`,
    '/etc/haproxy/mlflow.example.org.pem': pem,
    ...Object.fromEntries(addresses),
  });
  const file = join(folder, 'haproxy.cfg');
  await writeFile(file, text);
  // It warns of what it will not do as written; the guide's file gives no warning.
  const { stdout, stderr } = await run(tools.haproxy, ['-c', '-V', '-f', file]);
  if (/\[(WARNING|ALERT)\]/.test(stdout + stderr))
    throw new Error(`haproxy says of the guide's file:\n${stdout}${stderr}`);
  const balancer = startProcess(undo, {
    command: [tools.haproxy, '-db', '-f', file],
    cwd: folder,
    logFile: join(folder, 'haproxy.log'),
    ending: { ask: 'SIGTERM', limitMs: 5_000, force: 'SIGKILL' },
  });
  await untilReady(`https://localhost:${port}`, balancer);
  return { port };
}

export async function untilReady(url: string, process: OwnedProcess): Promise<void> {
  const limit = performance.now() + 90_000;
  while (performance.now() < limit && !hasEnded(process.child)) {
    const response = await fetch(`${url}/health/ready`).catch(() => undefined);
    await response?.text();
    if (response?.status === 200) return;
    await sleep(100);
  }
  throw new Error(`${url} is not ready:\n${await process.lastWords()}`);
}

/** The command, as a person types it. */
export async function lazuli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }> {
  const [program = '', ...rest] = serverCommand();
  const { PATH = '', HOME = '' } = process.env;
  try {
    const output = await run(program, [...rest, ...args], { cwd: root, env: { PATH, HOME, ...env } });
    return { status: 0, ...output };
  } catch (error) {
    const { code, stdout = '', stderr = String(error) } = error as { code?: number; stdout?: string; stderr?: string };
    return { status: code ?? 1, stdout, stderr };
  }
}
