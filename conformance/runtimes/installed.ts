import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { npmEnvironment, output } from '../environments.mjs';

/** The packages as they would be published, installed in an empty folder. */
const root = join(import.meta.dirname, '../..');
export const node24 = join(root, 'node_modules/.bin/node');

/** Packs the client and the command and installs them from their tarballs, with nothing from a registry. */
export async function installTarballs(temporary: string): Promise<string> {
  const tarballs = join(temporary, 'tarballs');
  const folder = join(temporary, 'installed');
  for (const path of [tarballs, folder]) await mkdir(path, { recursive: true });
  // `prepack` would build anew what other tests are running from; its second half is what a build leaves out.
  await output(node24, [join(root, 'scripts/client-types.ts')], { cwd: root });
  const packages = ['-w', 'packages/client', '-w', 'packages/cli'];
  const packed = await output(
    'npm',
    ['pack', '--silent', '--ignore-scripts', '--pack-destination', tarballs, ...packages],
    {
      cwd: root,
    },
  );
  await output('npm', ['init', '--yes', '--silent'], { cwd: folder });
  const files = packed
    .trim()
    .split(/\s+/)
    .map((name) => join(tarballs, name));
  await output('npm', ['install', '--offline', '--no-audit', '--no-fund', '--silent', ...files], { cwd: folder });
  return folder;
}

export interface Runtime {
  readonly name: string;
  /** The program and what precedes the script. */
  readonly command: readonly [string, ...string[]];
}

const platform = `${process.platform}-${process.arch}`;

/** What is published of each runtime for this machine, as packages of npm that hold the program itself. */
const published: readonly (readonly [name: string, packageName: string, program: string, ...words: string[]])[] = [
  ['Node 20', `node-${platform}@20.20.2`, `node-${platform}/bin/node`],
  ['Node 22', `node-${platform}@22.23.3`, `node-${platform}/bin/node`],
  ['Node 26', `node-${platform}@26.10.0`, `node-${platform}/bin/node`],
  ['Deno', `@deno/${platform}-glibc@2.9.6`, `@deno/${platform}-glibc/deno`, 'run', '--allow-all', '--no-prompt'],
  [
    'Bun',
    `@oven/bun-${platform.replace('arm64', 'aarch64')}@1.4.5`,
    `@oven/bun-${platform.replace('arm64', 'aarch64')}/bin/bun`,
  ],
];

/** All runtimes that can be had here; `onAbsence` is told of the others. */
export async function findRuntimes(onAbsence: (name: string, reason: string) => void): Promise<Runtime[]> {
  const found: Runtime[] = [{ name: 'Node 24', command: [node24] }];
  for (const [name, packageName, program, ...words] of published) {
    try {
      const environment = `runtime-${name.toLowerCase().replace(' ', '')}`;
      const path = join(await npmEnvironment(environment, [packageName]), 'node_modules', program);
      await output(path, ['--version']);
      found.push({ name, command: [path, ...words] });
    } catch (error) {
      onAbsence(name, error instanceof Error ? error.message : String(error));
    }
  }
  return found;
}
