import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { aFolder } from './lazuli-process.ts';

const bin = fileURLToPath(new URL('../bin/', import.meta.url));

describe('bin/lazuli.js', () => {
  test.each(['0.10.48', '12.22.12', '20.20.2', '23.11.0'])(
    'on Node %s says in one sentence what it needs',
    (version) => {
      const pretend = `Object.defineProperty(process.versions, 'node', { value: '${version}' }); require(${JSON.stringify(join(bin, 'lazuli.js'))})`;
      const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', pretend], { encoding: 'utf8' });
      expect({ status, stdout, stderr }).toEqual({
        status: 1,
        stdout: '',
        stderr: `lazuli needs Node 24 or newer, and this is Node ${version}.\n`,
      });
    },
  );

  test('in a checkout that is not built says what to run', () => {
    using folder = aFolder();
    const copy = join(folder.path, 'bin');
    mkdirSync(copy);
    for (const file of ['lazuli.js', 'start.js', 'package.json']) copyFileSync(join(bin, file), join(copy, file));
    const { status, stderr } = spawnSync(process.execPath, [join(copy, 'lazuli.js')], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: 'lazuli is not built yet: run `npm ci` in the root of the checkout.\n',
    });
  });
});
