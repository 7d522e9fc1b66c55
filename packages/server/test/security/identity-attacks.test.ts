import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { identityAttacks } from './identity-attacks.ts';

const server = join(import.meta.dirname, '..', '..');
const titles = globSync('{src,test}/**/*.test.ts', { cwd: server })
  .filter((file) => !file.endsWith('identity-attacks.test.ts'))
  .flatMap((file) => [
    ...readFileSync(join(server, file), 'utf8').matchAll(
      /\b(?:test|describe|onEveryEngine)(?:\.each\([^]*?\]\))?\(\s*(['"`])(.*?)\1/g,
    ),
  ])
  .map(([, , title = '']) => title);

test.each(identityAttacks.map(({ name, mechanism }) => [name, mechanism]))(
  '%s (%s) is tested under its name',
  (name) => {
    expect(titles.filter((title) => title.includes(name))).not.toEqual([]);
  },
);

test.each(identityAttacks.map(({ name, defence }) => [name, defence] as const))(
  '%s is held off by files that are there',
  (_, defence) => {
    expect(defence.filter((file) => !existsSync(join(server, 'src', file)))).toEqual([]);
  },
);
