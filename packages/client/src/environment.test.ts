import { expect, test } from 'vitest';
import { connectionSettings } from './environment.ts';

const target = new URL('http://server.test');

test('an empty environment means MLflow’s defaults', () => {
  expect(connectionSettings({})).toEqual({
    retries: { maxRetries: 7, backoffFactor: 2, backoffJitter: 1, respectRetryAfter: true },
    timeout: 120,
    tls: { isInsecure: false },
  });
});

test('each variable means what it means to MLflow', () => {
  const settings = connectionSettings({
    MLFLOW_HTTP_REQUEST_MAX_RETRIES: '3',
    MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR: '1',
    MLFLOW_HTTP_REQUEST_BACKOFF_JITTER: '0.5',
    MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER: 'FALSE',
    MLFLOW_HTTP_REQUEST_TIMEOUT: '10',
    MLFLOW_TRACKING_SERVER_CERT_PATH: '/ca.pem',
    REQUESTS_CA_BUNDLE: '/other.pem',
    MLFLOW_TRACKING_CLIENT_CERT_PATH: '/client.pem',
    MLFLOW_WORKSPACE: 'team',
  });
  expect(settings).toEqual({
    retries: { maxRetries: 3, backoffFactor: 1, backoffJitter: 0.5, respectRetryAfter: false },
    timeout: 10,
    tls: { authorities: '/ca.pem', clientCertificate: '/client.pem', isInsecure: false },
    workspace: 'team',
  });
  expect(connectionSettings({ REQUESTS_CA_BUNDLE: '/other.pem' }).tls.authorities).toBe('/other.pem');
});

test('user and password come before a token', async () => {
  const token = { MLFLOW_TRACKING_TOKEN: 't' };
  expect(await connectionSettings(token).authorization?.header(target, {})).toBe('Bearer t');
  const both = connectionSettings({ ...token, MLFLOW_TRACKING_USERNAME: 'me', MLFLOW_TRACKING_PASSWORD: 'pä:ss' });
  expect(await both.authorization?.header(target, {})).toBe(`Basic ${Buffer.from('me:pä:ss').toString('base64')}`);
  expect(connectionSettings({ MLFLOW_TRACKING_USERNAME: 'me' }).authorization).toBeUndefined();
});

test('values that mean nothing are refused with the name of their variable', () => {
  expect(() => connectionSettings({ MLFLOW_HTTP_REQUEST_TIMEOUT: 'soon' })).toThrow(/MLFLOW_HTTP_REQUEST_TIMEOUT/);
  expect(() => connectionSettings({ MLFLOW_TRACKING_INSECURE_TLS: 'maybe' })).toThrow(/MLFLOW_TRACKING_INSECURE_TLS/);
  expect(() =>
    connectionSettings({ MLFLOW_TRACKING_INSECURE_TLS: 'true', MLFLOW_TRACKING_SERVER_CERT_PATH: '/ca.pem' }),
  ).toThrow(/not both/);
});
