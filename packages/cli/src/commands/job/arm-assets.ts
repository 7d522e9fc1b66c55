import { isThere, type Resources } from '../../resource-manager.ts';
import { uploadCode, uploadToBlobStore, type JobWorkspace } from './arm-uploads.ts';
import {
  contentHash,
  hashVersion,
  localPath,
  mostBytesOfCode,
  readLocalFiles,
  type LocalFiles,
} from './local-files.ts';
import { wrong, type JobFile, type JobInput } from './job-file.ts';

/**
 * What a job of Azure ML names or brings along: code, data, and the names of all that is registered. Each is read and checked
 * here before anything is sent; what comes back is a function that brings it to the workspace and gives the field of the job.
 */
export type Bringing<T> = () => Promise<T>;

export async function readCode(
  workspace: JobWorkspace,
  { folder, code }: JobFile,
): Promise<Bringing<string> | undefined> {
  if (code === undefined) return undefined;
  const registered = registeredId(workspace, 'codes', code);
  if (registered !== undefined) return registered;
  const path = localPath(folder, code);
  if (path === undefined) {
    throw wrong('code', `${JSON.stringify(code)} must be a file or folder of this machine, or azureml:name:version`);
  }
  const files = await readLocalFiles('code', path, { mostBytes: mostBytesOfCode });
  return () => bringCode(workspace, files);
}

async function bringCode(workspace: JobWorkspace, files: LocalFiles): Promise<string> {
  const hash = await contentHash(files);
  const id = `${workspace.scope}/codes/${hash}/versions/1`;
  if (await isThere(workspace, id)) return id;
  const properties = {
    codeUri: await uploadCode(workspace, id, files),
    isAnonymous: true,
    properties: { hash_sha256: hash, hash_version: hashVersion },
  };
  try {
    await workspace.send('PUT', id, { properties });
  } catch (error) {
    // Another job may have brought the same meanwhile; what a version holds cannot be changed.
    if (!(await isThere(workspace, id))) throw error;
  }
  return id;
}

/** What an input of a type is, where it is not the one that may be either. */
const isFileOf: Readonly<Record<string, boolean>> = {
  uri_file: true,
  uri_folder: false,
  mltable: false,
  mlflow_model: false,
  triton_model: false,
};

/** The address of an input's data. */
export async function readInput(
  workspace: JobWorkspace,
  { folder }: JobFile,
  name: string,
  { type, path }: Exclude<JobInput, string>,
): Promise<Bringing<string>> {
  const field = `inputs.${name}.path`;
  if (/^(https?|wasbs?|abfss?|adl):/i.test(path)) return async () => path;
  const registered = registeredId(workspace, type.endsWith('_model') ? 'models' : 'data', path);
  if (registered !== undefined) return registered;
  const local = localPath(folder, path);
  if (local === undefined) {
    throw wrong(
      field,
      `${JSON.stringify(path)} must be a file or folder of this machine, or an address that Azure ML reads`,
    );
  }
  const files = await readLocalFiles(field, local);
  if (isFileOf[type] !== undefined && isFileOf[type] !== files.isFile) {
    throw wrong(field, `${local} is a ${files.isFile ? 'file' : 'folder'}, and the type is ${type}`);
  }
  return async () => {
    const { datastorePath } = await uploadToBlobStore(workspace, files, await contentHash(files));
    // *azure-ai-ml: of the folders, these alone end in a slash.*
    return type === 'uri_folder' ? `${datastorePath}/` : datastorePath;
  };
}

/**
 * The id of what is registered: *`azureml:name:version`, `azureml:name@latest`, or an id as a whole, which `azureml:` may stand
 * before.* Nothing for other texts.
 */
export function registeredId(
  { send, scope }: Resources & Pick<JobWorkspace, 'scope'>,
  kind: 'codes' | 'data' | 'environments' | 'models',
  text: string,
): Bringing<string> | undefined {
  if (text.startsWith('azureml://')) return async () => text;
  const [, whole] = /^(?:azureml:)?(\/subscriptions\/.+)$/i.exec(text) ?? [];
  if (whole !== undefined) return async () => whole;
  const [, name, mark, version] = /^azureml:([^/:@]+)([:@])([^/:@]+)$/.exec(text) ?? [];
  if (name === undefined || version === undefined) return undefined;
  const id = `${scope}/${kind}/${encodeURIComponent(name)}`;
  if (mark === ':') return async () => `${id}/versions/${encodeURIComponent(version)}`;
  if (version !== 'latest') return undefined;
  return async () => {
    const { properties } = (await send('GET', id)) as { readonly properties: { readonly latestVersion?: string } };
    if (properties.latestVersion === undefined)
      throw wrong(kind, `of ${name} nothing says which version is the latest`);
    return `${id}/versions/${properties.latestVersion}`;
  };
}
