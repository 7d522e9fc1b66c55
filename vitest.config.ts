import { join } from 'node:path';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

// What one process has compiled the next one need not compile again: a test file's process, a server's threads, the command.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, '.cache', 'compiled');

// Without `import`: Vitest hands these to Node, which would then resolve a `require` like an import.
const conditions = ['lazuli', 'node', 'default'];

// Reader threads run the TypeScript sources, and find packages by the project's condition.
const common = {
  pool: 'forks' as const,
  // A process loads the sources once and runs many files: tests come in by the front door, each to a server of its own.
  isolate: false,
  // For what hangs. It is far from what any test takes, so that it never tells how busy the machine is.
  testTimeout: 180_000,
  hookTimeout: 180_000,
  expect: { poll: { timeout: 60_000 } },
  execArgv: ['--conditions=lazuli'],
  exclude: ['**/node_modules/**', '**/dist/**'],
};

const behaviour = 'packages/server/test/**/*.test.ts';
/** What is about one engine, its files and its crashes, and what no engine has a part in: connections, files. */
const ofOneEngine = [
  'packages/server/test/artifacts/!(roots).test.ts',
  'packages/server/test/concurrency/explain-history.test.ts',
  'packages/server/test/crash/**',
  'packages/server/test/postgres/**',
  'packages/server/test/robustness/connections.test.ts',
];

const options = (test: NonNullable<TestProjectInlineConfiguration['test']>): TestProjectInlineConfiguration => ({
  ssr: { resolve: { conditions } },
  resolve: { conditions },
  test: { ...common, ...test },
});

export default defineConfig({
  test: {
    // More than the two cores of a small machine: tests wait for disks, limits and processes as much as they compute.
    maxWorkers: 3,
    projects: [
      options({
        name: 'unit',
        include: [
          'packages/{contract,client,server,cli}/src/**/*.test.ts',
          'packages/{client,cli}/test/**/*.test.ts',
          'bench/**/*.test.ts',
        ],
        provide: { engine: 'sqlite' },
      }),
      // The behaviour of a server is the same on both engines, so its tests run on both.
      options({
        name: 'sqlite',
        include: [behaviour],
        exclude: [...common.exclude, 'packages/server/test/postgres/**'],
        provide: { engine: 'sqlite' },
      }),
      options({
        name: 'postgres',
        include: [behaviour],
        exclude: [...common.exclude, ...ofOneEngine],
        provide: { engine: 'postgres' },
        globalSetup: ['packages/server/test/postgres/shared-postgres.ts'],
      }),
      // What only PostgreSQL has. These tests start servers of their own, ill-treat them, and mostly wait for what then happens.
      options({
        name: 'postgres-only',
        include: ['packages/server/test/postgres/**/*.test.ts'],
        sequence: { groupOrder: 1 },
        maxWorkers: 4,
        provide: { engine: 'postgres' },
      }),
    ],
  },
});
