import { readFileSync } from 'node:fs';
import {
  configOption,
  createServer,
  databaseName,
  parseSettings,
  pasteLines,
  settingDefinitions,
  SettingsError,
  variablesOf,
  type SettingDefinition,
  type Settings,
} from '@lazuli/server';
import { Option, type Command } from 'commander';
import { version, type Surroundings } from '../surroundings.ts';
import { CommandError, explainSystemError, type Output } from '../output.ts';

/** `lazuli serve`: every setting of the server is an option. */
export function describeServe(command: Command, surroundings: Surroundings): void {
  command.addOption(
    new Option(
      `--${configOption.name} <${configOption.placeholder}>`,
      `${configOption.sentence} (${configOption.variable})`,
    ),
  );
  const options = settingDefinitions.map((definition) => ({ definition, option: optionOf(definition) }));
  for (const { option } of options) command.addOption(option);
  command
    .addHelpText(
      'after',
      `
An option goes before the environment, the environment before the file, the file before the default.

Examples:
  lazuli serve --port 5001 --data-dir ./elsewhere
  lazuli serve --host 0.0.0.0 --auth token --allowed-hosts mlflow.example.org
  lazuli serve --config lazuli.yaml`,
    )
    .action(async (given: Readonly<Record<string, string | undefined>>) => {
      const flags: Record<string, string | undefined> = { [configOption.name]: given[configOption.name] };
      for (const { definition, option } of options) flags[definition.name] = given[option.attributeName()];
      await serve(readSettings(flags, surroundings), surroundings.output);
    });
}

function optionOf(definition: SettingDefinition): Option {
  const { name, shortOption, placeholder, sentence, defaultText, otherwise } = definition;
  const short = shortOption === undefined ? '' : `-${shortOption}, `;
  const fallback = defaultText ?? otherwise ?? 'none';
  return new Option(
    `${short}--${name} <${placeholder}>`,
    `${sentence} (default: ${fallback}; ${variablesOf(definition).join(', ')})`,
  );
}

export function readSettings(
  flags: Readonly<Record<string, string | undefined>>,
  { env, workingDir, output }: Surroundings,
): Settings {
  try {
    const settings = parseSettings({ flags, env, workingDir, readFile: (path) => readFileSync(path, 'utf8') });
    for (const warning of settings.warnings) output.remark(`lazuli: warning: ${warning}`);
    return settings;
  } catch (error) {
    if (error instanceof SettingsError) throw new CommandError(2, error.message, { cause: error });
    throw error;
  }
}

async function serve(settings: Settings, output: Output): Promise<void> {
  const stop = stopSignal(output);
  let server: Awaited<ReturnType<typeof createServer>> | undefined;
  try {
    server = await createServer(settings);
    await server.listen();
    output.result(greeting(settings, server.urls));
    await stop;
  } catch (error) {
    throw startError(error, settings);
  } finally {
    await server?.close();
  }
}

/** Ctrl-C under `npm start` arrives twice: from the terminal, and passed on by npm. */
const sameSignalMs = 500;

/** Settles at the first signal that asks for a graceful stop; the second one ends the process at once. */
async function stopSignal(output: Output): Promise<NodeJS.Signals> {
  const asked = Promise.withResolvers<NodeJS.Signals>();
  let askedAt: number | undefined;
  const onSignal = (signal: 'SIGINT' | 'SIGTERM') => {
    if (askedAt !== undefined) {
      if (performance.now() - askedAt < sameSignalMs) return;
      process.exit(signal === 'SIGINT' ? 130 : 143);
    }
    askedAt = performance.now();
    output.result('Stopping: requests that are under way are answered first.');
    asked.resolve(signal);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return asked.promise;
}

function greeting(settings: Settings, urls: readonly string[]): string {
  const [url = ''] = urls;
  const lines = pasteLines({ url, auth: settings.auth }).flatMap(({ title, text }) => [
    '',
    title,
    ...text.split('\n').map((line) => (line === '' ? '' : `  ${line}`)),
  ]);
  return [
    `Lazuli ${version} listens on ${urls.join(' and ')}`,
    `Database   ${databaseName(settings)}`,
    `Artifacts  ${settings.artifactsDestination}`,
    ...lines,
    '',
  ].join('\n');
}

function startError(error: unknown, settings: Settings): CommandError {
  const message = error instanceof Error ? error.message : String(error);
  const sentence = explainSystemError(error, settings) ?? message;
  const detailed = settings.logLevel === 'trace' || settings.logLevel === 'debug';
  const stack = detailed && error instanceof Error ? `\n${error.stack ?? ''}` : '';
  return new CommandError(1, `${sentence}${stack}`, { cause: error });
}
