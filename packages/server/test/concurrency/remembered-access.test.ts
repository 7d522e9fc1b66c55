import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openTokens, parseSettings } from '@lazuli/server';
import { expect, inject, test } from 'vitest';
import { assignmentsOn } from '../azure/arm-fixture.ts';
import { contentUri, defaultScope, reserve, runPath, storage } from '../azure/azure-workspace.ts';
import { bearer } from '../identity/authority-fixture.ts';
import { databaseOnSharedPostgres } from '../postgres/test-databases.ts';
import { raceLimitMs, repeat } from './races.ts';
import { onTwoSides, withTwoSides } from './two-sides.ts';

/** Each request asks which workspace it addresses and who sends it, so each side remembers both. */
const few = { most: 40, seconds: 3 };
/** *Azure: the ids of Contributor and Reader.* */
const contributor = 'b24988ac-6180-42a0-ab88-20f7382dd24c';
const reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7';

onTwoSides(
  'a workspace that one side makes, changes, removes and makes again the other one knows at once',
  async (sides) => {
    const [first, second] = sides.both;
    await repeat(async (_, index) => {
      const [a, b] = index % 2 === 0 ? [first, second] : [second, first];
      const name = `ws-${index}`;
      const inB = b.clientFor({ workspace: name });
      const gone = { status: 404, errorCode: 'RESOURCE_DOES_NOT_EXIST' };
      await expect(inB.experiments.createExperiment({ name: 'too early' })).rejects.toMatchObject(gone);

      await a.client.workspaces.createWorkspace({ name });
      const early = await inB.experiments.createExperiment({ name: 'first' });
      expect(early.experiment_id).toBe('1');

      const root = `mlflow-artifacts:/moved/${index}`;
      await a.client.workspaces.updateWorkspace({ workspace_name: name, default_artifact_root: root });
      const moved = await inB.experiments.createExperiment({ name: 'moved' });
      const { experiment } = await inB.experiments.getExperiment(moved);
      expect(experiment.artifact_location).toContain(`/moved/${index}`);

      await a.client.workspaces.deleteWorkspace({ workspace_name: name, mode: 'CASCADE' });
      await expect(inB.runs.searchRuns({ experiment_ids: ['0'] })).rejects.toMatchObject(gone);

      await a.client.workspaces.createWorkspace({ name });
      expect((await inB.experiments.createExperiment({ name: 'first' })).experiment_id).toBe('1');
      expect((await inB.experiments.searchExperiments({ max_results: 10 })).experiments).toHaveLength(2);
    }, few);
  },
);

test(
  'a token that one side makes and revokes the other one takes and refuses at once',
  { timeout: raceLimitMs },
  async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'lazuli-two-sides-'));
    try {
      const owner = await ownersSecret(dataDir);
      const flags = { auth: 'token' };
      await withTwoSides(
        flags,
        async ({ both: [first, second] }) => {
          for (const side of [first, second]) await side.clientFor({ token: owner }).apiTokens.listTokens({});
          await repeat(async (_, index) => {
            const [a, b] = index % 2 === 0 ? [first, second] : [second, first];
            const onA = a.clientFor({ token: owner });
            const refused = { status: 401, errorCode: 'UNAUTHENTICATED' };
            const { token, secret } = await onA.apiTokens.createToken({ principal: 'rita', role: 'Reader' });
            const [ritaOnA, ritaOnB] = [a.clientFor({ token: secret }), b.clientFor({ token: secret })];
            for (const rita of [ritaOnB, ritaOnA, ritaOnB]) await rita.runs.searchRuns({ experiment_ids: ['0'] });
            await onA.apiTokens.revokeToken(token);
            for (const rita of [ritaOnB, ritaOnA]) {
              await expect(rita.runs.searchRuns({ experiment_ids: ['0'] })).rejects.toMatchObject(refused);
            }

            const name = `ws-${index}`;
            await onA.workspaces.createWorkspace({ name });
            const ofWorkspace = await onA.apiTokens.createToken({ principal: 'anna', role: 'Owner', workspace: name });
            const anna = b.clientFor({ token: ofWorkspace.secret, workspace: name });
            await anna.runs.createRun({ experiment_id: '0' });
            await onA.workspaces.deleteWorkspace({ workspace_name: name, mode: 'CASCADE' });
            await expect(anna.runs.createRun({ experiment_id: '0' })).rejects.toMatchObject(refused);
          }, few);
        },
        dataDir,
      );
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  },
);

