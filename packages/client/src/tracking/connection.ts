import { MlflowError } from '@lazuli/contract';
import { clientOver, type Client } from '../client.ts';
import { experimentNameIn } from '../dual-tracking/experiment-names.ts';
import { storeFor } from '../artifacts/store-for.ts';
import type { ArtifactStore } from '../artifacts/artifact-store.ts';
import { watchedStore } from '../artifacts/watched-transfer.ts';
import { connectionSettings, flag, number, type ConnectionSettings, type Environment } from '../environment.ts';
import { parseTrackingUri, type TrackingUri } from '../tracking-uri.ts';
import { createTransport, type AuthorizationSource, type Transport, type TransportOptions } from '../transport.ts';
import { isJob, jobAuthorization } from './job.ts';
import type { Platform, SignedIn } from './platform.ts';

/** A server that a tracking or registry URI names, ready to be called. */
export interface Connection {
  /** The URI as it was given. */
  readonly address: string;
  readonly uri: TrackingUri;
  readonly transport: Transport;
  readonly client: Client;
  readonly artifactsAt: (uri: string) => ArtifactStore;
  /** What an experiment of this name is called there. */
  readonly experimentName: (name: string) => string;
  /** Waits for what a second store has still to be told. */
  readonly flush?: (signal?: AbortSignal) => Promise<void>;
}

export interface ConnectOptions {
  /** What proves who calls, instead of what the environment says. */
  readonly authorization?: AuthorizationSource;
  /** What sends requests, instead of the runtime's own `fetch`. */
  readonly fetch?: typeof fetch;
  readonly retries?: TransportOptions['retries'];
}

/** Reads the environment and connects; sends nothing but what signing in needs. */
export async function connect(uri: string, options: ConnectOptions, platform: Platform): Promise<Connection> {
  const environment = platform.environment();
  const read = parseTrackingUri(uri);
  const settings = connectionSettings(environment);
  const fetch = options.fetch ?? platform.fetchFor?.(settings, environment);
  const base: Omit<TransportOptions, 'url'> = {
    retries: { ...settings.retries, ...options.retries },
    timeout: settings.timeout,
    ...(settings.workspace === undefined ? {} : { workspace: settings.workspace }),
    ...(fetch === undefined ? {} : { fetch }),
  };
  const signedIn = options.authorization ?? (await authorizationFor(read, settings, environment, base, platform));
  const { url, authorization } = toSignedIn(signedIn);
  const transport = createTransport({
    ...base,
    url: url ?? (read.kind === 'databricks' ? '' : read.url),
    ...(authorization === undefined ? {} : { authorization }),
  });
  const transfers = {
    minimumSize: flag(environment, 'MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD', true)
      ? number(environment, 'MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE', 500 * 1024 ** 2)
      : Infinity,
    partSize: number(environment, 'MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE', 10 * 1024 ** 2),
    ...(platform.digestOf === undefined ? {} : { digestOf: platform.digestOf }),
  };
  return {
    address: uri,
    uri: read,
    transport,
    client: clientOver(transport),
    artifactsAt: (place) =>
      watchedStore(storeFor(place, read, transport, transfers, platform.localStore), platform.watchTransfer),
    experimentName: (name) => experimentNameIn(read.kind, name),
  };
}

function toSignedIn(given: AuthorizationSource | SignedIn | undefined): Partial<SignedIn> {
  if (given === undefined) return {};
  return 'header' in given ? { authorization: given } : given;
}

async function authorizationFor(
  uri: TrackingUri,
  settings: ConnectionSettings,
  environment: Environment,
  base: Omit<TransportOptions, 'url'>,
  platform: Platform,
): Promise<AuthorizationSource | SignedIn | undefined> {
  if (uri.kind === 'http') return settings.authorization;
  // *A token alone means nothing to Azure ML's plugin; with run and experiment it is a job's.*
  if (uri.kind === 'azureml' && isJob(environment)) return jobAuthorization(uri, environment, base, platform.warn);
  if (platform.signIn === undefined) {
    throw new MlflowError(
      'UNAUTHENTICATED',
      `Nothing here can sign in to ${uri.kind === 'azureml' ? uri.host : 'Databricks'}. Give setTrackingUri an 'authorization'.`,
    );
  }
  return platform.signIn(uri, environment);
}
