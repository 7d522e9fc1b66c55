import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { isObject, withChanges } from '../../field-changes.ts';
import { CommandError } from '../../output.ts';
import type { Surroundings } from '../../surroundings.ts';

/**
 * A command job as Azure ML's YAML describes it. What stands there is checked before anything is done: a field that nobody
 * would heed is a mistake, and its name is told.
 */
export interface JobFile {
  /** The folder of the file, from which its paths count. */
  readonly folder: string;
  readonly command: string;
  readonly name?: string;
  readonly code?: string;
  readonly experimentName?: string;
  readonly displayName?: string;
  readonly description?: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly environmentVariables: Readonly<Record<string, string>>;
  readonly inputs: Readonly<Record<string, JobInput>>;
  /** Without it, Azure ML finds a machine itself. */
  readonly compute?: string;
  readonly environment?: string | JobEnvironment;
  /** Fields that only Azure ML heeds, as they stand in the file. */
  readonly further: Readonly<Record<string, Record<string, unknown>>>;
}

/** One that is described in the file, and has no name. */
export interface JobEnvironment {
  readonly image?: string;
  /** A path, or what such a file says. */
  readonly condaFile?: string | Fields;
  readonly build?: { readonly path: string; readonly dockerfilePath?: string };
  readonly description?: string;
  readonly osType?: string;
  readonly tags: Readonly<Record<string, string>>;
}

export type JobInput = string | { readonly type: string; readonly path: string; readonly mode?: string };

const furtherFields = ['outputs', 'resources', 'limits', 'distribution', 'identity', 'queue_settings'] as const;

type Fields = Readonly<Record<string, unknown>>;

export function readJobFile(path: string, changes: readonly string[], { workingDir }: Surroundings): JobFile {
  const file = resolve(workingDir, path);
  const fields = withChanges(parsed(file), changes);
  const { $schema: _schema, type, command, tags, inputs, environment_variables, environment, ...rest } = fields;
  if (type !== undefined && type !== 'command')
    throw wrong('type', `${JSON.stringify(type)} is not supported; command is`);
  if (typeof command !== 'string' || command.trim() === '') throw wrong('command', 'it must say what is run');
  const texts = { name: '', code: '', experiment_name: '', display_name: '', description: '', compute: '' };
  for (const field of Object.keys(rest)) {
    if (!(field in texts) && !(furtherFields as readonly string[]).includes(field)) {
      throw wrong(field, notKnown);
    }
  }
  const text = (field: keyof typeof texts): string | undefined => {
    const value = rest[field];
    if (value === undefined || typeof value === 'string') return value;
    throw wrong(field, 'it must be a text');
  };
  const [name, code, experimentName, displayName] = [
    text('name'),
    text('code'),
    text('experiment_name'),
    text('display_name'),
  ];
  const [description, compute] = [text('description'), text('compute')];
  if (name !== undefined) checkJobName('name', name);
  return {
    folder: dirname(file),
    command: command.trim(),
    ...(name === undefined ? {} : { name }),
    ...(code === undefined ? {} : { code }),
    ...(experimentName === undefined ? {} : { experimentName }),
    ...(displayName === undefined ? {} : { displayName }),
    ...(description === undefined ? {} : { description }),
    ...(compute === undefined ? {} : { compute }),
    ...(environment === undefined ? {} : { environment: environmentOf(environment) }),
    tags: scalars('tags', tags),
    environmentVariables: scalars('environment_variables', environment_variables),
    inputs: Object.fromEntries(
      Object.entries(objectOf('inputs', inputs)).map(([input, value]) => [input, inputOf(`inputs.${input}`, value)]),
    ),
    further: Object.fromEntries(
      furtherFields.flatMap((field) => (rest[field] === undefined ? [] : [[field, objectOf(field, rest[field])]])),
    ),
  };
}

/** *Azure ML's clients: letters, digits, dashes and underscores, 255 at most.* */
export function checkJobName(from: string, name: string): string {
  if (/^[a-zA-Z0-9][\w-]{0,254}$/.test(name)) return name;
  throw new CommandError(2, `${from}: ${JSON.stringify(name)} must be letters, digits, - and _, 255 at most`);
}

