import { spawnSync } from 'node:child_process';
import { existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { aFolder } from './lazuli-process.ts';
import { run } from './run-command.ts';

const home = vi.hoisted(() => ({ isKnown: true }));
vi.mock('node:os', async (original) => {
  const os = await original<typeof import('node:os')>();
  const homedir = (): string => {
    if (home.isKnown) return os.homedir();
    throw Object.assign(new Error('A system error occurred: uv_os_homedir returned ENOENT'), {
      syscall: 'uv_os_homedir',
    });
  };
  return { ...os, homedir };
});
beforeEach(() => void (home.isKnown = true));

describe('a user without a home, as in a container', () => {
  test('asks a server all the same', async () => {
    using folder = aFolder();
    home.isKnown = false;
    const env = { LAZULI_URL: 'http://127.0.0.1:1' };
    const { status, stderr } = await run(['experiments', 'search'], { cwd: folder.path, env });
    expect([status, stderr]).toEqual([1, expect.stringContaining('No answer from http://127.0.0.1:1')]);
    expect((await run(['configure', '--list-defaults'], { cwd: folder.path })).status).toBe(0);
  });

  test('is told what to set before something can be kept', async () => {
    using folder = aFolder();
    home.isKnown = false;
    const args = ['configure', '--defaults', 'group=team'];
    expect(await run(args, { cwd: folder.path })).toEqual({
      status: 2,
      stdout: '',
      stderr: 'lazuli: You have no home folder to keep this in: set HOME, or LAZULI_CONFIG_DIR.\n',
    });
    const env = { LAZULI_CONFIG_DIR: join(folder.path, 'own') };
    expect((await run(args, { cwd: folder.path, env })).status).toBe(0);
    expect(existsSync(join(env.LAZULI_CONFIG_DIR, 'defaults.json'))).toBe(true);
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
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  const command = `exec "$0" --conditions=lazuli "$1" completion bash > /dev/full`;
  const { status, stderr } = spawnSync('sh', ['-c', command, process.execPath, main], { encoding: 'utf8' });
  expect(stderr).toMatch(/^lazuli: The output cannot be written: ENOSPC.*\n$/);
  expect(status).toBe(1);
});
