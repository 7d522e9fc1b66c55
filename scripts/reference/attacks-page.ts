import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityAttacks } from '../../packages/server/test/security/identity-attacks.ts';
import { publishedAttacks } from '../../packages/server/test/security/published-attacks.ts';
import { code, page, table } from './markdown.ts';

const intro = `Attacks that were published against MLflow servers, and those on signing in, tokens and signed URLs. Each one that concerns
what this server has is tested under its own name; the others are listed with what would bring them here, so that they are tested when that comes.`;

/** Each attack with the tests that name it. */
export function attacksPage(root: string): string {
  const tests = globSync('packages/server/{src,test}/**/*.test.ts', { cwd: root })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => !/(published|identity)-attacks\.test\.ts$/.test(file))
    .sort()
    .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }));
  const here = publishedAttacks.filter(({ concerns }) => concerns === 'here');
  const elsewhere = publishedAttacks.filter(({ concerns }) => concerns !== 'here');
  const tested = (attacks: readonly Tested[]): string =>
    table(
      ['attack', 'how it works', 'defence', 'tests'],
      attacks.map(({ name, mechanism, defence = [] }) => [
        ...[name, mechanism, defence.map(code).join('<br>')],
        testsNaming(name, tests).map(code).join('<br>'),
      ]),
    );
  return page(
    'Attacks',
    intro,
    '## Published, and tested',
    tested(here),
    '## On identity',
    tested(identityAttacks),
    '## Published, with nothing here that they could reach',
    table(
      ['attack', 'how it works', 'concerns'],
      elsewhere.map(({ name, mechanism, concerns }) => [name, mechanism, concerns]),
    ),
  );
}

interface Tested {
  readonly name: string;
  readonly mechanism: string;
  readonly defence?: readonly string[];
}

function testsNaming(name: string, tests: readonly { readonly file: string; readonly text: string }[]): string[] {
  const files = tests
    .filter(({ text }) => text.includes(name))
    .map(({ file }) => file.replace(/^packages\/server\/(test\/)?/, ''));
  if (files.length === 0) throw new Error(`No test names the attack ${name}.`);
  return files;
}
