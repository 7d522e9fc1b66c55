import { defineConfig } from 'vitest/config';

export default defineConfig({
  ssr: { resolve: { conditions: ['lazuli', 'node', 'import', 'default'] } },
  resolve: { conditions: ['lazuli', 'node', 'import', 'default'] },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'packages/*/test/**/*.test.ts', 'bench/**/*.test.ts'],
    // The client's own tests run with node:test on the oldest Node that it supports.
    exclude: ['packages/client/**', '**/node_modules/**', '**/dist/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Reader threads run the TypeScript sources, and find packages by the project's condition.
    execArgv: ['--conditions=lazuli'],
  },
});
