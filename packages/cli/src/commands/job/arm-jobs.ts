import { randomUUID } from 'node:crypto';
import { listAll, type Resources } from '../../resource-manager.ts';
import { readCode, readInput, type Bringing } from './arm-assets.ts';
import { readEnvironment } from './arm-environment.ts';
import type { JobWorkspace } from './arm-uploads.ts';
import { wrong, type JobFile, type JobInput } from './job-file.ts';

/**
 * Jobs of Azure Machine Learning, by its resource manager. What the YAML has in snake case is sent as the resource has it; ids
 * of environments and machines are made whole, and what lies on this machine is uploaded before.
 */
export interface ArmJob {
  readonly id: string;
  readonly name: string;
  readonly properties: Readonly<Record<string, unknown>> & { readonly jobType?: string };
  readonly systemData?: { readonly createdAt?: string; readonly createdBy?: string };
}

/** *azure-ai-ml: how YAML calls them, and how the resource does.* */
const modes: Readonly<Record<string, string>> = {
  ro_mount: 'ReadOnlyMount',
  rw_mount: 'ReadWriteMount',
  download: 'Download',
  upload: 'Upload',
  direct: 'Direct',
  eval_mount: 'EvalMount',
  eval_download: 'EvalDownload',
};
const distributions: Readonly<Record<string, string>> = {
  pytorch: 'PyTorch',
  mpi: 'Mpi',
  tensorflow: 'TensorFlow',
  ray: 'Ray',
};
const identities: Readonly<Record<string, string>> = {
  managed: 'Managed',
  managed_identity: 'Managed',
  user_identity: 'UserIdentity',
  aml_token: 'AMLToken',
};

/** Whatever is wrong is told before anything is sent, and the job comes when all that it names is there. */
export async function putArmJob(file: JobFile, experimentName: string, workspace: JobWorkspace): Promise<ArmJob> {
  const { scope, send } = workspace;
  const body = jobBody(scope, file, experimentName);
  const environment = await readEnvironment(workspace, file);
  const code = await readCode(workspace, file);
  const inputs = await readInputs(workspace, file);
  const properties = {
    ...body,
    environmentId: await environment(),
    ...(code === undefined ? {} : { codeId: await code() }),
    inputs: await inputs(),
  };
  return (await send('PUT', `${scope}/jobs/${file.name ?? randomUUID()}`, { properties })) as ArmJob;
}

function jobBody(scope: string, file: JobFile, experimentName: string) {
  const { outputs, resources, limits, distribution, identity, queue_settings } = file.further;
  return {
    jobType: 'Command',
    command: file.command,
    experimentName,
    tags: file.tags,
    environmentVariables: file.environmentVariables,
    ...(file.displayName === undefined ? {} : { displayName: file.displayName }),
    ...(file.description === undefined ? {} : { description: file.description }),
    ...(file.compute === undefined ? {} : { computeId: computeId(scope, file.compute) }),
    ...(outputs === undefined ? {} : { outputs: outputsBody(outputs) }),
    ...(resources === undefined ? {} : { resources: camelCased(resources) }),
    ...(limits === undefined ? {} : { limits: limitsBody(limits) }),
    ...(distribution === undefined
      ? {}
      : { distribution: typed('distribution', distribution, 'distributionType', distributions) }),
    ...(identity === undefined ? {} : { identity: typed('identity', identity, 'identityType', identities) }),
    ...(queue_settings === undefined ? {} : { queueSettings: camelCased(queue_settings) }),
  };
}

export async function getArmJob({ send }: Resources, scope: string, name: string): Promise<ArmJob> {
  return (await send('GET', `${scope}/jobs/${encodeURIComponent(name)}`)) as ArmJob;
}

export async function cancelArmJob({ send }: Resources, scope: string, name: string): Promise<void> {
  await send('POST', `${scope}/jobs/${encodeURIComponent(name)}/cancel`);
}

