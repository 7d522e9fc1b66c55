import { spawn } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * `npm test`: the unit and behaviour tests, then the client's own on whatever Node is asked for. Closes with one line that
 * counts them all: `N passed, N failed`.
 */
const root = join(import.meta.dirname, '..');
const reportFile = join(root, '.cache', 'vitest.json');
const chosen = process.argv.slice(2);

await rm(reportFile, { force: true });
const vitest = await run(join(root, 'node_modules/.bin/vitest'), [
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${reportFile}`,
  ...chosen,
]);
const report = JSON.parse(await readFile(reportFile, 'utf8')) as {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numFailedTestSuites: number;
};
// A file that cannot even be loaded has failed suites without failed tests.
const failed =
  report.numFailedTests === 0 && vitest !== 0 ? Math.max(1, report.numFailedTestSuites) : report.numFailedTests;
const skipped = report.numPendingTests === 0 ? '' : `, ${report.numPendingTests} skipped`;
console.log(`${report.numPassedTests} passed, ${failed} failed${skipped}`);
process.exit(failed === 0 && vitest === 0 ? 0 : 1);

function run(command: string, args: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit' });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}
