import { createClientCertificate } from '@lazuli/server';
import fc from 'fast-check';
import { contract, routesOf, type Endpoint } from '@lazuli/contract';
import { expect, inject, test } from 'vitest';
import { openDirectly } from '../direct-database.ts';
import { aRun, startServer, type TestServer } from '../server-fixture.ts';
import { generatedRequest, type Generated, type LiveNames } from './contract-inputs.ts';
import { fuzzLimitMs } from './fuzz-limit.ts';
import { hostileBodies } from './hostile-values.ts';

/** How many requests are sent. The nightly run sends many more; reading them is the same on every engine, so one gets most. */
const requests = Number(process.env['LAZULI_FUZZ_REQUESTS'] ?? (inject('engine') === 'sqlite' ? 3_000 : 2_000));
const longestAnswerMs = 2_000;
/** To hash a password takes long on purpose, and longer on a machine with other work. */
const longestHashMs = 20_000;
const hashing: readonly Endpoint[] = [contract.directory.createUser, contract.directory.setPassword];
/** One in so many requests is watched for what it changes; looking at all tables of PostgreSQL takes its time. */
const watchedEvery = inject('engine') === 'sqlite' ? 4 : 8;
/** So many more requests an endpoint gets that has not answered yet. */
const askedOn = 200;

const routes = Object.values(contract).flatMap((group) =>
  Object.values<Endpoint>(group).flatMap((endpoint) =>
    routesOf(endpoint).flatMap(({ method, path }) => [
      { endpoint, method, path },
      ...(method === 'GET' ? [{ endpoint, method: 'HEAD', path }] : []),
    ]),
  ),
);

test(
  'no request to any endpoint fails the server, hangs, or changes something when it is refused',
  async () => {
    await using server = await startServer();
    const seed = await seededServer(server);
    await using watch = await watchTables(server, seed);
    const seen = { total: 0, ok: 0, watched: 0, refused: 0 };
    const reached = new Set<Endpoint>();
    await fc.assert(
      fc.asyncProperty(generatedRequest(routes, seed), async (request) => {
        const watched = seen.total % watchedEvery === 0;
        const before = watched ? await watch.dump() : '';
        const answer = await sent(server, request);
        seen.total++;
        expectOrderly(answer);
        // A local folder hands out no URLs: that an endpoint is not for it is all that it has to say.
        if (answer.status === 501) reached.add(request.endpoint);
        if (answer.status < 300) {
          seen.ok++;
          reached.add(request.endpoint);
          await seed.restore(request);
          return;
        }
        seen.refused++;
        if (request.method !== 'HEAD') {
          expect(JSON.parse(answer.text)).toMatchObject({
            error_code: expect.any(String) as string,
            message: expect.any(String) as string,
          });
        }
        // What a message quotes is cut to a readable length.
        expect(answer.text.length).toBeLessThan(50_000);
        if (!watched) return;
        seen.watched++;
        expect(await watch.dump()).toBe(before);
      }),
      { numRuns: requests, endOnFailure: true },
    );
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
    // Otherwise the generator would have tested the reader alone.
    expect(seen.ok / seen.total).toBeGreaterThan(1 / 3);
    expect(seen.refused / seen.total).toBeGreaterThan(1 / 5);
    expect(seen.watched).toBeGreaterThan(requests / 50);
    // Chance may have left out an endpoint: it is asked on until it does what it is for.
    const never = new Set(Object.values(contract).flatMap((group) => Object.values<Endpoint>(group))).difference(
      reached,
    );
    const unreachable: string[] = [];
    for (const endpoint of never) {
      const own = routes.filter((route) => route.endpoint === endpoint);
      let isReached = false;
      for (const request of fc.sample(generatedRequest(own, seed), askedOn)) {
        const { status } = await sent(server, request);
        if (status < 300) await seed.restore(request);
        isReached = status < 300 || status === 501;
        if (isReached) break;
      }
      if (!isReached) unreachable.push(endpoint.summary);
    }
    expect(unreachable).toEqual([]);
  },
  fuzzLimitMs(requests),
);

test('every hostile body gets an orderly answer from every endpoint', async () => {
  await using server = await startServer();
  await seededServer(server);
  const once = new Map(routes.map((route) => [route.endpoint, route] as const));
  for (const { endpoint, method, path } of once.values()) {
    for (const [index, body] of hostileBodies.entries()) {
      const headers = { 'content-type': 'application/json' };
      const request = { endpoint, method, path: path.replaceAll(/\{\*?(\w+)\}/g, 'nowhere'), query: '', body, headers };
      expectOrderly(await sent(server, request), `${method} ${path}, body ${index}`);
    }
  }
  await expect(server.client.experiments.getExperiment({ experiment_id: '0' })).resolves.toBeDefined();
});