test(
  'revoked right: a role that one side takes away gives nothing on the other, to calls, jobs and signed URLs alike',
  { timeout: raceLimitMs },
  async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'lazuli-two-sides-'));
    try {
      const owner = await ownersSecret(dataDir);
      await withTwoSides(
        { auth: 'token' },
        async ({ both: [first, second] }) => {
          await first.clientFor({ token: owner }).workspaces.createWorkspace({ name: 'elsewhere' });
          await repeat(async (_, index) => {
            const [a, b] = index % 2 === 0 ? [first, second] : [second, first];
            const { token, secret } = await a.clientFor({ token: owner }).apiTokens.createToken({
              principal: 'rita',
              role: 'Reader',
              workspace: 'elsewhere',
            });
            const give = async (role: string): Promise<string> => {
              const assignment = `${assignmentsOn(defaultScope)}/${randomUUID()}?api-version=2022-04-01`;
              const properties = { roleDefinitionId: role, principalId: token.token_id };
              expect((await a.request('PUT', assignment, { properties }, bearer(owner))).status).toBe(201);
              return assignment;
            };
            const take = async (assignment: string): Promise<void> => {
              expect((await a.request('DELETE', assignment, undefined, bearer(owner))).status).toBe(200);
            };
            const [writing, reading] = [await give(contributor), await give(reader)];

            const rita = b.clientFor({ token: secret });
            const { run_id } = (await rita.runs.createRun({ experiment_id: '0' })).run.info;
            const job = await rita.jobs.startJob({ run_id });
            const inJob = b.clientFor({ token: job.token });
            await inJob.runs.logMetric({ run_id, key: 'm', value: 1, timestamp: 1 });
            const url = (await reserve(b, runPath(run_id), ['a.txt'], bearer(secret))).get('a.txt') ?? '';
            for (const side of [a, b]) expect((await storage(side, 'PUT', url, { body: 'a' })).status).toBe(201);
            const read = await contentUri(b, runPath(run_id), 'a.txt', bearer(job.token));
            expect((await storage(b, 'GET', read)).text).toBe('a');

            const tag = { run_id, key: 'k', value: 'v' };
            const expectStatuses = async (write: number, look: number): Promise<void> => {
              for (const side of [b, a]) {
                const statusOf = async (method: string, path: string, body: unknown, credential: string) =>
                  (await side.request(method, `/api/2.0/mlflow/runs/${path}`, body, bearer(credential))).status;
                const written = [(await storage(side, 'PUT', url, { body: 'b' })).status];
                const seen = [(await storage(side, 'GET', read)).status];
                for (const credential of [secret, job.token]) {
                  written.push(await statusOf('POST', 'set-tag', tag, credential));
                  seen.push(await statusOf('GET', `get?run_id=${run_id}`, undefined, credential));
                }
                expect([written, seen]).toEqual([written.map(() => write), seen.map(() => look)]);
              }
            };
            await take(writing);
            await expectStatuses(403, 200);
            await take(reading);
            await expectStatuses(403, 403);
          }, few);
        },
        dataDir,
      );
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  },
);

/** The first token of a server can only be made where no server runs yet. */
onTwoSides(
  'an access token of one side is good on the other at once, until either disables whom it names',
  async ({ both: [first, second] }) => {
    const experiment = '/api/2.0/mlflow/experiments/get?experiment_id=0';
    await repeat(async (_, index) => {
      const [a, b] = index % 2 === 0 ? [first, second] : [second, first];
      const { object } = await a.client.directory.createServicePrincipal({ display_name: `robot ${index}` });
      const { secret } = await b.client.directory.createSecret({ object: object.object_id });
      const form = {
        grant_type: 'client_credentials',
        client_id: object.app_id ?? '',
        client_secret: secret,
        scope: 'https://management.azure.com/.default',
      };
      const answer = await a.request('POST', '/adfs/oauth2/v2.0/token', new URLSearchParams(form).toString(), {
        'content-type': 'application/x-www-form-urlencoded',
      });
      const { access_token } = answer.json as { access_token: string };
      const ask = async (side: typeof a) =>
        (await side.request('GET', experiment, undefined, { authorization: `Bearer ${access_token}` })).status;
      expect([await ask(b), await ask(a)]).toEqual([200, 200]);
      await a.client.directory.updateDirectoryObject({ object: object.object_id, disabled: true });
      expect([await ask(b), await ask(a)]).toEqual([401, 401]);
      await b.client.directory.updateDirectoryObject({ object: object.object_id, disabled: false });
      expect([await ask(a), await ask(b)]).toEqual([200, 200]);
    }, few);
  },
  { flags: { 'public-url': 'https://lazuli.example.org' } },
);

async function ownersSecret(dataDir: string): Promise<string> {
  const database =
    inject('engine') === 'postgres' ? { 'database-url': await databaseOnSharedPostgres(dataDir) } : undefined;
  const flags = { 'data-dir': dataDir, ...database };
  const tokens = await openTokens(parseSettings({ flags, env: {}, workingDir: dataDir, readFile: () => '' }));
  const { secret } = (await tokens.createToken({ principal: 'olivia', role: 'Owner' })) as { secret: string };
  await tokens.close();
  return secret;
}
