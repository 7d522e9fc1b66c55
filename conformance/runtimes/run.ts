import { execFile, spawn } from 'node:child_process';
import { copyFile, mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { npmEnvironment } from '../environments.mjs';
import { runInBrowser } from './browser.ts';
import { check, count, relay, skip } from './checks.ts';
import { checkDeclarations } from './declarations.ts';
import { findRuntimes, installTarballs, node24 } from './installed.ts';
import { runReadme } from './readme.ts';

/**
 * The tarballs of the client and of the command in an empty folder: the server from there, and the client against it in
 * each runtime, in a browser, and as README.md shows it.
 */
const [temporary = ''] = process.argv.slice(2);
const onnxRuntime = 'onnxruntime-node@1.30.0';

let folder = '';
await check('the tarballs install in an empty folder, without a registry', async () => {
  folder = await installTarballs(temporary);
  for (const name of ['@lazuli/client', 'lazuli']) {
    const notices = join(folder, 'node_modules', name, 'dist/THIRD-PARTY-NOTICES.txt');
    if (!(await readFile(notices, 'utf8')).includes('yaml')) throw new Error(`${notices} does not name yaml`);
    await readFile(join(folder, 'node_modules', name, 'LICENSE'));
  }
});
const lazuli = join(folder, 'node_modules/lazuli/bin/lazuli.js');
const dataDir = join(temporary, 'data');

let url = '';
let token = '';
let stop = async (): Promise<void> => undefined;
await check('the command that was installed makes a token and serves', async () => {
  const words = [lazuli, 'token', 'create', '--data-dir', dataDir, '--role', 'Owner'];
  // Its secret alone goes to stdout.
  token = (await promisify(execFile)(node24, words, { cwd: folder })).stdout.trim();
  ({ url, stop } = await serve(dataDir, '--auth', 'entra'));
});

try {
  if (count.failed === 0) await runAll();
} finally {
  await stop();
}
process.exitCode = count.failed === 0 ? 0 : 1;

async function runAll(): Promise<void> {
  for (const name of ['program.mjs', 'onnx-model.mjs']) {
    await copyFile(join(import.meta.dirname, name), join(folder, name));
  }
  const hasOnnx = await withOnnxRuntime();
  const runtimes = await findRuntimes(skip);
  // Two at a time, or half of the machine waits.
  const rest = runtimes.values();
  const worker = async (): Promise<void> => {
    for (const { name, command } of rest) {
      const own = join(temporary, name);
      await mkdir(own, { recursive: true });
      const given = { RUNTIME: name, SERVER: url, FOLDER: own, MLFLOW_TRACKING_TOKEN: token };
      await relay(name, [...command, join(folder, 'program.mjs')], {
        cwd: folder,
        env: { ...process.env, ...given, ...(hasOnnx ? { WITH_ONNX: '1' } : {}) },
      });
    }
  };
  await Promise.all([worker(), worker()]);
  await runInBrowser(folder, url, token);
  await checkDeclarations(folder);
  const open = { dataDir: join(temporary, 'open-data'), lazuli };
  const { url: openUrl, stop: stopOpen } = await serve(open.dataDir);
  try {
    await runReadme(folder, { url, token }, { url: openUrl, ...open });
  } finally {
    await stopOpen();
  }
}

/** It is a peer, which those install who load models. */
async function withOnnxRuntime(): Promise<boolean> {
  try {
    const modules = join(await npmEnvironment('onnxruntime', [onnxRuntime]), 'node_modules');
    await symlink(join(modules, 'onnxruntime-node'), join(folder, 'node_modules/onnxruntime-node'));
    return true;
  } catch (error) {
    skip('onnxruntime-node runs a model', String(error));
    return false;
  }
}

/** The command that was installed, on free ports. */
async function serve(data: string, ...flags: readonly string[]): Promise<{ url: string; stop: () => Promise<void> }> {
  const words = [lazuli, 'serve', '--port', '0', '--tls-port', '0', '--data-dir', data, ...flags];
  const child = spawn(node24, words, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  for (let tries = 0; tries < 300 && child.exitCode === null; tries++) {
    const address = /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0];
    const isWell = address !== undefined && (await fetch(`${address}/health`).catch(() => undefined))?.ok === true;
    if (isWell) {
      return {
        url: address,
        async stop() {
          child.kill();
          await ended;
        },
      };
    }
    await sleep(100);
  }
  child.kill();
  throw new Error(`the server does not answer:\n${said}`);
}