/** 501 is no failure: it says what the store at hand cannot do. */
function expectOrderly({ status, text }: { readonly status: number; readonly text: string }, what = ''): void {
  if (status !== 501) expect(status, `${what}: ${text.slice(0, 500)}`).toBeLessThan(500);
}

async function sent(
  server: TestServer,
  { endpoint, method, path, query, body, headers }: Generated,
): Promise<{ status: number; text: string }> {
  const limit = Promise.withResolvers<never>();
  const limitMs = hashing.includes(endpoint) ? longestHashMs : longestAnswerMs;
  const timer = setTimeout(() => limit.reject(new Error(`No answer within ${limitMs} ms`)), limitMs);
  try {
    const response = await Promise.race([
      server.server.app.inject({
        method: method as 'GET',
        url: query === '' ? path : `${path}?${query}`,
        headers: { host: '127.0.0.1', ...headers },
        ...(body === undefined ? {} : { payload: body }),
      }),
      limit.promise,
    ]);
    return { status: response.statusCode, text: response.body };
  } finally {
    clearTimeout(timer);
  }
}

interface Seed extends LiveNames {
  /** Brings back what a successful request has taken away, so that the names stay alive. */
  restore(request: Generated): Promise<void>;
}

async function seededServer({ client, server }: TestServer): Promise<Seed> {
  const first = await aRun(client);
  const second = await aRun(client);
  const runIds = [first.run_id, second.run_id];
  const experimentIds = [first.experiment_id, second.experiment_id];
  for (const run_id of runIds) {
    const metrics = Array.from({ length: 20 }, (_, step) => ({ key: 'loss', value: step / 7, timestamp: step, step }));
    await client.runs.logBatch({
      run_id,
      metrics,
      params: [{ key: 'p', value: '1' }],
      tags: [{ key: 't', value: 'a' }],
    });
  }
  // The first search of a server starts a reader thread, which loads its code before it answers; no answer is timed with that.
  await client.runs.searchRuns({ experiment_ids: experimentIds });
  const experimentNames: string[] = [];
  for (const experiment_id of experimentIds) {
    experimentNames.push((await client.experiments.getExperiment({ experiment_id })).experiment.name);
  }
  const deleted = await aRun(client);
  await client.experiments.deleteExperiment({ experiment_id: deleted.experiment_id });
  const workspaceNames = ['fuzzed'];
  const tokenIds: string[] = [];
  const addToken = async (): Promise<void> => {
    const { token } = await client.apiTokens.createToken({ principal: 'p', role: 'Reader' });
    tokenIds.splice(0, 1, token.token_id);
  };
  await addToken();
  const modelIds: string[] = [];
  const tags = [{ key: 't', value: 'a' }];
  const addModel = async (): Promise<void> => {
    const { model } = await client.loggedModels.createLoggedModel({ experiment_id: first.experiment_id, tags });
    modelIds.splice(0, 1, model.info.model_id);
  };
  await addModel();
  await client.workspaces.createWorkspace({ name: 'fuzzed' });
  const addRegisteredModel = async (): Promise<void> => {
    await client.registeredModels.createRegisteredModel({ name: 'fuzzed', tags: [{ key: 't', value: 'a' }] });
    for (const source of ['s3://bucket/1', 's3://bucket/2'])
      await client.modelVersions.createModelVersion({ name: 'fuzzed', source });
    await client.registeredModels.setRegisteredModelAlias({ name: 'fuzzed', alias: 'champion', version: '1' });
  };
  await addRegisteredModel();
  const objectNames = ['fuzzed@example.org', 'fuzzed'];
  const groupNames = ['fuzzed group'];
  const addObjects = async (): Promise<void> => {
    const { objects = [] } = await client.directory.listDirectoryObjects({});
    const isThere = (name: string) =>
      objects.some(({ user_name, display_name }) => [user_name, display_name].includes(name));
    if (!isThere('fuzzed@example.org')) await client.directory.createUser({ user_name: 'fuzzed@example.org' });
    if (!isThere('fuzzed')) await client.directory.createServicePrincipal({ display_name: 'fuzzed' });
    if (!isThere('fuzzed group')) await client.directory.createGroup({ display_name: 'fuzzed group' });
  };
  const credentialIds: string[] = [];
  const addCredential = async (): Promise<void> => {
    const { credential } = await client.directory.createSecret({ object: 'fuzzed' });
    credentialIds.splice(0, 1, credential.credential_id);
  };
  await addObjects();
  await addCredential();
  const jobIds: string[] = [];
  const addJob = async (): Promise<void> => {
    const { job_id } = await client.jobs.startJob({ run_id: first.run_id });
    jobIds.splice(0, 1, job_id);
  };
  await addJob();
  const addExperimentTags = async (): Promise<void> => {
    for (const experiment_id of experimentIds)
      await client.experiments.setExperimentTag({ experiment_id, key: 't', value: 'a' });
  };
  await addExperimentTags();
  const folders = ['LocalUpload/fuzzed'];
  for (const run_id of runIds) folders.push(folderOf((await client.runs.getRun({ run_id })).run.info));
  for (const folder of folders) {
    for (const file of ['a', 'model/MLmodel']) {
      const url = `/api/2.0/mlflow-artifacts/artifacts/${folder}/${file}`;
      const headers = { host: '127.0.0.1', 'content-type': 'application/octet-stream' };
      const { statusCode } = await server.app.inject({ method: 'PUT', url, headers, payload: 'content' });
      expect(statusCode).toBe(200);
    }
  }
  const { certificate } = await createClientCertificate('fuzzed', Date.now() + 86_400_000);
  const { apiTokens, directory, experiments, jobs, loggedModels, modelVersions, registeredModels, runs, workspaces } =
    contract;
  const deleteAgain = async (): Promise<void> => {
    const { experiment_id } = deleted;
    const { experiment } = await client.experiments.getExperiment({ experiment_id });
    if (experiment.lifecycle_stage === 'active') await client.experiments.deleteExperiment({ experiment_id });
  };
  return {
    runIds,
    experimentIds: [...experimentIds, deleted.experiment_id],
    experimentNames,
    workspaceNames,
    tokenIds,
    modelIds,
    modelNames: ['fuzzed'],
    objectNames,
    groupNames,
    credentialIds,
    jobIds,
    certificate,
    async restore({ endpoint }) {
      if (endpoint === loggedModels.deleteLoggedModel) await addModel();
      if (endpoint === loggedModels.deleteLoggedModelTag) {
        for (const model_id of modelIds) await client.loggedModels.setLoggedModelTags({ model_id, tags });
      }
      const takesAway: readonly Endpoint[] = [
        registeredModels.deleteRegisteredModel,
        registeredModels.renameRegisteredModel,
        registeredModels.deleteRegisteredModelAlias,
        modelVersions.deleteModelVersion,
      ];
      if (takesAway.includes(endpoint)) {
        // A damaged request may have named a model that another one made.
        const { registered_models = [] } = await client.registeredModels.searchRegisteredModels({
          filter: "name = 'fuzzed'",
        });
        if (registered_models.length > 0) await client.registeredModels.deleteRegisteredModel({ name: 'fuzzed' });
        await addRegisteredModel();
      }

      if (endpoint === directory.deleteDirectoryObject) {
        await addObjects();
        await addCredential();
      }
      if (endpoint === directory.deleteCredential) await addCredential();
      if (endpoint === apiTokens.revokeToken) await addToken();
      if (endpoint === jobs.endJob) await addJob();
      if (endpoint === experiments.deleteExperimentTag) await addExperimentTags();
      if (endpoint === experiments.restoreExperiment) await deleteAgain();
      if (endpoint === runs.deleteRun) for (const run_id of runIds) await client.runs.restoreRun({ run_id });
      if (endpoint === workspaces.deleteWorkspace) await client.workspaces.createWorkspace({ name: 'fuzzed' });
      for (const [index, experiment_id] of experimentIds.entries()) {
        if (endpoint === experiments.deleteExperiment) {
          const { experiment } = await client.experiments.getExperiment({ experiment_id });
          if (experiment.lifecycle_stage === 'deleted') await client.experiments.restoreExperiment({ experiment_id });
        }
        if (endpoint === experiments.updateExperiment) {
          await client.experiments.updateExperiment({ experiment_id, new_name: experimentNames[index] ?? '' });
        }
      }
    },
  };
}

/** Where a run's files lie, below the root of the proxy. */
function folderOf({ artifact_uri }: { readonly artifact_uri: string }): string {
  return artifact_uri.replace(/^mlflow-artifacts:\/+/, '');
}

/** The contents of every table, as text. */
async function watchTables({ client, dataDir }: TestServer, { runIds, experimentIds }: LiveNames) {
  const database = await openDirectly(dataDir);
  return {
    async dump(): Promise<string> {
      // Points come to their place when they are read; here they have to be there before they are compared.
      await client.runs.searchRuns({ experiment_ids: [...experimentIds] });
      for (const run_id of runIds)
        await client.metrics.getMetricHistory({ run_id, metric_key: 'loss', max_results: 1 });
      return database.contents();
    },
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}
