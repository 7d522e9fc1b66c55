import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/**
 * A server process as a user starts it, on the Node that it needs; this process may be an older one. Given an earlier one
 * that was stopped with `keep`, it is that server again.
 */
export async function startServer(earlier) {
  const dataDir = earlier?.dataDir ?? (await mkdtemp(join(tmpdir(), 'lazuli-client-')));
  const port = earlier?.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const node = join(root, 'node_modules/.bin/node');
  const options = ['--port', String(port), '--data-dir', dataDir, '--log-level', 'silent'];
  const child = spawn(node, ['packages/cli/bin/lazuli.js', 'serve', ...options], { cwd: root, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const stop = async ({ keep = false } = {}) => {
    child.kill();
    await ended;
    if (!keep) await rm(dataDir, { recursive: true, force: true });
  };
  for (let attempt = 0; attempt < 300 && child.exitCode === null; attempt++) {
    const isWell = await fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isWell) return { url, stop, dataDir, port };
    await sleep(100);
  }
  await stop();
  throw new Error(`The server does not answer at ${url}.`);
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
