import { mkdir, readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { createClient, type Client } from '@lazuli/client';
import { output } from '../environments.mjs';
import { check } from './checks.ts';
import { node24 } from './installed.ts';

interface Locked {
  readonly url: string;
  readonly token: string;
}

/** A server as README.md starts it: whoever is on this machine may do everything. */
interface Open {
  readonly url: string;
  readonly dataDir: string;
  readonly lazuli: string;
}

const root = join(import.meta.dirname, '../..');

/** The TypeScript of README.md, pasted into the folder with the installed tarballs, with each kind of tracking URI. */
export async function runReadme(folder: string, locked: Locked, open: Open): Promise<void> {
  const text = await readFile(join(root, 'README.md'), 'utf8');
  const program = [...text.matchAll(/^```ts\n(.*?)^```$/gms)]
    .map(([, lines = '']) => lines)
    .find((lines) => lines.includes('startRun('));

  async function run(
    uri: string,
    experiment: string,
    client: Client,
    environment: Readonly<Record<string, string>>,
  ): Promise<void> {
    if (program?.includes("'first steps'") !== true)
      throw new Error('README.md has no program that logs to first steps');
    const pasted = program
      .replace("'http://127.0.0.1:5000'", JSON.stringify(uri))
      .replace("'first steps'", JSON.stringify(experiment));
    const file = join(folder, 'train.mts');
    await writeFile(file, pasted);
    const home = join(folder, 'home');
    await mkdir(home, { recursive: true });
    const said = await output(node24, [file], { cwd: folder, env: { ...bare(), HOME: home, ...environment } });
    if (!said.split('\n').includes('from TypeScript')) throw new Error(`it printed: ${said}`);
    const { experiment: found } = await client.experiments.getExperimentByName({ experiment_name: experiment });
    const { runs = [] } = await client.runs.searchRuns({ experiment_ids: [found.experiment_id] });
    const [one] = runs;
    if (one?.info.status !== 'FINISHED' || one.data.params?.[0]?.value !== '0.1') throw new Error(JSON.stringify(runs));
    const { files } = await client.artifacts.listArtifacts({ run_id: one.info.run_id, path: 'notes' });
    if (files?.[0]?.path !== 'notes/today.txt') throw new Error(JSON.stringify(files));
  }

  const lockedClient = createClient(locked);
  await check('README.md, with http://', () =>
    run(locked.url, 'readme http', lockedClient, { MLFLOW_TRACKING_TOKEN: locked.token }),
  );
  await check('README.md, with azureml:// and what `lazuli env` prints', async () => {
    const words = [open.lazuli, 'env', '--url', open.url, '--data-dir', open.dataDir];
    const printed = await output(node24, words, {
      cwd: folder,
      env: { ...bare(), XDG_CACHE_HOME: join(folder, 'cache') },
    });
    const variables = Object.fromEntries(
      [...printed.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name = '', value = '']) => [name, value]),
    );
    const { MLFLOW_TRACKING_URI: uri = '', ...others } = variables;
    if (!uri.startsWith('azureml://')) throw new Error(printed);
    await run(uri, 'readme azureml', createClient({ url: open.url }), others);
  });
  await check('README.md, with databricks, against a service of its shape', async () => {
    const databricks = await startDatabricks(locked);
    try {
      await run('databricks', '/Shared/readme', lockedClient, {
        DATABRICKS_HOST: databricks.url,
        DATABRICKS_TOKEN: 'dapi-1',
      });
    } finally {
      databricks.close();
    }
  });
}

/** Nothing of this process that would name a server or sign in. */
function bare(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(AZURE|MSI|IDENTITY|MLFLOW|DATABRICKS|REQUESTS|SSL|LAZULI)/.test(name),
    ),
  );
}

/** A workspace of Databricks as a client sees it: below `/api`, behind a personal token, experiments named by path. */
async function startDatabricks({ url, token }: Locked): Promise<{ url: string; close: () => void }> {
  const service = http.createServer((request, response) => {
    if (request.headers.authorization !== 'Bearer dapi-1' || request.url?.startsWith('/api/') !== true) {
      response.writeHead(403).end('{"error_code": "PERMISSION_DENIED", "message": "Invalid access token."}');
      return;
    }
    const { host: _host, ...headers } = request.headers;
    const given = { method: request.method ?? 'GET', headers: { ...headers, authorization: `Bearer ${token}` } };
    const forwarded = http.request(url + request.url, given, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    request.pipe(forwarded);
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(service.address() as AddressInfo).port}`,
    close() {
      service.close();
      service.closeAllConnections();
    },
  };
}
