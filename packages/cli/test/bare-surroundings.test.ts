import { spawnSync } from 'node:child_process';
import { existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { aFolder } from './lazuli-process.ts';
import { run } from './run-command.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** Runs the command as the system has it run for a number that has no name, in a container. */
function withoutHome(args: readonly string[], env: Readonly<Record<string, string>>) {
  const forgets = `import os from 'node:os'; import { syncBuiltinESMExports } from 'node:module';
    os.homedir = () => { throw Object.assign(new Error('uv_os_homedir returned ENOENT'), { syscall: 'uv_os_homedir' }); };
    syncBuiltinESMExports();`;
  const preload = `data:text/javascript,${encodeURIComponent(forgets)}`;
  const words = ['--conditions=lazuli', '--import', preload, main, ...args];
  const variables = { PATH: process.env['PATH'] ?? '', ...env };
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { env: variables, encoding: 'utf8' });
  return { status, stdout, stderr };
}

describe('a user without a home, as in a container', () => {
  test('asks a server all the same', () => {
    const { status, stderr } = withoutHome(['experiments', 'search'], { LAZULI_URL: 'http://127.0.0.1:1' });
    expect([status, stderr]).toEqual([1, expect.stringContaining('No answer from http://127.0.0.1:1')]);
  });

  test('is told what to set before something can be kept', () => {
    using folder = aFolder();
    const args = ['configure', '--defaults', 'group=team'];
    expect(withoutHome(args, {})).toEqual({
      status: 2,
      stdout: '',
      stderr: 'lazuli: You have no home folder to keep this in: set HOME, or LAZULI_CONFIG_DIR.\n',
    });
    const own = join(folder.path, 'own');
    expect(withoutHome(args, { LAZULI_CONFIG_DIR: own }).status).toBe(0);
    expect(existsSync(join(own, 'defaults.json'))).toBe(true);
  });
});

test('a home that cannot be written is named in one sentence', async () => {
  using folder = aFolder();
  const own = join(folder.path, 'own');
  symlinkSync(join(folder.path, 'nowhere'), own);
  const args = ['configure', '--defaults', 'group=team'];
  const { status, stderr } = await run(args, { cwd: folder.path, env: { LAZULI_CONFIG_DIR: own } });
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /^lazuli: \S+defaults.json cannot be written: E[A-Z]+: .*\. LAZULI_CONFIG_DIR names another folder\.\n$/,
  );
});

const isFullThere = existsSync('/dev/full');
test.runIf(isFullThere)('output that finds no room is a failure of one line, not a trace', () => {
  const command = `exec "$0" --conditions=lazuli "$1" completion bash > /dev/full`;
  const { status, stderr } = spawnSync('sh', ['-c', command, process.execPath, main], { encoding: 'utf8' });
  expect(stderr).toMatch(/^lazuli: The output cannot be written: ENOSPC.*\n$/);
  expect(status).toBe(1);
});
