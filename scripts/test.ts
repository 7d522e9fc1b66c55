import { spawn } from 'node:child_process';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';

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
/** So many files may fail because a machine is busy; when more do, it is not that. */
const mostUnsteadyFiles = 4;

const suites = [await runVitest(chosen), ...(chosen.length === 0 ? [await runClientTests()] : [])];
const total = (kind: keyof Counts): number => suites.reduce((sum, counts) => sum + counts[kind], 0);
const skipped = total('skipped') === 0 ? '' : `, ${total('skipped')} skipped`;
console.log(`${total('passed')} passed, ${total('failed')} failed${skipped}`);
process.exitCode = total('failed') === 0 && total('passed') > 0 ? 0 : 1;

/**
 * All files, several at a time; a few that fail are run once more, one at a time. One that then passes counts as passed, and is
 * named: its tests, or what they test, do not bear a busy machine.
 */
async function runVitest(chosen: readonly string[]): Promise<Counts> {
  const first = await reportOf(chosen);
  const failing = [...new Set(first.files.filter(({ failed }) => failed > 0).map(({ name }) => name))];
  if (chosen.length > 0 || failing.length === 0 || failing.length > mostUnsteadyFiles) return sumOf(first);
  console.log(`\nOnce more, one at a time: ${failing.join(', ')}`);
  const again = await reportOf([...failing, '--no-file-parallelism']);
  const failsAgain = new Set(again.files.filter(({ failed }) => failed > 0).map(({ name }) => name));
  for (const name of failing.filter((one) => !failsAgain.has(one))) {
    console.log(`unsteady - ${name}: it failed beside others and passed alone`);
  }
  const others = first.files.filter(({ name }) => !failing.includes(name));
  return sumOf({ code: again.code, files: [...others, ...again.files] });
}

interface Report {
  readonly code: number;
  readonly files: readonly (Counts & { readonly name: string })[];
}

async function reportOf(args: readonly string[]): Promise<Report> {
  const reportFile = join(root, '.cache', 'vitest.json');
  await rm(reportFile, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`];
  const { code } = await run(join(root, 'node_modules/.bin/vitest'), ['run', ...reporters, ...args]);
  const { testResults } = JSON.parse(await readFile(reportFile, 'utf8')) as {
    testResults: { name: string; status: string; assertionResults: { status: string }[] }[];
  };
  const files = testResults.map(({ name, status, assertionResults }) => {
    const count = (...kinds: string[]): number => assertionResults.filter((test) => kinds.includes(test.status)).length;
    const failed = count('failed');
    return {
      name: relative(root, name),
      passed: count('passed'),
      // A file that cannot even be loaded has no tests that failed.
      failed: failed === 0 && status === 'failed' ? 1 : failed,
      skipped: count('pending', 'skipped', 'todo'),
    };
  });
  return { code, files };
}

/** A run that went wrong without a test that failed has failed once. */
function sumOf({ code, files }: Report): Counts {
  const total = (kind: keyof Counts): number => files.reduce((sum, file) => sum + file[kind], 0);
  const failed = total('failed');
  return { passed: total('passed'), failed: failed === 0 && code !== 0 ? 1 : failed, skipped: total('skipped') };
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
