import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { publishedAttacks } from './published-attacks.ts';

const folder = join(import.meta.dirname, '..');
const tests = globSync('**/*.test.ts', { cwd: folder })
  .filter((file) => !file.includes('published-attacks'))
  .map((file) => readFileSync(join(folder, file), 'utf8'));

test.each(
  publishedAttacks.filter(({ concerns }) => concerns === 'here').map(({ name, mechanism }) => [name, mechanism]),
)('%s (%s) is tested under its name', (name) => {
  expect(tests.filter((text) => text.includes(name))).not.toEqual([]);
});

test('no attack is listed twice', () => {
  const names = publishedAttacks.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
