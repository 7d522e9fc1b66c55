import { expect, test } from 'vitest';
import { parseTrackingUri, type AzureMlTrackingUri } from '../tracking-uri.ts';
import { isJob, jobAuthorization } from './job.ts';

const scope = '/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w';
const uri = parseTrackingUri(`azureml://ws.test/mlflow/v1.0${scope}`) as AzureMlTrackingUri;
const target = new URL(`${uri.url}/api/2.0/mlflow/runs/get`);

function tokenFor(seconds: number): string {
  const payload = Buffer.from(JSON.stringify({ exp: Date.now() / 1000 + seconds })).toString('base64url');
  return `e30.${payload}.x`;
}

function job(token: string, more: Record<string, string> = { MLFLOW_EXPERIMENT_ID: '7' }, answer?: () => Response) {
  const requests: string[] = [];
  const warnings: string[] = [];
  const fresh = { token: tokenFor(3_600), expiryTimeUtc: new Date(Date.now() + 3_600_000).toISOString() };
  const fetch: typeof globalThis.fetch = async (input, { headers } = {}) => {
    const { pathname } = new URL(new Request(input).url);
    requests.push(
      `${pathname} ${new Headers(headers).get('authorization') === `Bearer ${token}` ? 'old token' : 'other'}`,
    );
    if (pathname.endsWith('/get-by-name')) return Response.json({ experiment: { experiment_id: '9' } });
    return answer?.() ?? Response.json(fresh);
  };
  const environment = { MLFLOW_TRACKING_URI: 'x', MLFLOW_TRACKING_TOKEN: token, MLFLOW_RUN_ID: 'r1', ...more };
  const source = jobAuthorization(uri, environment, { fetch, retries: { maxRetries: 0 } }, (warning) =>
    warnings.push(warning),
  );
  return { source, requests, warnings, fresh, environment };
}

test('URI, token, run and experiment make a job; less does not', () => {
  const { environment } = job(tokenFor(3_600));
  expect(isJob(environment)).toBe(true);
  expect(isJob({ ...environment, MLFLOW_RUN_ID: '' })).toBe(false);
  expect(isJob({ ...environment, MLFLOW_EXPERIMENT_ID: undefined })).toBe(false);
  expect(isJob({ ...environment, MLFLOW_EXPERIMENT_ID: undefined, MLFLOW_EXPERIMENT_NAME: 'iris' })).toBe(true);
});

test('a token that lasts is used as it is, and only for its workspace', async () => {
  const token = tokenFor(3_600);
  const { source, requests } = job(token);
  expect(await source.header(target, {})).toBe(`Bearer ${token}`);
  expect(await source.header(new URL('https://elsewhere.test/x'), {})).toBeUndefined();
  expect(requests).toEqual([]);
});

test('a token with less than 95 seconds is exchanged once for all that ask', async () => {
  const { source, requests, fresh } = job(tokenFor(60));
  const headers = await Promise.all([source.header(target, {}), source.header(target, {})]);
  expect(headers).toEqual([`Bearer ${fresh.token}`, `Bearer ${fresh.token}`]);
  expect(requests).toEqual([`/history/v1.0${scope}/experimentids/7/runs/r1/token old token`]);
  await source.header(target, {});
  expect(requests).toHaveLength(1);
});

test('an experiment that is only named is looked up for the exchange', async () => {
  const { source, requests } = job(tokenFor(60), { MLFLOW_EXPERIMENT_NAME: 'iris' });
  await source.header(target, {});
  expect(requests.map((request) => request.split('/').slice(-4).join('/'))).toEqual([
    '2.0/mlflow/experiments/get-by-name old token',
    '9/runs/r1/token old token',
  ]);
});

test('an exchange that fails is a warning; the request shows whether the token still does', async () => {
  const token = tokenFor(60);
  const { source, warnings } = job(token, undefined, () => new Response('no', { status: 403 }));
  expect(await source.header(target, {})).toBe(`Bearer ${token}`);
  expect(warnings).toEqual([expect.stringMatching(/could not be refreshed: no/)]);
});

test('a token that does not tell its end is left alone', async () => {
  const { source, requests } = job('opaque');
  expect(await source.header(target, {})).toBe('Bearer opaque');
  expect(requests).toEqual([]);
});
