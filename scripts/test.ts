import { spawn } from 'node:child_process';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * `npm test`: the unit and behaviour tests on the pinned Node, then the built client's own on the Node that runs npm, which
 * may be the oldest that the client supports. Arguments choose test files, and leave the client's out. Closes with one
 * line that counts them all: `N passed, N failed`.
 */
interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const root = join(import.meta.dirname, '..');
const chosen = process.argv.slice(2);

const suites = [await runVitest(chosen), ...(chosen.length === 0 ? [await runClientTests()] : [])];
const total = (kind: keyof Counts): number => suites.reduce((sum, counts) => sum + counts[kind], 0);
const skipped = total('skipped') === 0 ? '' : `, ${total('skipped')} skipped`;
console.log(`${total('passed')} passed, ${total('failed')} failed${skipped}`);
process.exitCode = total('failed') === 0 && total('passed') > 0 ? 0 : 1;

async function runVitest(files: readonly string[]): Promise<Counts> {
  const reportFile = join(root, '.cache', 'vitest.json');
  await rm(reportFile, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`];
  const { code } = await run(join(root, 'node_modules/.bin/vitest'), ['run', ...reporters, ...files]);
  const report = JSON.parse(await readFile(reportFile, 'utf8')) as {
    numPassedTests: number;
    numFailedTests: number;
    numPendingTests: number;
    numFailedTestSuites: number;
  };
  // A file that cannot even be loaded has a failed suite without failed tests.
  const unloadable = report.numFailedTests === 0 && code !== 0 ? Math.max(1, report.numFailedTestSuites) : 0;
  return { passed: report.numPassedTests, failed: report.numFailedTests + unloadable, skipped: report.numPendingTests };
}

async function runClientTests(): Promise<Counts> {
  // npm scripts put the pinned Node first on the path; npm itself tells which one it runs on.
  const node = process.env['npm_node_execpath'] ?? process.execPath;
  const folder = 'packages/client/test';
  const files = (await readdir(join(root, folder))).filter((name) => name.endsWith('.test.js'));
  const { code, output } = await run(node, [
    '--test',
    '--test-reporter=tap',
    ...files.map((name) => join(folder, name)),
  ]);
  const count = (name: string): number => Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(output)?.[1] ?? 0);
  const failed = count('fail');
  return { passed: count('pass'), failed: failed === 0 && code !== 0 ? 1 : failed, skipped: count('skipped') };
}

function run(command: string, args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      process.stdout.write(text);
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
