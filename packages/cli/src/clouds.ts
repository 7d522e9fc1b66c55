import type { Cloud } from '@lazuli/client/azure';
import { readConfig, writeConfig } from './config-file.ts';
import { CommandError } from './output.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * Which of Azure's clouds is meant, or which one of somebody's own: `AZUREML_CURRENT_CLOUD`, else what `lazuli cloud set`
 * keeps, else AzureCloud. A cloud that was registered is one that a document describes, as every server of Lazuli has one.
 */
export interface RegisteredCloud {
  readonly name: string;
  /** What the document calls it. */
  readonly describedAs: string;
  readonly metadataUrl: string;
}

interface CloudsFile {
  readonly active?: string;
  readonly registered?: readonly RegisteredCloud[];
}

export interface KnownCloud extends Cloud {
  readonly isActive: boolean;
}

/** *How every server of Lazuli calls its own cloud.* */
export const lazuliCloud = 'LazuliCloud';

type World = Pick<Surroundings, 'env'>;

/** The environment, in which the cloud is said as Azure's clients read it. */
export function cloudEnvironment(surroundings: World, cloud?: string): Surroundings['env'] {
  const { env } = surroundings;
  const { active, registered = [] } = readClouds(surroundings);
  const name = cloud ?? (env['AZUREML_CURRENT_CLOUD'] || active);
  const own = registered.find((one) => isNamed(one, name));
  if (own === undefined) return name === undefined ? env : { ...env, AZUREML_CURRENT_CLOUD: name };
  return { ...env, AZUREML_CURRENT_CLOUD: own.describedAs, ARM_CLOUD_METADATA_URL: own.metadataUrl };
}

/** The cloud that is meant, as it is called here. */
export async function findCloud(surroundings: World, name?: string): Promise<Cloud> {
  const environment = cloudEnvironment(surroundings, name);
  const { resolveCloud } = await import('@lazuli/client/azure');
  const { environmentFetch } = await import('@lazuli/client');
  const cloud = await resolveCloud({ environment, fetch: environmentFetch(surroundings.env) });
  const own = registeredNamed(surroundings, name ?? activeName(surroundings));
  return own === undefined ? cloud : { ...cloud, name: own.name };
}

export async function listClouds(surroundings: World): Promise<KnownCloud[]> {
  const { builtInClouds } = await import('@lazuli/client/azure');
  const { registered = [] } = readClouds(surroundings);
  const current = await findCloud(surroundings);
  const others = await Promise.all(registered.map(({ name }) => findCloud(surroundings, name)));
  const all = [...builtInClouds, ...others];
  // One that only the environment describes.
  if (!all.some((one) => isNamed(one, current.name))) all.push(current);
  return all.map((cloud) => ({ ...cloud, isActive: isNamed(cloud, current.name) }));
}

export async function setCloud(surroundings: World, name: string): Promise<void> {
  const cloud = await findCloud(surroundings, name);
  writeConfig('clouds.json', { ...readClouds(surroundings), active: cloud.name }, surroundings);
}

/** Reads the document of a resource manager, and keeps where it is. */
export async function registerCloud(surroundings: World, name: string, metadataUrl: string): Promise<void> {
  const { builtInClouds, resolveCloud } = await import('@lazuli/client/azure');
  const { environmentFetch } = await import('@lazuli/client');
  if (builtInClouds.some((one) => isNamed(one, name))) throw new CommandError(1, `${name} is a cloud of Azure.`);
  const fetch = environmentFetch(surroundings.env);
  const response = await fetch(metadataUrl).catch((cause: unknown) => {
    throw new CommandError(1, `${metadataUrl} cannot be read: ${String(cause)}`, { cause });
  });
  const answer: unknown = response.ok ? await response.json().catch(() => undefined) : undefined;
  // *Azure: an array in older versions of the document.*
  const [document] = [answer].flat();
  const describedAs = (document as { readonly name?: unknown } | undefined)?.name;
  if (typeof describedAs !== 'string') throw new CommandError(1, `${metadataUrl} describes no cloud.`);
  await resolveCloud({ name: describedAs, environment: { ARM_CLOUD_METADATA_URL: metadataUrl }, fetch });
  const { registered = [], ...rest } = readClouds(surroundings);
  const others = registered.filter((one) => !isNamed(one, name));
  writeConfig('clouds.json', { ...rest, registered: [...others, { name, describedAs, metadataUrl }] }, surroundings);
}

export function unregisterCloud(surroundings: World, name: string): void {
  const { registered = [], active } = readClouds(surroundings);
  const others = registered.filter((one) => !isNamed(one, name));
  if (others.length === registered.length) throw new CommandError(3, `No cloud ${JSON.stringify(name)} is registered.`);
  const isKept = active !== undefined && active.toLowerCase() !== name.toLowerCase();
  writeConfig('clouds.json', { ...(isKept ? { active } : {}), registered: others }, surroundings);
}

/** How the cloud that is meant is called here, without a look at what it says of itself. */
export function activeCloudName(surroundings: World): string {
  return activeName(surroundings) ?? 'AzureCloud';
}

/** Whether somebody has said which cloud is meant. */
export function isCloudChosen(surroundings: World): boolean {
  return activeName(surroundings) !== undefined;
}

function activeName(surroundings: World): string | undefined {
  return surroundings.env['AZUREML_CURRENT_CLOUD'] || readClouds(surroundings).active;
}

function registeredNamed(surroundings: World, name: string | undefined): RegisteredCloud | undefined {
  return readClouds(surroundings).registered?.find((one) => isNamed(one, name));
}

function readClouds(surroundings: World): CloudsFile {
  return readConfig('clouds.json', surroundings) ?? {};
}

function isNamed(cloud: { readonly name: string }, name: string | undefined): boolean {
  return cloud.name.toLowerCase() === name?.toLowerCase();
}
