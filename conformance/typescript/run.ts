import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { count, relay } from '../runtimes/checks.ts';
import { output } from '../environments.mjs';
import { startMlflow, startServer } from '../server.mjs';

/** The suite of the client on three servers, each with nothing but an address. */
const [temporary = ''] = process.argv.slice(2);
const root = join(import.meta.dirname, '../..');
const node = join(root, 'node_modules/.bin/node');
const bare = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(AZURE|MSI|IDENTITY|DATABRICKS|REQUESTS|SSL|LAZULI)|^MLFLOW_(TRACKING|REGISTRY)/.test(name),
  ),
);

async function suite(label: string, variables: Readonly<Record<string, string>>): Promise<void> {
  const command = [node, '--conditions=lazuli', join(import.meta.dirname, 'suite.ts'), label, join(temporary, label)];
  await relay(label, command, { cwd: temporary, env: { ...bare, ...variables } });
}

const lazuliFolder = join(temporary, 'lazuli');
const mlflowFolder = join(temporary, 'mlflow');
for (const path of [lazuliFolder, mlflowFolder]) await mkdir(path, { recursive: true });
const [lazuli, mlflow] = await Promise.all([startServer(lazuliFolder), startMlflow(mlflowFolder)]);
try {
  await suite('Lazuli', { MLFLOW_TRACKING_URI: lazuli.url });
  const words = [join(root, 'packages/cli/bin/lazuli.js'), 'env', '--url', lazuli.url, '--data-dir', lazuli.dataDir];
  const printed = await output(node, words, { env: { ...bare, XDG_CACHE_HOME: join(temporary, 'cache') } });
  const found = [...printed.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name = '', value = '']) => [name, value]);
  await suite('Azure ML', Object.fromEntries(found) as Record<string, string>);
  await suite('MLflow', { MLFLOW_TRACKING_URI: mlflow.url });
} finally {
  await Promise.all([lazuli.stop(), mlflow.stop()]);
}
process.exitCode = count.failed === 0 ? 0 : 1;
