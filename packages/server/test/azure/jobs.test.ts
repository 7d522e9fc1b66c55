import { describe, expect } from 'vitest';
import { aRun, onEveryEngine, type TestServer } from '../server-fixture.ts';
import { defaultScope, mlflowAt } from './azure-workspace.ts';

const refreshPath = (run: string) => `/history/v1.0${defaultScope}/experimentids/0/runs/${run}/token`;

async function aJob({ client, clientFor }: TestServer) {
  const { run_id } = await aRun(client);
  const { secret, token } = await client.apiTokens.createToken({ principal: 'ann', role: 'Contributor' });
  const ann = clientFor({ token: secret });
  const job = await ann.jobs.startJob({ run_id });
  return { run_id, ann, annsToken: token.token_id, job, bearer: { authorization: `Bearer ${job.token}` } };
}

describe('a job', () => {
  onEveryEngine('logs with its token and gets a fresh one, until it ends', async (server) => {
    const { run_id, ann, job, bearer } = await aJob(server);
    const payload = JSON.parse(Buffer.from(job.token.split('.')[1] ?? '', 'base64url').toString()) as { exp: number };
    expect(payload.exp * 1000).toBe(job.expiry_time);
    const log = (headers: Record<string, string>) =>
      server.request(
        'POST',
        `${mlflowAt(defaultScope)}/api/2.0/mlflow/runs/log-metric`,
        { run_id, key: 'm', value: 1, timestamp: 1 },
        headers,
      );
    expect((await log(bearer)).status).toBe(200);
    const refreshed = await server.request('GET', refreshPath(run_id), undefined, bearer);
    expect(refreshed.json).toMatchObject({ expiryTimeUtc: expect.stringMatching(/^\d{4}-.*Z$/) as string });
    const { token } = refreshed.json as { token: string };
    expect((await log({ authorization: `Bearer ${token}` })).status).toBe(200);
    await ann.jobs.endJob({ job_id: job.job_id });
    for (const old of [job.token, token]) expect((await log({ authorization: `Bearer ${old}` })).status).toBe(401);
    expect((await server.request('GET', refreshPath(run_id), undefined, bearer)).status).toBe(401);
  });

  onEveryEngine('has the rights of whoever started it, as they are now', async (server) => {
    const { annsToken, bearer, job } = await aJob(server);
    const read = () => server.request('GET', '/api/2.0/mlflow/experiments/get?experiment_id=0', undefined, bearer);
    expect((await read()).status).toBe(200);
    const { apiTokens } = server.clientFor({ token: job.token });
    await expect(apiTokens.createToken({ principal: 'eve', role: 'Owner' })).rejects.toMatchObject({ status: 403 });
    await server.client.apiTokens.revokeToken({ token_id: annsToken });
    expect((await read()).status).toBe(403);
  });

  onEveryEngine('is nobody else’s: others neither end it nor get its token', async (server) => {
    const { run_id, job } = await aJob(server);
    const { secret } = await server.client.apiTokens.createToken({ principal: 'bob', role: 'Owner' });
    const bob = server.clientFor({ token: secret });
    await expect(bob.jobs.endJob({ job_id: job.job_id })).rejects.toMatchObject({ status: 404 });
    const { status } = await server.request('GET', refreshPath(run_id), undefined, {
      authorization: `Bearer ${secret}`,
    });
    expect(status).toBe(404);
    await expect(bob.jobs.startJob({ run_id: 'nope' })).rejects.toMatchObject({ status: 404 });
  });

  onEveryEngine('takes no token that was changed, or signed otherwise', async (server) => {
    const { job } = await aJob(server);
    const [header = '', payload = '', mac = ''] = job.token.split('.');
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const later = { ...(JSON.parse(Buffer.from(payload, 'base64url').toString()) as object), exp: 9_999_999_999 };
    const forged = [
      `${header}.${encode(later)}.${mac}`,
      `${header}.${payload}.`,
      `${header}.${payload}.${mac.slice(0, -2)}`,
      `${encode({ alg: 'none', typ: 'JWT', kid: 'lazuli-job' })}.${payload}.`,
      `${header}..`,
    ];
    for (const token of forged) {
      const { status } = await server.request('GET', '/api/2.0/mlflow/experiments/get?experiment_id=0', undefined, {
        authorization: `Bearer ${token}`,
      });
      expect([token, status]).toEqual([token, 401]);
    }
  });
});