/** `${{inputs.rate}}` in a command. */
export function withInputs(command: string, inputs: Readonly<Record<string, string>>): string {
  return command.replaceAll(/\$\{\{\s*([^}]*?)\s*\}\}/g, (_, expression: string) => {
    const value = inputs[/^inputs\.(.+)$/.exec(expression)?.[1] ?? ''];
    if (value !== undefined) return value;
    throw wrong('command', `nothing is known for \${{${expression}}}`);
  });
}

export function wrong(field: string, reason: string): CommandError {
  return new CommandError(2, `The job's ${field}: ${reason}.`);
}

function parsed(file: string): Fields {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CommandError(2, `${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw new CommandError(2, `${file} is not valid YAML: ${(cause as Error).message}`, { cause });
  }
  if (!isObject(value)) throw new CommandError(2, `${file} holds no job: it must begin with fields such as command.`);
  return value;
}

function scalars(field: string, value: unknown): Record<string, string> {
  const entries = Object.entries(objectOf(field, value));
  return Object.fromEntries(entries.map(([name, item]) => [name, scalar(`${field}.${name}`, item)]));
}

function scalar(field: string, value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw wrong(field, 'it must be a text, a number, true or false');
}

function environmentOf(value: unknown): string | JobEnvironment {
  if (typeof value === 'string') return value;
  if (!isObject(value)) throw wrong('environment', 'it must be azureml:name:version, or have an image or a build');
  const { image, conda_file, build, description, os_type, tags, ...others } = value;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw wrong(`environment.${unknown}`, notKnownOf(unknown));
  if ((image === undefined) === (build === undefined))
    throw wrong('environment', 'it needs an image or a build, and not both');
  if (conda_file !== undefined && image === undefined) throw wrong('environment.conda_file', 'it needs an image');
  const { path, dockerfile_path, ...rest } = objectOf('environment.build', build);
  const [unknownOfBuild] = Object.keys(rest);
  if (unknownOfBuild !== undefined) throw wrong(`environment.build.${unknownOfBuild}`, notKnown);
  return {
    ...(image === undefined ? {} : { image: scalar('environment.image', image) }),
    ...(conda_file === undefined
      ? {}
      : { condaFile: isObject(conda_file) ? conda_file : scalar('environment.conda_file', conda_file) }),
    ...(build === undefined
      ? {}
      : {
          build: {
            path: scalar('environment.build.path', path),
            ...(dockerfile_path === undefined
              ? {}
              : { dockerfilePath: scalar('environment.build.dockerfile_path', dockerfile_path) }),
          },
        }),
    ...(description === undefined ? {} : { description: scalar('environment.description', description) }),
    ...(os_type === undefined ? {} : { osType: osTypeOf(os_type) }),
    tags: scalars('environment.tags', tags),
  };
}

const notKnown = 'this field is not known, or not supported';

function notKnownOf(field: string): string {
  if (field === 'channels' || field === 'dependencies') return 'it belongs into conda_file';
  return field === 'name' || field === 'version'
    ? 'what is described in a job has none; name one as azureml:name:version'
    : notKnown;
}

function osTypeOf(value: unknown): string {
  const found = ['Linux', 'Windows'].find((type) => type.toLowerCase() === String(value).toLowerCase());
  if (found === undefined) throw wrong('environment.os_type', `${JSON.stringify(value)} must be linux or windows`);
  return found;
}

function inputOf(field: string, value: unknown): JobInput {
  if (!isObject(value)) return scalar(field, value);
  const { type = 'uri_folder', path, mode, ...others } = value;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw wrong(`${field}.${unknown}`, notKnown);
  if (path === undefined) throw wrong(field, 'it needs a path');
  return {
    type: scalar(`${field}.type`, type),
    path: scalar(`${field}.path`, path),
    ...(mode === undefined ? {} : { mode: scalar(`${field}.mode`, mode) }),
  };
}

function objectOf(field: string, value: unknown): Record<string, unknown> {
  if (value === undefined || value === null) return {};
  if (isObject(value)) return value;
  throw wrong(field, 'it must be names with values');
}
