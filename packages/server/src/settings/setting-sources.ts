import { dirname, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { configOption, settingDefinitions, variablesOf, type SettingDefinition } from './setting-definitions.ts';

/** What somebody wrote for a setting, and where. */
export interface Given {
  readonly text: string;
  /** For messages: `--port`, `LAZULI_PORT`, `settings.yaml`. */
  readonly source: string;
  /** The folder that a relative path counts from. */
  readonly base: string;
}

/** What is wrong, in one sentence that names the setting, the value, the rule and where the value came from. */
export type Mistake = string;

export interface SettingSources {
  /** By the setting's name (`data-dir`), as the command's options or a program gives them. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => string;
  /** Relative paths from options and the environment count from here, those of the file from the file's folder. */
  readonly workingDir: string;
}

export interface GivenSettings {
  readonly given: ReadonlyMap<string, Given>;
  readonly mistakes: readonly Mistake[];
  readonly warnings: readonly string[];
}

/** Options go before the environment, the environment before the file. */
export function gatherSettings(sources: SettingSources): GivenSettings {
  const file = readSettingsFile(sources);
  const given = new Map<string, Given>();
  for (const definition of settingDefinitions) {
    const found =
      fromFlags(definition, sources) ?? fromEnvironment(definition, sources) ?? file.given.get(definition.name);
    if (found !== undefined) given.set(definition.name, found);
  }
  return { given, mistakes: [...unknownFlags(sources), ...file.mistakes], warnings: unknownVariables(sources) };
}

function fromFlags({ name }: SettingDefinition, { flags, workingDir }: SettingSources): Given | undefined {
  const text = flags[name];
  return text === undefined ? undefined : { text, source: `--${name}`, base: workingDir };
}

/** A variable that is set to nothing counts as not set: that is how compose files and shells leave one out. */
function fromEnvironment(definition: SettingDefinition, { env, workingDir }: SettingSources): Given | undefined {
  for (const source of variablesOf(definition)) {
    const text = env[source];
    if (text !== undefined && text !== '') return { text, source, base: workingDir };
  }
  return undefined;
}

function readSettingsFile(sources: SettingSources): { given: Map<string, Given>; mistakes: Mistake[] } {
  const given = new Map<string, Given>();
  const named = sources.flags[configOption.name] ?? (sources.env[configOption.variable] || undefined);
  if (named === undefined) return { given, mistakes: [] };
  const path = resolve(sources.workingDir, named);
  const problem = (text: string) => ({ given, mistakes: [`${configOption.name}: ${JSON.stringify(named)} ${text}`] });

  let text: string;
  try {
    text = sources.readFile(path);
  } catch (error) {
    return problem(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const document = parseDocument(text, { prettyErrors: true });
  const [syntaxError] = document.errors;
  if (syntaxError !== undefined) return problem(`is not YAML: ${syntaxError.message.split('\n', 1)[0] ?? ''}`);
  const content = plainContent(document);
  if (content === undefined) return problem('must not contain aliases');
  if (content === null) return { given, mistakes: [] };
  if (!(content instanceof Map)) return problem('must be a mapping from the names of settings to their values');

  const mistakes: Mistake[] = [];
  for (const [key, value] of content as Map<unknown, unknown>) {
    const definition = settingDefinitions.find(({ name }) => name === key);
    const written = definition === undefined ? undefined : textOf(definition, value);
    if (definition === undefined) mistakes.push(`${String(key)}: is no setting (from ${named})`);
    else if (written === undefined)
      mistakes.push(`${definition.name}: must be ${expected(definition)} (from ${named})`);
    else if (written !== '') given.set(definition.name, { text: written, source: named, base: dirname(path) });
  }
  return { given, mistakes };
}

/** Undefined where the file has aliases. *YAML: a few aliases of aliases stand for gigabytes*, and no setting needs one. */
function plainContent(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS({ mapAsMap: true, maxAliasCount: 0 });
  } catch (error) {
    if (error instanceof ReferenceError) return undefined;
    throw error;
  }
}

function textOf({ list }: SettingDefinition, value: unknown): string | undefined {
  if (value === null) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (list === true && Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(',');
  return undefined;
}

function expected({ list }: SettingDefinition): string {
  return list === true ? 'a text or a list of texts' : 'a text or a number';
}

function unknownFlags({ flags }: SettingSources): Mistake[] {
  const known = new Set<string>([configOption.name, ...settingDefinitions.map(({ name }) => name)]);
  return Object.keys(flags)
    .filter((name) => flags[name] !== undefined && !known.has(name))
    .map((name) => `${name}: is no setting (from --${name})`);
}

/** What the command reads beside the settings of the server. */
const commandVariables = ['LAZULI_URL', 'LAZULI_TOKEN'];

function unknownVariables({ env }: SettingSources): string[] {
  const known = new Set([configOption.variable, ...commandVariables, ...settingDefinitions.flatMap(variablesOf)]);
  return Object.keys(env)
    .filter((name) => name.startsWith('LAZULI_') && !known.has(name))
    .map((name) => `${name} is set in the environment and is no setting of this server.`);
}