export async function listArmJobs(resources: Resources, scope: string): Promise<ArmJob[]> {
  return listAll<ArmJob>(resources, `${scope}/jobs`);
}

/** *The fields of `az ml job show`.* */
export function armJobShown({ id, name, properties, systemData }: ArmJob) {
  const idEnd = (value: unknown): string | null =>
    typeof value === 'string' ? `azureml:${value.split('/').at(-1) ?? ''}` : null;
  return {
    id,
    name,
    display_name: properties['displayName'] ?? null,
    experiment_name: properties['experimentName'] ?? null,
    description: properties['description'] ?? null,
    type: properties.jobType?.toLowerCase() ?? null,
    status: properties['status'] ?? null,
    command: properties['command'] ?? null,
    compute: idEnd(properties['computeId']),
    environment: properties['environmentId'] ?? null,
    tags: properties['tags'] ?? {},
    properties: properties['properties'] ?? {},
    services: properties['services'] ?? {},
    creation_context: { created_at: systemData?.createdAt ?? null, created_by: systemData?.createdBy ?? null },
  };
}

function computeId(scope: string, compute: string): string {
  const name = compute.replace(/^azureml:/, '');
  return name.includes('/') ? name : `${scope}/computes/${name}`;
}

async function readInputs(workspace: JobWorkspace, file: JobFile): Promise<Bringing<Record<string, object>>> {
  const bringing: (readonly [string, Bringing<object>])[] = [];
  for (const [name, input] of Object.entries(file.inputs))
    bringing.push([name, await inputBody(workspace, file, name, input)]);
  return async () => {
    const bodies: Record<string, object> = {};
    for (const [name, bring] of bringing) bodies[name] = await bring();
    return bodies;
  };
}

async function inputBody(
  workspace: JobWorkspace,
  file: JobFile,
  name: string,
  input: JobInput,
): Promise<Bringing<object>> {
  if (typeof input === 'string') return async () => ({ jobInputType: 'literal', value: input });
  const mode = modeBody(`inputs.${name}.mode`, input.mode);
  const bring = await readInput(workspace, file, name, input);
  return async () => ({ jobInputType: input.type, uri: await bring(), ...mode });
}

function outputsBody(outputs: Readonly<Record<string, unknown>>) {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, output]) => {
      const { type = 'uri_folder', mode, path, ...others } = (output ?? {}) as Record<string, unknown>;
      const [unknown] = Object.keys(others);
      if (unknown !== undefined) throw wrong(`outputs.${name}.${unknown}`, 'this field is not known, or not supported');
      const place = path === undefined ? {} : { uri: path };
      return [name, { jobOutputType: type, ...place, ...modeBody(`outputs.${name}.mode`, mode) }];
    }),
  );
}

function modeBody(field: string, mode: unknown) {
  if (mode === undefined) return {};
  const word = typeof mode === 'string' ? modes[mode] : undefined;
  if (word === undefined) throw wrong(field, `${JSON.stringify(mode)} must be one of ${Object.keys(modes).join(', ')}`);
  return { mode: word };
}

function limitsBody({ timeout, ...others }: Readonly<Record<string, unknown>>) {
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw wrong(`limits.${unknown}`, 'this field is not known, or not supported');
  if (!Number.isSafeInteger(Number(timeout))) throw wrong('limits.timeout', 'it must be seconds');
  return { jobLimitsType: 'Command', timeout: `PT${Number(timeout)}S` };
}

/** What says by its `type` which kind it is. */
function typed(
  field: string,
  { type, ...rest }: Readonly<Record<string, unknown>>,
  discriminator: string,
  words: Readonly<Record<string, string>>,
) {
  const word = words[String(type)];
  if (word === undefined) {
    throw wrong(`${field}.type`, `${JSON.stringify(type)} must be one of ${Object.keys(words).join(', ')}`);
  }
  return { [discriminator]: word, ...camelCased(rest) };
}

function camelCased(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
}
