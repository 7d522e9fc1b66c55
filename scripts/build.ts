import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rolldown, type OutputOptions, type RolldownOptions } from 'rolldown';
import { thirdPartyNotices } from './third-party-notices.ts';

/**
 * Builds what runs in production: the command with the server as one bundle of chunks that load when they are needed, and
 * the client, for Node and for browsers, without dependencies. Bundled, because a start from some hundred files takes three times as long.
 */
const root = join(import.meta.dirname, '..');

interface Bundle {
  readonly folder: string;
  readonly input: Record<string, string>;
  readonly platform: 'node' | 'neutral';
}

const bundles: readonly Bundle[] = [
  {
    folder: 'packages/cli/dist',
    // The server finds its threads beside itself.
    input: {
      main: 'packages/cli/src/main.ts',
      'reader-thread': 'packages/server/src/reader-thread.ts',
      'writer-thread': 'packages/server/src/database/sqlite/writer-thread.ts',
    },
    platform: 'node',
  },
  {
    folder: 'packages/client/dist',
    input: {
      index: 'packages/client/src/index.ts',
      azure: 'packages/client/src/azure.ts',
      databricks: 'packages/client/src/databricks.ts',
    },
    platform: 'node',
  },
  { folder: 'packages/client/dist', input: { browser: 'packages/client/src/browser.ts' }, platform: 'neutral' },
];

/** By the folder of the bundles, which packages publish: the modules that went into them. */
const modules = new Map<string, Set<string>>(bundles.map(({ folder }) => [folder, new Set()]));
for (const { folder } of bundles) await rm(join(root, folder), { recursive: true, force: true });
for (const { folder, input, platform } of bundles) {
  const options: RolldownOptions = {
    cwd: root,
    input,
    platform,
    resolve: { conditionNames: ['lazuli', platform === 'node' ? 'node' : 'browser', 'default'] },
    logLevel: 'warn',
  };
  const output: OutputOptions = {
    dir: join(root, folder),
    format: 'esm',
    entryFileNames: '[name].js',
    // Flat, so that `import.meta.url` means this folder in every chunk.
    chunkFileNames: 'chunk-[name]-[hash].js',
    sourcemap: false,
    minify: { compress: true, mangle: false, codegen: false },
  };
  const bundle = await rolldown(options);
  const { output: files } = await bundle.write(output);
  for (const file of files) if (file.type === 'chunk') for (const id of file.moduleIds) modules.get(folder)?.add(id);
  await bundle.close();
}
for (const [folder, ids] of modules) {
  await writeFile(join(root, folder, 'THIRD-PARTY-NOTICES.txt'), await thirdPartyNotices(ids));
}
