import { createServer } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@lazuli/client';
import { connectDatabricks } from '@lazuli/client/databricks';
import { expect, onTestFinished, test } from 'vitest';
import { machine, personalToken, startDatabricks, type DatabricksWorkspace } from './databricks-fixture.ts';

function inWorkspace(name: string, body: (workspace: DatabricksWorkspace) => Promise<void>): void {
  test(name, async () => {
    await using workspace = await startDatabricks();
    await body(workspace);
  });
}

/** A home folder with this configuration, for one test. */
function homeWith(config: string): { HOME: string } {
  const HOME = mkdtempSync(join(tmpdir(), 'lazuli-databricks-'));
  onTestFinished(() => rmSync(HOME, { recursive: true }));
  writeFileSync(join(HOME, '.databrickscfg'), config);
  return { HOME };
}

async function logARun(uri: string, environment: Record<string, string>): Promise<string> {
  const client = createClient(await connectDatabricks(uri, { environment }));
  const { experiment_id } = await client.experiments.createExperiment({
    name: '/Users/ada@example.org/iris-classifier',
  });
  const { run } = await client.runs.createRun({ experiment_id, start_time: 1 });
  await client.runs.logMetric({ run_id: run.info.run_id, key: 'loss', value: 0.5, timestamp: 1 });
  return run.info.run_id;
}

inWorkspace('databricks is the workspace of the environment, by a personal token', async ({ url, server }) => {
  const run_id = await logARun('databricks', { DATABRICKS_HOST: `${url}/`, DATABRICKS_TOKEN: personalToken });
  const { run } = await server.client.runs.getRun({ run_id });
  expect(run.data.metrics).toMatchObject([{ key: 'loss', value: 0.5 }]);
});

inWorkspace('databricks is the profile DEFAULT where the environment names no workspace', async ({ url }) => {
  const home = homeWith(
    `; written by hand\n[DEFAULT]\nhost = ${url}\ntoken=${personalToken}\n\n[other]\nhost = https://other.example.org\n`,
  );
  expect(await logARun('databricks', home)).toBeTruthy();
});

inWorkspace('a profile that is named comes before the environment', async ({ url }) => {
  const home = homeWith(
    `[DEFAULT]\nhost = https://other.example.org\n[ml team]\nhost = ${url}\ntoken = ${personalToken}\n`,
  );
  const environment = { ...home, DATABRICKS_HOST: 'https://other.example.org', DATABRICKS_TOKEN: 'other' };
  expect(await logARun('databricks://ml team', environment)).toBeTruthy();
});

inWorkspace(
  'a service principal signs in by OAuth with the first request, and once',
  async ({ url, tokenRequests }) => {
    const environment = {
      DATABRICKS_HOST: url,
      DATABRICKS_CLIENT_ID: machine.id,
      DATABRICKS_CLIENT_SECRET: machine.secret,
    };
    await connectDatabricks('databricks', { environment });
    expect(tokenRequests()).toBe(0);
    await logARun('databricks', environment);
    expect(tokenRequests()).toBe(1);
  },
);

inWorkspace('a secret that is wrong is a refusal that does not repeat it', async ({ url }) => {
  const home = homeWith(`[sp]\nhost = ${url}\nclient_id = ${machine.id}\nclient_secret = wrong-secret\n`);
  const refusal = logARun('databricks://sp', home);
  await expect(refusal).rejects.toThrow(`${url} refused: invalid_client.`);
  await expect(refusal).rejects.toMatchObject({ errorCode: 'UNAUTHENTICATED' });
});

inWorkspace('user name and password sign in', async ({ url }) => {
  const environment = { DATABRICKS_HOST: url, DATABRICKS_USERNAME: 'ada', DATABRICKS_PASSWORD: 'lovelace' };
  expect(await logARun('databricks', environment)).toBeTruthy();
});

test('a token goes to its workspace alone', async () => {
  const environment = { DATABRICKS_HOST: 'adb-1.2.azuredatabricks.net', DATABRICKS_TOKEN: personalToken };
  const { url, authorization } = await connectDatabricks('databricks', { environment });
  expect(url).toBe('https://adb-1.2.azuredatabricks.net');
  expect(await authorization.header(new URL(`${url}/api/2.0/mlflow/runs/get`), {})).toBe(`Bearer ${personalToken}`);
  await expect(authorization.header(new URL('https://adb-3.4.azuredatabricks.net/'), {})).rejects.toThrow(
    'is not sent to',
  );
});

test.each([
  ['databricks', {}, /has no profile 'DEFAULT'\. Run 'databricks configure --profile DEFAULT', or set DATABRICKS_HOST/],
  ['databricks://nobody', { DATABRICKS_HOST: 'https://a.example.org' }, /has no profile 'nobody'/],
  ['databricks://scope:prefix', {}, /names a secret scope/],
  ['databricks-uc', {}, /Unity Catalog's registry \('databricks-uc'\) has an interface of its own/],
  [
    'databricks',
    { DATABRICKS_HOST: 'https://a.example.org' },
    /Nothing signs in to https:\/\/a\.example\.org: set DATABRICKS_TOKEN/,
  ],
  [
    'databricks',
    { DATABRICKS_HOST: 'https://a.example.org', DATABRICKS_TOKEN: 't', DATABRICKS_AUTH_TYPE: 'oauth-m2m' },
    /Nothing signs in to https:\/\/a\.example\.org by oauth-m2m/,
  ],
  ['databricks', { DATABRICKS_HOST: 'http://a.example.org', DATABRICKS_TOKEN: 't' }, /has to use https/],
])('%s with %o is refused before anything is sent', async (uri, variables, words) => {
  await expect(connectDatabricks(uri, { environment: { ...homeWith(''), ...variables } })).rejects.toThrow(words);
});

test('a workspace on Azure is signed in to by Azure, where nothing else is given', async () => {
  const asked: (string | null)[] = [];
  const identity = createServer((request, response) => {
    asked.push(new URL(request.url ?? '', 'http://localhost').searchParams.get('resource'));
    response.end(JSON.stringify({ access_token: 'by-azure', expires_in: 3600 }));
  });
  await new Promise<void>((done) => identity.listen(0, '127.0.0.1', done));
  const { port } = identity.address() as { port: number };
  const environment = {
    DATABRICKS_HOST: 'https://adb-1.2.azuredatabricks.net',
    IDENTITY_ENDPOINT: `http://127.0.0.1:${port}`,
    IDENTITY_HEADER: 'proof',
  };
  const { authorization, url } = await connectDatabricks('databricks', { environment });
  expect(await authorization.header(new URL(url), {})).toBe('Bearer by-azure');
  expect(asked).toEqual(['2ff814a6-3304-4ab8-85cb-cd0e6f879c1d']);
  await new Promise((done) => identity.close(done));
});
