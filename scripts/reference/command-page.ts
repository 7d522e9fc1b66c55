import { commandsBelow, helpOf, pathOf } from '../../packages/cli/src/command-help.ts';
import { describeEverything } from '../../packages/cli/src/command.ts';
import { code, page, table } from './markdown.ts';

const rules = `Every command shows its own help with \`--help\`, and all but \`serve\` with \`-h\`. Options of several values take them one after the other.

Data go to stdout, words about them to stderr. Commands that print a result take \`-o json|jsonc|table|tsv|yaml|none\` and \`--query\`, in
[JMESPath](https://jmespath.org), as the Azure CLI does; \`json\` is the usual format, so texts are quoted.`;

const statuses = table(
  ['status', 'meaning'],
  [
    ['0', 'all went well'],
    [
      '1',
      'something failed: what a server said, or a file; also what a command reports as failed (`doctor`, `db status`)',
    ],
    ['2', 'the line, a setting or a file that describes something is wrong; nothing was done'],
    ['3', 'what was asked for is not there'],
    ['130, 143', 'Ctrl-C, or a signal, ended it'],
    ['any other', 'of `job run`, `job create` and `session`: that of the program'],
  ],
);

const mostOptions = table(
  ['option', 'meaning'],
  [
    [
      '`--url <url>`',
      'the server; without it the environment says, then `lazuli configure`, then `http://127.0.0.1:5000`',
    ],
    [
      '`-w, --workspace-name <name>`',
      'the workspace; without it the environment, the nearest `config.json`, `lazuli configure`',
    ],
    ['`-g, --resource-group <name>`', 'its resource group, likewise'],
    ['`--subscription <id>`', 'its subscription, likewise'],
    ['`-o, --output <format>`', 'how the result is printed: json, jsonc, table, tsv, yaml, none'],
    ['`--query <jmespath>`', 'what of the result is printed'],
  ],
);

const variables = table(
  ['variable', 'meaning'],
  [
    ['`LAZULI_URL`', 'the server, before `MLFLOW_TRACKING_URI`'],
    ['`MLFLOW_TRACKING_URI`', 'the server; `azureml://…` for the commands that do what MLflow does, and for jobs'],
    ['`LAZULI_TOKEN`', 'a token, before everything else that says who calls'],
    ['`MLFLOW_TRACKING_USERNAME`, `…_PASSWORD`, `MLFLOW_TRACKING_TOKEN`', 'as MLflow means them'],
    ['`LAZULI_WORKSPACE`, `MLFLOW_WORKSPACE`', 'the workspace'],
    ['`AZURE_SUBSCRIPTION_ID`', 'the subscription'],
    ['`AZUREML_CURRENT_CLOUD`, `ARM_CLOUD_METADATA_URL`', 'the cloud, before `lazuli cloud set`'],
    ['`LAZULI_OUTPUT`', 'the format of results'],
    ['`LAZULI_CONFIG_DIR`', 'where defaults, clouds and accounts are kept (default: `~/.lazuli`)'],
  ],
);

type Described = ReturnType<typeof commandsBelow>[number];

/** From the commands themselves; `serve` is told by the page of settings. */
export async function commandPage(): Promise<string> {
  const output = { result: () => undefined, remark: () => undefined, isTerminal: false };
  const program = await describeEverything({ output, env: {}, workingDir: '/' });
  const sections = program.commands.flatMap((noun) => [
    `## ${pathOf(noun)}`,
    `${noun.description()}.`,
    ...commandsBelow(noun)
      .filter(({ commands }) => commands.length === 0)
      .flatMap((command) => sectionOf(command, noun)),
  ]);
  return page(
    'The command',
    rules,
    '## How it ends',
    statuses,
    '## Environment',
    variables,
    '## Options of most commands',
    mostOptions,
    ...sections,
  );
}

function sectionOf(command: Described, noun: Described): string[] {
  const { notes, examples = [] } = helpOf(command) ?? {};
  const title = command === noun ? [] : [`### ${pathOf(command)}`, `${command.description()}.`];
  const arguments_ = command.registeredArguments.map((argument) => {
    const name = argument.name() + (argument.variadic ? '...' : '');
    return argument.required ? `<${name}>` : `[${name}]`;
  });
  return [
    ...title,
    code([pathOf(command), ...arguments_, '[options]'].join(' ')),
    ...(notes === undefined ? [] : [notes]),
    command.name() === 'serve' ? 'Its options are the [settings](settings.md).' : optionsOf(command),
    `\`\`\`\n${examples.join('\n')}\n\`\`\``,
  ].filter((block) => block !== '');
}

/** Those that nearly every command has are told once. */
const common = new Set(['--url', '--workspace-name', '--resource-group', '--subscription', '--output', '--query']);

function optionsOf({ options }: Described): string {
  const own = options.filter(({ long }) => !common.has(long ?? ''));
  const others = options
    .filter(({ long }) => common.has(long ?? ''))
    .map(({ flags }) => code(flags.replace(/ <.*/, '')));
  const known = others.length === 0 ? '' : `As [most commands](#options-of-most-commands): ${others.join(', ')}.`;
  return [own.length === 0 ? '' : optionTable(own), known].filter((block) => block !== '').join('\n\n');
}

function optionTable(options: Described['options']): string {
  const rows = options.map(({ flags, description, mandatory, argChoices, defaultValue }) => [
    code(flags),
    [
      description,
      ...(argChoices === undefined ? [] : [`one of ${argChoices.join(', ')}`]),
      ...(mandatory ? ['required'] : []),
      ...(defaultValue === undefined ? [] : [`default: ${String(defaultValue)}`]),
    ].join('; '),
  ]);
  return table(['option', 'meaning'], rows);
}
