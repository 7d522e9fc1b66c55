import cluster from 'node:cluster';
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
  type Server,
  type ServerOptions,
  type SettingDefinition,
  type Settings,
} from '@lazuli/server';
import { Option, type Command } from 'commander';
import { withHelp } from '../command-help.ts';
import { version, type Surroundings } from '../surroundings.ts';
import { CommandError, EndWithStatus, explainSystemError, type Output } from '../output.ts';
import { onStopSignal } from '../stop-signal.ts';

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
  withHelp(command, {
    notes: 'An option goes before the environment, the environment before the file, the file before the default.',
    examples: [
      'lazuli serve --port 5001 --data-dir ./elsewhere',
      'lazuli serve --host 0.0.0.0 --auth token --allowed-hosts mlflow.example.org',
      'lazuli serve --config lazuli.yaml',
    ],
  })
    .option('--no-tls', 'the same as --tls off')
    .action(async (given: Readonly<Record<string, string | false | undefined>>) => {
      const flagOf = (attribute: string): string | undefined => {
        const value = given[attribute];
        return value === false ? 'off' : value;
      };
      const flags: Record<string, string | undefined> = { [configOption.name]: flagOf(configOption.name) };
      for (const { definition, option } of options) flags[definition.name] = flagOf(option.attributeName());
      const { output } = surroundings;
      if (cluster.isWorker) {
        await serveAsWorker(() => checkSettings(flags, surroundings));
      } else {
        const settings = readSettings(flags, surroundings);
        await (settings.workers === 1 ? serve(settings, output) : serveByWorkers(settings, output));
      }
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

type Flags = Readonly<Record<string, string | undefined>>;

export function readSettings(flags: Flags, surroundings: Surroundings): Settings {
  const settings = checkSettings(flags, surroundings);
  for (const warning of settings.warnings) surroundings.output.remark(`lazuli: warning: ${warning}`);
  return settings;
}

/** Without the warnings, which `readSettings` tells. */
export function checkSettings(flags: Flags, { env, workingDir }: Omit<Surroundings, 'output'>): Settings {
  try {
    return parseSettings({ flags, env, workingDir, readFile: (path) => readFileSync(path, 'utf8') });
  } catch (error) {
    if (error instanceof SettingsError) throw new CommandError(2, error.message, { cause: error });
    throw error;
  }
}

async function serve(settings: Settings, output: Output): Promise<void> {
  const stopping = new Promise<void>((resolve) => {
    onStopSignal({
      gracefully() {
        output.result('Stopping: requests that are under way are answered first.');
        resolve();
      },
      atOnce: (_signal, status) => process.exit(status),
    });
  });
  await serveUntil(stopping, settings, {
    onListening: ({ urls }) => output.result(greeting(settings, urls)),
  });
}

/** Several processes behind one port: this one starts them, and each of them runs the same command line. */
async function serveByWorkers(settings: Settings, output: Output): Promise<void> {
  const { runWorkers } = await import('../workers/primary.ts');
  const status = await runWorkers({
    count: settings.workers,
    output,
    onListening: (urls) => output.result(greeting(settings, urls)),
  });
  if (status !== 0) throw new EndWithStatus(status);
}

/** What the person at the terminal should know is said by the process that started this one. */
async function serveAsWorker(settingsNow: () => Settings): Promise<void> {
  const { openWorkerLine } = await import('../workers/worker.ts');
  const line = openWorkerLine();
  const asked = new Promise<void>((resolve) => {
    onStopSignal({ gracefully: () => resolve(), atOnce: (_signal, status) => process.exit(status) });
  });
  try {
    await serveUntil(Promise.race([asked, line.orphaned]), settingsNow(), {
      otherMetrics: line.otherMetrics,
      onListening: (server) => line.listening(server.urls, () => server.metrics()),
    });
  } finally {
    line.close();
  }
}

interface ServeOptions extends ServerOptions {
  readonly onListening: (server: Server) => void;
}

async function serveUntil(
  stopping: Promise<void>,
  settings: Settings,
  { onListening, ...options }: ServeOptions,
): Promise<void> {
  let server: Server | undefined;
  try {
    server = await createServer(settings, options);
    await server.listen();
    onListening(server);
    await stopping;
  } catch (error) {
    throw startError(error, settings);
  } finally {
    await server?.close();
  }
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
