import { configOption, settingDefinitions, variablesOf } from '@lazuli/server';
import { code, page, table } from './markdown.ts';

const precedence = `Each setting can be given as an option of \`lazuli serve\`, in the environment, or in a YAML file that \`--${configOption.name}\` or
\`${configOption.variable}\` names. An option goes before the environment, the environment before the file, the file before the default. Where two variables
are named, the first one that is set counts; one that is set to nothing counts as not set. Relative paths count from the working
directory, those in the file from the file's folder. A wrong setting keeps the server from starting; all mistakes are told at once.`;

const example = `\`\`\`yaml
# lazuli.yaml: each setting under its name
host: 0.0.0.0
auth: token
allowed-hosts: [mlflow.example.org]
data-dir: /var/lib/lazuli
\`\`\``;

export function settingsPage(): string {
  const rows = settingDefinitions.map((definition) => {
    const { name, shortOption, placeholder, sentence, defaultText, otherwise } = definition;
    const option =
      code(`--${name} <${placeholder}>`) + (shortOption === undefined ? '' : `, ${code(`-${shortOption}`)}`);
    return [
      option,
      variablesOf(definition).map(code).join('<br>'),
      defaultText === undefined ? (otherwise ?? 'none') : code(defaultText),
      sentence,
    ];
  });
  return page(
    'Settings',
    precedence,
    table(['option', 'environment', 'default', 'meaning'], rows),
    '## The file',
    example,
  );
}
