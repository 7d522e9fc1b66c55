import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  azureMlTrackingUri,
  parseTrackingUri,
  type AuthorizationSource,
  type ResourceManager,
  type Server,
} from '@lazuli/client';
import { accountAuthorization, findAccount, listAccounts, type Account } from './accounts.ts';
import { activeCloudName, cloudEnvironment, lazuliCloud } from './clouds.ts';
import { readDefaults } from './defaults.ts';
import { CommandError } from './output.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * Which server a command talks to, as whom, and about which workspace. What the command line says goes first, then the
 * environment, then the nearest `config.json` (the file that Azure ML's studio hands out), then the defaults that
 * `lazuli configure` keeps.
 */
export interface ConnectionOptions {
  readonly url?: string;
  readonly subscription?: string;
  readonly resourceGroup?: string;
  readonly workspaceName?: string;
}

export interface Connection {
  /** `http(s)://…` or, for commands that do what MLflow's clients do, `azureml://…`. */
  readonly url: string;
  readonly retries: typeof retries;
  readonly authorization?: AuthorizationSource;
  /** Where the proof of who calls comes from. */
  readonly proof?: string;
  /** A name, or the long form where subscription and group are known; without it, the server's default workspace. */
  readonly workspace?: string;
}

export const defaultUrl = 'http://127.0.0.1:5000';

/** Somebody waits at the other end: a server that does not answer is asked again shortly, and then named. */
const retries = { maxRetries: 2, backoffFactor: 0.25, backoffJitter: 0.25 };

export function connectionOf(options: ConnectionOptions, surroundings: Surroundings): Connection {
  return connectionOver(serverUrl(options, surroundings), options, surroundings);
}

/** As the line and the environment say, but to this address. */
export function connectionOver(url: string, options: ConnectionOptions, surroundings: Surroundings): Connection {
  const proof = proofFor(url, surroundings);
  // The address of a workspace of Azure ML says already which one it is, unless the line says another.
  if (isAzureMl(url)) return { url: withWorkspaceOfLine(url, options), retries, ...proof };
  const workspace = workspaceOf(options, surroundings);
  return { url, retries, ...proof, ...(workspace === undefined ? {} : { workspace }) };
}

/** The workspaces of a region are under one host; what is behind a private link, or a registry, has its own address. */
function withWorkspaceOfLine(uri: string, { subscription, resourceGroup, workspaceName }: ConnectionOptions): string {
  if (subscription === undefined && resourceGroup === undefined && workspaceName === undefined) return uri;
  const place = parseTrackingUri(uri);
  if (place.kind !== 'azureml') return uri;
  const address = {
    host: place.host,
    subscriptionId: subscription ?? place.subscriptionId,
    resourceGroup: resourceGroup ?? place.resourceGroup,
    workspaceName: workspaceName ?? place.name,
  };
  const isOwnAddress = place.target === 'registry' || place.host.includes('.workspace.');
  const isMeant =
    `${address.subscriptionId}/${address.resourceGroup}/${address.workspaceName}`.toLowerCase() ===
    `${place.subscriptionId}/${place.resourceGroup}/${place.name}`.toLowerCase();
  if (isMeant) return uri;
  if (!isOwnAddress) return azureMlTrackingUri(address);
  throw new CommandError(
    2,
    `The address ${uri} leads to '${place.name}' alone; give that of ${address.workspaceName}, or unset MLFLOW_TRACKING_URI.`,
  );
}

function proofFor(url: string, surroundings: Surroundings): Pick<Connection, 'authorization' | 'proof'> {
  const { env } = surroundings;
  if (env['LAZULI_TOKEN']) return proofForCloud(url, surroundings);
  if (isAzureMl(url))
    return env['MLFLOW_TRACKING_TOKEN'] ? { proof: 'MLFLOW_TRACKING_TOKEN' } : proofForCloud(url, surroundings);
  const { MLFLOW_TRACKING_USERNAME: user, MLFLOW_TRACKING_PASSWORD: password, MLFLOW_TRACKING_TOKEN: token } = env;
  if (user && password) {
    const pair = Buffer.from(`${user}:${password}`).toString('base64');
    return said('MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD', `Basic ${pair}`);
  }
  return token ? said('MLFLOW_TRACKING_TOKEN', `Bearer ${token}`) : proofOfAccount(url, surroundings);
}

/** What a cloud of Azure is called with: nothing that MLflow's variables hold for a tracking server. */
export function proofForCloud(url: string, surroundings: Surroundings): Pick<Connection, 'authorization' | 'proof'> {
  const { env } = surroundings;
  if (env['LAZULI_TOKEN']) return said('LAZULI_TOKEN', `Bearer ${env['LAZULI_TOKEN']}`);
  return isApplication(env) ? {} : proofOfAccount(url, surroundings);
}

function said(proof: string, header: string): Required<Pick<Connection, 'authorization' | 'proof'>> {
  return { proof, authorization: { header: async () => header } };
}

/** *Azure ML's plugin signs in by these variables; MLFLOW_TRACKING_TOKEN is that of a job, which the client refreshes.* */
function isApplication(env: Surroundings['env']): boolean {
  return ['AZURE_CLIENT_ID', 'IDENTITY_ENDPOINT', 'MSI_ENDPOINT'].some((name) => Boolean(env[name]));
}

function proofOfAccount(url: string, surroundings: Surroundings): Pick<Connection, 'authorization' | 'proof'> {
  const account = findAccount(url, surroundings);
  if (account === undefined) return {};
  return {
    proof: `the account ${account.user.name} of lazuli login`,
    authorization: accountAuthorization(account, surroundings),
  };
}

/** The server that is meant by those who can talk to Lazuli alone. */
export function serverUrl(options: ConnectionOptions, surroundings: Surroundings): string {
  // A shell that has been set up for azureml:// names no server of ours by it.
  const url = addressOf(options, surroundings, (tracked) => !isAzureMl(tracked));
  if (/^https?:\/\//.test(url)) return url;
  throw new CommandError(2, `${JSON.stringify(url)} is no URL of a server; give one with --url.`);
}

/** The server that is meant by those who do what MLflow's clients do: Lazuli, MLflow's own, or Azure ML's. */
export function trackingUrl(options: ConnectionOptions, surroundings: Surroundings): string {
  const url = addressOf(options, surroundings, () => true);
  if (/^https?:\/\//.test(url) || isAzureMl(url)) return url;
  throw new CommandError(2, `${JSON.stringify(url)} is no URL of a server; give one with --url.`);
}

function addressOf(
  { url }: ConnectionOptions,
  surroundings: Surroundings,
  isMeant: (tracked: string) => boolean,
): string {
  const { env } = surroundings;
  const tracked = env['MLFLOW_TRACKING_URI'] ?? '';
  if (url !== undefined) return url;
  if (env['LAZULI_URL']) return env['LAZULI_URL'];
  if (tracked !== '' && isMeant(tracked)) return tracked;
  const ofCloud = lazuliOfCloud(surroundings);
  if (isAzureMl(tracked) && ofCloud !== undefined) return ofCloud;
  return readDefaults(surroundings).url || ofCloud || defaultUrl;
}

/** The server whose cloud is active: by `lazuli env`, or because it was registered. */
function lazuliOfCloud(surroundings: Surroundings): string | undefined {
  const environment = cloudEnvironment(surroundings);
  if (environment['AZUREML_CURRENT_CLOUD'] !== lazuliCloud) return undefined;
  return environment['ARM_CLOUD_METADATA_URL']?.replace(/\/metadata\/endpoints(?:\?.*)?$/, '');
}

/** Whether somebody has said which server is meant. */
export function isAddressGiven({ url }: ConnectionOptions, surroundings: Surroundings): boolean {
  const { env } = surroundings;
  return Boolean(url ?? (env['LAZULI_URL'] || env['MLFLOW_TRACKING_URI'] || readDefaults(surroundings).url));
}

/** Where no server is meant by name: who has signed in to the active cloud. */
export function accountOfCloud(options: ConnectionOptions, surroundings: Surroundings): Account | undefined {
  if (isAddressGiven(options, surroundings)) return undefined;
  const cloud = activeCloudName(surroundings).toLowerCase();
  return listAccounts(surroundings).find(({ place }) => place.toLowerCase() === cloud);
}

export function isAzureMl(url: string): boolean {
  return url.startsWith('azureml:');
}

export function connect(options: ConnectionOptions, surroundings: Surroundings): Promise<Server> {
  return open(connectionOf(options, surroundings), surroundings);
}

/** As `connect`, also to a workspace of Azure ML. */
export function connectTracking(options: ConnectionOptions, surroundings: Surroundings): Promise<Server> {
  return open(connectionOver(trackingUrl(options, surroundings), options, surroundings), surroundings);
}

async function open({ url, retries, authorization, workspace }: Connection, { env }: Surroundings): Promise<Server> {
  const { openServer } = await import('@lazuli/client');
  return openServer(url, {
    retries,
    ...(authorization === undefined ? {} : { authorization }),
    environment: { ...cloudEnvironment({ env }), MLFLOW_WORKSPACE: workspace },
  });
}

/** What speaks with the resource manager of a server. */
export async function resourceManagerOf(connection: Connection, { env }: Surroundings): Promise<ResourceManager> {
  const { createResourceManager, environmentFetch } = await import('@lazuli/client');
  return createResourceManager({ ...connection, fetch: environmentFetch(env) });
}

function workspaceOf(options: ConnectionOptions, surroundings: Surroundings): string | undefined {
  const { name, group, subscription } = workspacePlaceOf(options, surroundings);
  if (name === undefined || name.startsWith('/') || group === undefined || subscription === undefined) return name;
  return workspaceId({ subscription, group, name });
}

/** What is known of the workspace that is meant; an empty text is none. */
export function workspacePlaceOf(options: ConnectionOptions, surroundings: Surroundings): WorkspaceNames {
  const { env, workingDir } = surroundings;
  const defaults = readDefaults(surroundings);
  const file = nearestConfig(workingDir);
  const tracked = options.url === undefined && !env['LAZULI_URL'] ? placeOfUri(env['MLFLOW_TRACKING_URI']) : {};
  const name =
    options.workspaceName ??
    (env['LAZULI_WORKSPACE'] ||
      env['MLFLOW_WORKSPACE'] ||
      tracked.name ||
      file?.workspace_name ||
      defaults['workspace']);
  const group = options.resourceGroup ?? (tracked.group || file?.resource_group || defaults['group']);
  const subscription =
    options.subscription ??
    (tracked.subscription || env['AZURE_SUBSCRIPTION_ID'] || file?.subscription_id || defaults['subscription']);
  return { ...(name ? { name } : {}), ...(group ? { group } : {}), ...(subscription ? { subscription } : {}) };
}

export interface WorkspaceNames {
  readonly name?: string;
  readonly group?: string;
  readonly subscription?: string;
}

/** An address of a workspace of Azure ML's form says all three. */
function placeOfUri(uri = ''): WorkspaceNames {
  const place = isAzureMl(uri) ? parseTrackingUri(uri) : undefined;
  if (place?.kind !== 'azureml' || place.target !== 'workspace') return {};
  return { subscription: place.subscriptionId, group: place.resourceGroup, name: place.name };
}

/** Its id as a resource. */
export function workspaceId({ subscription = '', group = '', name = '' }: WorkspaceNames): string {
  const [s, g, w] = [subscription, group, name].map(segmentOf);
  return `/subscriptions/${s}/resourceGroups/${g}/providers/Microsoft.MachineLearningServices/workspaces/${w}`;
}

/** A part of a path: with a slash, or as `..`, it would be a path of its own, and the answer about something else. */
function segmentOf(text: string): string {
  if (!/[/\\]|^\.\.?$/.test(text)) return encodeURIComponent(text);
  throw new CommandError(2, `${JSON.stringify(text)} is no name of a workspace, a group or a subscription.`);
}

interface WorkspaceConfig {
  readonly subscription_id?: string;
  readonly resource_group?: string;
  readonly workspace_name?: string;
}

/** *Azure ML's SDK looks for `config.json`, and for the same below `.azureml`, in the folder and those above it.* */
function nearestConfig(folder: string): WorkspaceConfig | undefined {
  for (const path of [join(folder, 'config.json'), join(folder, '.azureml', 'config.json')]) {
    const config = readConfig(path);
    if (config !== undefined) return config;
  }
  const above = dirname(folder);
  return above === folder ? undefined : nearestConfig(above);
}

/** Many programs call their file `config.json`: one that names no workspace is somebody else's. */
function readConfig(path: string): WorkspaceConfig | undefined {
  try {
    const config = JSON.parse(readFileSync(path, 'utf8')) as WorkspaceConfig | null;
    return typeof config?.workspace_name === 'string' ? config : undefined;
  } catch {
    return undefined;
  }
}

/** Nobody listens there: the first thing that goes wrong for who has just begun. */
export function hintForNobody({ message }: Error): string {
  return / ECONNREFUSED /.test(message)
    ? '. lazuli serve starts a server; --url or LAZULI_URL names one that runs elsewhere.'
    : '';
}
