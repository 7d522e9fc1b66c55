import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createClient, type Client } from '@lazuli/client';
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
  readonly url: string;
  readonly retries: typeof retries;
  readonly token?: string;
  /** A name, or the long form where subscription and group are known; without it, the server's default workspace. */
  readonly workspace?: string;
}

export const defaultUrl = 'http://127.0.0.1:5000';

/** Somebody waits at the other end: a server that does not answer is asked again shortly, and then named. */
const retries = { maxRetries: 2, backoffFactor: 0.25, backoffJitter: 0.25 };

export function connectionOf(options: ConnectionOptions, surroundings: Surroundings): Connection {
  const { env } = surroundings;
  const url = serverUrl(options, surroundings);
  const token = env['LAZULI_TOKEN'] || env['MLFLOW_TRACKING_TOKEN'];
  const workspace = workspaceOf(options, surroundings);
  return { url, retries, ...(token ? { token } : {}), ...(workspace === undefined ? {} : { workspace }) };
}

export function serverUrl({ url: option }: ConnectionOptions, surroundings: Surroundings): string {
  const { env } = surroundings;
  const tracked = env['MLFLOW_TRACKING_URI'] ?? '';
  // A shell that has been set up for azureml:// names no server of ours by it.
  const isOurs = tracked !== '' && !tracked.startsWith('azureml:');
  const url = option ?? (env['LAZULI_URL'] || (isOurs ? tracked : readDefaults(surroundings).url) || defaultUrl);
  if (/^https?:\/\//.test(url)) return url;
  throw new CommandError(2, `${JSON.stringify(url)} is no URL of a server; give one with --url.`);
}

export function connect(options: ConnectionOptions, surroundings: Surroundings): Client {
  return createClient(connectionOf(options, surroundings));
}

function workspaceOf(options: ConnectionOptions, surroundings: Surroundings): string | undefined {
  const { name, group, subscription } = workspacePlaceOf(options, surroundings);
  if (name === undefined || name.startsWith('/') || group === undefined || subscription === undefined) return name;
  return `/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.MachineLearningServices/workspaces/${name}`;
}

/** What is known of the workspace that is meant; an empty text is none. */
export function workspacePlaceOf(
  options: ConnectionOptions,
  surroundings: Surroundings,
): { readonly name?: string; readonly group?: string; readonly subscription?: string } {
  const { env, workingDir } = surroundings;
  const defaults = readDefaults(surroundings);
  const file = nearestConfig(workingDir);
  const name =
    options.workspaceName ??
    (env['LAZULI_WORKSPACE'] || env['MLFLOW_WORKSPACE'] || file?.workspace_name || defaults['workspace']);
  const group = options.resourceGroup ?? (file?.resource_group || defaults['group']);
  const subscription =
    options.subscription ?? (env['AZURE_SUBSCRIPTION_ID'] || file?.subscription_id || defaults['subscription']);
  return { ...(name ? { name } : {}), ...(group ? { group } : {}), ...(subscription ? { subscription } : {}) };
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
