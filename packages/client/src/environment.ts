import { invalidParameter } from '@lazuli/contract';
import type { RetryPolicy } from './retry-policy.ts';
import type { AuthorizationSource } from './transport.ts';

/** The variables of the process. They are read at the first operation, not at import. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** How to reach a server, beyond its address: what only a runtime with sockets of its own can do. */
export interface TlsFiles {
  /** Path of a PEM file of authorities that are trusted beside the runtime's own. */
  readonly authorities?: string;
  /** Path of a PEM file with the client's certificate and its key. */
  readonly clientCertificate?: string;
  /** Accepts any certificate of the server. */
  readonly isInsecure: boolean;
}

export interface ConnectionSettings {
  readonly authorization?: AuthorizationSource;
  readonly workspace?: string;
  readonly retries: RetryPolicy;
  /** Seconds. */
  readonly timeout: number;
  readonly tls: TlsFiles;
}

/** What MLflow's environment variables say about connections to a server, each as MLflow means it. */
export function connectionSettings(environment: Environment): ConnectionSettings {
  const authorities = environment['MLFLOW_TRACKING_SERVER_CERT_PATH'];
  const isInsecure = flag(environment, 'MLFLOW_TRACKING_INSECURE_TLS', false);
  if (isInsecure && authorities !== undefined) {
    // *MLflow refuses both at once.*
    throw invalidParameter('Set MLFLOW_TRACKING_INSECURE_TLS or MLFLOW_TRACKING_SERVER_CERT_PATH, not both.');
  }
  const authorization = authorizationFrom(environment);
  const trusted = authorities ?? environment['REQUESTS_CA_BUNDLE'] ?? environment['SSL_CERT_FILE'];
  const clientCertificate = environment['MLFLOW_TRACKING_CLIENT_CERT_PATH'];
  const workspace = environment['MLFLOW_WORKSPACE'];
  return {
    ...(authorization === undefined ? {} : { authorization }),
    ...(workspace ? { workspace } : {}),
    retries: {
      maxRetries: number(environment, 'MLFLOW_HTTP_REQUEST_MAX_RETRIES', 7),
      backoffFactor: number(environment, 'MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR', 2),
      backoffJitter: number(environment, 'MLFLOW_HTTP_REQUEST_BACKOFF_JITTER', 1),
      respectRetryAfter: flag(environment, 'MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER', true),
    },
    timeout: number(environment, 'MLFLOW_HTTP_REQUEST_TIMEOUT', 120),
    tls: {
      ...(trusted ? { authorities: trusted } : {}),
      ...(clientCertificate ? { clientCertificate } : {}),
      isInsecure,
    },
  };
}

/** *MLflow: user and password come before a token.* */
function authorizationFrom(environment: Environment): AuthorizationSource | undefined {
  const user = environment['MLFLOW_TRACKING_USERNAME'];
  const password = environment['MLFLOW_TRACKING_PASSWORD'];
  const token = environment['MLFLOW_TRACKING_TOKEN'];
  if (user && password) return fixed(basicAuthorization(user, password));
  return token ? fixed(`Bearer ${token}`) : undefined;
}

export function basicAuthorization(user: string, password: string): string {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

function fixed(header: string): AuthorizationSource {
  return { header: async () => header };
}

/** *MLflow: true, false, 1 or 0, in any case.* */
export function flag(environment: Environment, name: string, fallback: boolean): boolean {
  const text = environment[name];
  if (text === undefined || text === '') return fallback;
  if (/^(?:true|1)$/i.test(text)) return true;
  if (/^(?:false|0)$/i.test(text)) return false;
  throw invalidParameter(`${name} must be true, false, 1 or 0, but is '${text}'.`);
}

export function number(environment: Environment, name: string, fallback: number): number {
  const text = environment[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) {
    throw invalidParameter(`${name} must be a number that is not negative, but is '${text}'.`);
  }
  return value;
}
