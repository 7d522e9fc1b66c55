import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { publishedAttacks } from '../../packages/server/test/security/published-attacks.ts';
import { code, page, table } from './markdown.ts';

const intro = `Attacks that were published against MLflow servers. Each one that concerns what this server has is tested under its own
name; the others are listed with what would bring them here, so that they are tested when that comes.`;

/** Each attack with the tests that name it. */
export function attacksPage(root: string): string {
  const tests = globSync('packages/server/test/**/*.test.ts', { cwd: root })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => !file.endsWith('/published-attacks.test.ts'))
    .sort()
    .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }));
  const here = publishedAttacks.filter(({ concerns }) => concerns === 'here');
  const elsewhere = publishedAttacks.filter(({ concerns }) => concerns !== 'here');
  return page(
    'Published attacks',
    intro,
    '## Tested',
    table(
      ['attack', 'how it works', 'defence', 'tests'],
      here.map(({ name, mechanism, defence = [] }) => [
        ...[name, mechanism, defence.map(code).join('<br>')],
        testsNaming(name, tests).map(code).join('<br>'),
      ]),
    ),
    '## Nothing here that they could reach',
    table(
      ['attack', 'how it works', 'concerns'],
      elsewhere.map(({ name, mechanism, concerns }) => [name, mechanism, concerns]),
    ),
  );
}

function testsNaming(name: string, tests: readonly { readonly file: string; readonly text: string }[]): string[] {
  const files = tests
    .filter(({ text }) => text.includes(name))
    .map(({ file }) => file.replace('packages/server/test/', ''));
  if (files.length === 0) throw new Error(`No test names the attack ${name}.`);
  return files;
}
