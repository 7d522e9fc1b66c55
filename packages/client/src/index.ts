/**
 * A typed client for MLflow tracking servers, for Node, Deno and Bun: every endpoint, and the functions that training
 * loops are written with.
 */
import { env } from 'node:process';
import type { ArtifactStore, TransferOptions, Upload } from './artifacts/artifact-store.ts';
import { putInContainer } from './artifacts/blob-container.ts';
import { watched } from './artifacts/watched-transfer.ts';
import { connectionSettings, type Environment } from './environment.ts';
import type { ResumedLog } from './logging/unsent-log.ts';
import { loadedModel, type LoadedModel, type LoadOptions } from './models/load-model.ts';
import { locationOf } from './models/model-location.ts';
import { fetchWith } from './node/connecting-fetch.ts';
import { download } from './node/download.ts';
import { digestOf } from './node/files.ts';
import { nodePlatform, onnxRuntimeNode } from './node/node-platform.ts';
import { resumeFile } from './node/unsent-file.ts';
import { connect, type Connection, type ConnectOptions } from './tracking/connection.ts';
import { createTracking } from './tracking/tracking.ts';
import { createTransport, type CallOptions } from './transport.ts';

export * from './surface.ts';

const platform = nodePlatform();
const tracking = createTracking(platform);

export const {
  setTrackingUri,
  getTrackingUri,
  setRegistryUri,
  getRegistryUri,
  getClient,
  getRegistryClient,
  setExperiment,
  startRun,
  activeRun,
  logParam,
  logParams,
  logMetric,
  logMetrics,
  setTag,
  setTags,
  logArtifact,
  logArtifacts,
  logText,
  logDict,
  logTable,
  logImage,
  logFigure,
  logModel,
  registerModel,
  searchRuns,
  flush,
} = tracking;

/**
 * Loads an ONNX model: `models:/{name}/{version}`, `models:/{name}@{alias}`, `models:/{model id}`, `runs:/{run}/{path}`. It
 * is run by onnxruntime-node, which has to be installed beside this package, or by `options.runtime`.
 *
 * @example
 * ```ts
 * const { source } = await startRun(() => logModel({ name: 'net', onnx: './model.bin' }));
 * const { metadata, predict } = await loadModel(source, { runtime }); // await import('onnxruntime-web'), for instance
 * const outputs = await predict([[5.1, 3.5, 1.4, 0.2]]);
 * console.log(Object.keys(metadata.flavors), outputs);
 * ```
 */
export function loadModel(uri: string, options: LoadOptions = {}): Promise<LoadedModel> {
  return loadedModel(uri, tracking.connections, options, onnxRuntimeNode);
}

/**
 * Downloads a file or folder: `runs:/{run}[/{path}]`, `models:/…`, or an artifact URI. Gives the files, which lie in
 * `into`, or in a new temporary folder. One that was broken off goes on where it was.
 *
 * @example
 * ```ts
 * const runId = await startRun(async (run) => {
 *   await run.logArtifacts('./out', 'plots');
 *   return run.runId;
 * });
 * const files = await downloadArtifacts(`runs:/${runId}/plots`, './here');
 * console.log(files);
 * ```
 */
export async function downloadArtifacts(uri: string, into?: string, options?: TransferOptions): Promise<string[]> {
  return download(await locationOf(uri, tracking.connections), into, options, platform.watchTransfer);
}

/**
 * Sends what a run could not send when it was logged; errors and warnings name the file. Give `connectOptions` where the
 * environment does not say how to sign in, or `server` to reach each server in a way of its own.
 *
 * @example
 * ```ts
 * const { sent } = await resumeLog('./unsent.jsonl'); // the file that an error named
 * console.log(`${sent} lines are on the server now`);
 * ```
 */
export function resumeLog(
  file: string,
  options: CallOptions & ConnectOptions & { readonly server?: (uri: string) => Promise<Server> } = {},
): Promise<ResumedLog> {
  const { signal, server, ...connectOptions } = options;
  const servers = new Map<string, Promise<Connection>>();
  const connected = async (uri: string) => {
    const known = servers.get(uri) ?? server?.(uri) ?? connect(uri, connectOptions, platform);
    servers.set(uri, known);
    return (await known).transport;
  };
  return resumeFile(file, connected, signal === undefined ? {} : { signal });
}

/**
 * `fetch` as the environment asks for it: proxies, authorities, client certificates. For `createClient({ url, fetch })`.
 *
 * @example
 * ```ts
 * const client = createClient({ url: getTrackingUri(), fetch: environmentFetch() });
 * console.log(await client.experiments.getExperiment({ experiment_id: '0' }));
 * ```
 */
export function environmentFetch(environment: Environment = env): typeof fetch {
  return fetchWith(connectionSettings(environment).tls, environment);
}

/** A server that a tool talks to, beside the one that `setTrackingUri` names. */
export interface Server extends Connection {
  /** As `downloadArtifacts`, from this server. */
  readonly download: (uri: string, into?: string, options?: TransferOptions) => Promise<string[]>;
  /** The store and the folder in it that a URI names, as for `download`. */
  readonly locate: (uri: string) => Promise<{ readonly store: ArtifactStore; readonly folder: string }>;
}

/** Connects to the server of a tracking URI, as `environment` says (default: the process's own). */
export async function openServer(
  uri: string,
  { environment, ...options }: ConnectOptions & { readonly environment?: Environment } = {},
): Promise<Server> {
  const connection = await connect(uri, options, environment === undefined ? platform : nodePlatform(environment));
  const servers = { tracking: async () => connection, registry: async () => connection };
  const locate = (place: string) => locationOf(place, servers);
  return {
    ...connection,
    locate,
    download: async (place, into, given) => download(await locate(place), into, given),
  };
}

/**
 * Uploads files to a container of Azure Blob Storage by its signed address, connected as `environment` says (default: the
 * process's own). What is there already in the size of its file stays. Gives the bytes that were sent.
 */
export function uploadToContainer(
  address: string,
  uploads: readonly Upload[],
  { environment = env, ...options }: TransferOptions & { readonly environment?: Environment } = {},
): Promise<number> {
  const { retries, timeout } = connectionSettings(environment);
  const transport = createTransport({ url: address, retries, timeout, fetch: environmentFetch(environment) });
  const watch = nodePlatform(environment).watchTransfer?.('Uploading', uploads.length);
  return watched(watch, options, (own) => putInContainer(transport, address, uploads, own, digestOf));
}
