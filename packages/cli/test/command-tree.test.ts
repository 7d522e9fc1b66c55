import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { beforeAll, describe, expect, test } from 'vitest';
import { commandsBelow, helpOf, pathOf } from '../src/command-help.ts';
import { describeEverything } from '../src/command.ts';
import { aFolder } from './lazuli-process.ts';
import { run } from './run-command.ts';

const zsh = [process.env['ZSH'] ?? '', '/bin/zsh', '/usr/bin/zsh'].find((path) => path !== '' && existsSync(path));

let commands: Command[];
beforeAll(async () => {
  const output = { result: () => undefined, remark: () => undefined, isTerminal: false };
  commands = commandsBelow(await describeEverything({ output, env: {}, workingDir: '/' }));
});
const leaves = (): Command[] => commands.filter((command) => command.commands.length === 0);

describe('every command', () => {
  test('has an example that calls it, with options that it has', () => {
    const faults: string[] = [];
    for (const command of leaves()) {
      const path = pathOf(command);
      const own = (helpOf(command)?.examples ?? []).filter((line) => line.includes(path));
      if (own.length === 0) faults.push(`${path} has no example`);
      for (const line of own) {
        const called = line.slice(line.indexOf(path) + path.length).replace(/ -- .*|\s[|>].*|["'].*?["']/g, '');
        for (const [, flag = ''] of called.matchAll(/(?<=\s)(--?[a-z][a-z-]*)(?=[\s=)]|$)/g)) {
          const known = command.options.some(({ long, short }) => long === flag || short === flag);
          if (!known) faults.push(`${path}: its example has ${flag}`);
        }
      }
    }
    expect(faults).toEqual([]);
  });

  test('says what it does, and what each of its options is for', () => {
    const faults = commands.flatMap((command) => [
      ...(command.description() === '' ? [pathOf(command)] : []),
      ...command.options
        .filter(({ description }) => description === '')
        .map(({ flags }) => `${pathOf(command)} ${flags}`),
    ]);
    expect(faults).toEqual([]);
  });

  test('shows its help on stdout and ends with 0; an option that it has not is told on stderr and ends with 2', async () => {
    using folder = aFolder();
    for (const command of commands) {
      const words = pathOf(command).split(' ').slice(1);
      const help = await run([...words, '--help'], { cwd: folder.path });
      expect([help.status, help.stderr, help.stdout]).toEqual([
        0,
        '',
        expect.stringContaining(`Usage: ${pathOf(command)}`),
      ]);
      // *MLflow: -h is the host of a server.*
      if (words[0] !== 'serve') expect((await run([...words, '-h'], { cwd: folder.path })).stdout).toBe(help.stdout);
      const wrong = await run([...words, '--no-such-option'], { cwd: folder.path });
      expect([wrong.status, wrong.stdout]).toEqual([2, '']);
      expect(wrong.stderr).toMatch(/^lazuli: /);
    }
  });
});

describe('lazuli completion', () => {
  const lines: readonly (readonly [string, readonly string[]])[] = [
    ['lazuli exp', ['experiments']],
    ['lazuli job st', ['stream']],
    ['lazuli ad sp create-', ['create-for-rbac']],
    ['lazuli runs list --exp', ['--experiment-id', '--experiment-name']],
    ['lazuli --url http://x model list --fi', ['--filter']],
    ['lazuli experiments search -o t', ['table', 'tsv']],
    ['lazuli job create --file ', []],
    ['lazuli completion ', ['bash', 'zsh', '--help']],
  ];

  test.each(lines)('bash completes %j', async (line, expected) => {
    using folder = aFolder();
    const script = join(folder.path, 'completion');
    writeFileSync(script, (await run(['completion', 'bash'], { cwd: folder.path })).stdout);
    const ask = `source ${script}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lazuli; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const found = execFileSync('bash', ['--norc', '-c', ask, 'bash', ...line.split(' ')], { encoding: 'utf8' });
    expect(found.split('\n').filter((word) => word !== '')).toEqual(expected);
  });

  // Only where there is a zsh.
  test.runIf(zsh !== undefined).each(lines)('zsh completes %j', async (line, expected) => {
    using folder = aFolder();
    const script = join(folder.path, '_lazuli');
    writeFileSync(script, (await run(['completion', 'zsh'], { cwd: folder.path })).stdout);
    // The last word is matched by the shell itself, with what the function offers.
    const ask = `compdef() { }; _files() { }; compadd() { shift; print -l -- "\${(@M)@:#\${words[CURRENT]}*}" }; source ${script}; words=("$@"); CURRENT=$#; _lazuli`;
    const found = execFileSync(zsh ?? '', ['-f', '-c', ask, 'zsh', ...line.split(' ')], { encoding: 'utf8' });
    expect(found.split('\n').filter((word) => word !== '')).toEqual(expected);
  });
});
