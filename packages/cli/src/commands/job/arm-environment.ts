import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parse, stringify } from 'yaml';
import { registeredId, type Bringing } from './arm-assets.ts';
import { uploadToBlobStore, type JobWorkspace } from './arm-uploads.ts';
import { wrong, type JobEnvironment, type JobFile } from './job-file.ts';
import { contentHash, localPath, mostBytesOfCode, readLocalFiles, type LocalFiles } from './local-files.ts';

/** The environment of a job of Azure ML: one that is registered, or one that the job describes, which has no name then. */
export async function readEnvironment(
  workspace: JobWorkspace,
  { folder, environment }: JobFile,
): Promise<Bringing<string>> {
  if (environment === undefined) {
    throw wrong('environment', 'Azure ML needs one: azureml:name:version, or an image or a build');
  }
  if (typeof environment === 'string') return namedEnvironment(workspace, environment);
  const condaFile = await condaText(folder, environment);
  const context = await buildContext(folder, environment);
  return () => bringEnvironment(workspace, environment, condaFile, context);
}

function namedEnvironment(workspace: JobWorkspace, text: string): Bringing<string> {
  const named = text.includes('/') || text.startsWith('azureml:') ? text : `azureml:${text}`;
  // *azure-ai-ml: the service itself knows those of Azure, by their short name.*
  if (named.startsWith('azureml:AzureML-')) return async () => named;
  const id = registeredId(workspace, 'environments', named);
  if (id !== undefined) return id;
  throw wrong('environment', `${JSON.stringify(text)} must be azureml:name:version or azureml:name@latest`);
}

/** *Azure ML takes the file's text.* */
async function condaText(folder: string, { condaFile }: JobEnvironment): Promise<string | undefined> {
  if (typeof condaFile === 'object') return stringify(condaFile);
  if (condaFile === undefined) return undefined;
  const field = 'environment.conda_file';
  const path = localPath(folder, condaFile);
  if (path === undefined) throw wrong(field, `${JSON.stringify(condaFile)} must be a file of this machine`);
  try {
    const text = await readFile(path, 'utf8');
    const value: unknown = parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return text;
  } catch (cause) {
    throw wrong(field, `${path} cannot be read: ${(cause as Error).message}`);
  }
  throw wrong(field, `${path} must have fields such as dependencies`);
}

interface BuildContext {
  /** An address, where there are no files of this machine. */
  readonly source: string | LocalFiles;
  readonly dockerfilePath: string;
}

async function buildContext(folder: string, { build }: JobEnvironment): Promise<BuildContext | undefined> {
  if (build === undefined) return undefined;
  const { path, dockerfilePath = 'Dockerfile' } = build;
  if (/^(https?|azureml):/i.test(path)) return { source: path, dockerfilePath };
  const field = 'environment.build.path';
  const local = localPath(folder, path);
  if (local === undefined) throw wrong(field, `${JSON.stringify(path)} must be a folder of this machine, or https://…`);
  const files = await readLocalFiles(field, local, { mostBytes: mostBytesOfCode });
  const hasDockerfile = files.files.some((file) => file.path === dockerfilePath.replace(/^\.\//, ''));
  if (files.isFile || !hasDockerfile) throw wrong(field, `${local} must be a folder with a file ${dockerfilePath}`);
  return { source: files, dockerfilePath };
}

async function bringEnvironment(
  workspace: JobWorkspace,
  { image, description, osType, tags }: JobEnvironment,
  condaFile: string | undefined,
  context: BuildContext | undefined,
): Promise<string> {
  const build = context === undefined ? undefined : await bringContext(workspace, context);
  const described = { image, condaFile, build, osType };
  const version = createHash('sha256').update(JSON.stringify(described)).digest('hex');
  // *azure-ai-ml: the name of those that have none.*
  const id = `${workspace.scope}/environments/CliV2AnonymousEnvironment/versions/${version}`;
  await workspace.send('PUT', id, { properties: { ...described, description, tags, isAnonymous: true } });
  return id;
}

async function bringContext(workspace: JobWorkspace, { source, dockerfilePath }: BuildContext) {
  if (typeof source === 'string') return { contextUri: source, dockerfilePath };
  const { url } = await uploadToBlobStore(workspace, source, await contentHash(source));
  return { contextUri: `${url}/`, dockerfilePath };
}
