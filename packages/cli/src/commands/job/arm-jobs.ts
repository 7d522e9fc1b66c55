import { randomUUID } from 'node:crypto';
import { listAll, type Resources } from '../../resource-manager.ts';
import { wrong, type JobFile, type JobInput } from './job-file.ts';

/**
 * Jobs of Azure Machine Learning, by its resource manager. What the YAML has in snake case is sent as the resource has it; ids
 * of environments and machines are made whole. Folders on this machine are not uploaded: code has to be registered.
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

export async function putArmJob(
  { send }: Resources,
  scope: string,
  file: JobFile,
  experimentName: string,
): Promise<ArmJob> {
  if (file.environment === undefined) throw wrong('environment', 'Azure ML needs one: azureml:name:version');
  const { outputs, resources, limits, distribution, identity, queue_settings } = file.further;
  const properties = {
    jobType: 'Command',
    command: file.command,
    environmentId: await environmentId({ send }, scope, file.environment),
    experimentName,
    tags: file.tags,
    environmentVariables: file.environmentVariables,
    inputs: Object.fromEntries(Object.entries(file.inputs).map(([name, input]) => [name, inputBody(name, input)])),
    ...(file.code === undefined ? {} : { codeId: codeId(scope, file.code) }),
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
  return (await send('PUT', `${scope}/jobs/${file.name ?? randomUUID()}`, { properties })) as ArmJob;
}

export async function getArmJob({ send }: Resources, scope: string, name: string): Promise<ArmJob> {
  return (await send('GET', `${scope}/jobs/${encodeURIComponent(name)}`)) as ArmJob;
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

async function environmentId({ send }: Resources, scope: string, text: string): Promise<string> {
  const name = text.replace(/^azureml:(?!\/\/)/, '');
  if (name.includes('/')) return name;
  const [, labelled] = /^([^@:]+)@latest$/.exec(name) ?? [];
  if (labelled !== undefined) {
    const container = (await send('GET', `${scope}/environments/${encodeURIComponent(labelled)}`)) as ArmJob;
    return `${scope}/environments/${labelled}/versions/${String(container.properties['latestVersion'])}`;
  }
  const [, known, version] = /^([^@:]+):([^@:]+)$/.exec(name) ?? [];
  if (known === undefined || version === undefined) {
    throw wrong('environment', `${JSON.stringify(text)} must be azureml:name:version or azureml:name@latest`);
  }
  return `${scope}/environments/${known}/versions/${version}`;
}

function codeId(scope: string, code: string): string {
  const [, name, version] = /^azureml:([^/:@]+):([^/:@]+)$/.exec(code) ?? [];
  if (name !== undefined && version !== undefined) return `${scope}/codes/${name}/versions/${version}`;
  if (/^(azureml:)?\/subscriptions\//.test(code) || code.startsWith('azureml://'))
    return code.replace(/^azureml:\//, '/');
  throw wrong('code', `${JSON.stringify(code)} is not uploaded; register it with az ml, and give azureml:name:version`);
}

function computeId(scope: string, compute: string): string {
  const name = compute.replace(/^azureml:/, '');
  return name.includes('/') ? name : `${scope}/computes/${name}`;
}

function inputBody(name: string, input: JobInput) {
  if (typeof input === 'string') return { jobInputType: 'literal', value: input };
  if (!/^(azureml|https?|wasbs?|abfss?|adl):/.test(input.path)) {
    throw wrong(`inputs.${name}.path`, 'files of this machine are not uploaded; give an address of data');
  }
  return { jobInputType: input.type, uri: input.path, ...modeBody(`inputs.${name}.mode`, input.mode) };
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
