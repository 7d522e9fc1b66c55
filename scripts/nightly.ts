import { spawn } from 'node:child_process';
import { join } from 'node:path';

/**
 * `npm run nightly`: what is too long for each change. The tests with more kills and more generated requests, the examples,
 * the official clients, the comparison with MLflow's own server, a deployment on Debian's packages and the whole bench; each part runs even where an earlier one failed.
 */
const root = join(import.meta.dirname, '..');

interface Part {
  readonly name: string;
  readonly script: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const parts: readonly Part[] = [
  {
    name: 'tests, long',
    script: 'test',
    env: { LAZULI_NIGHTLY: '1', LAZULI_CRASH_ROUNDS: '20', LAZULI_BACKUP_ROUNDS: '5', LAZULI_FUZZ_REQUESTS: '100000' },
  },
  { name: 'examples', script: 'examples' },
  { name: 'official clients, with large files', script: 'conformance', env: { LAZULI_NIGHTLY: '1' } },
  { name: 'Spark', script: 'conformance', args: ['--only', 'spark'] },
  { name: 'comparison with MLflow', script: 'differential' },
  { name: 'deployment', script: 'deployment' },
  { name: 'bench', script: 'bench', args: ['--scale', '1'] },
  { name: 'cost of access control', script: 'bench:access' },
  { name: 'bench on PostgreSQL', script: 'bench', args: ['W2p', 'W3', 'W4d', '--engine', 'postgres'] },
];

interface Result {
  readonly name: string;
  readonly status: number;
  readonly minutes: number;
  /** What the part said in its last line. */
  readonly lastLine: string;
}

async function runPart({ name, script, args = [], env = {} }: Part): Promise<Result> {
  console.log(`\n== ${name}`);
  const start = performance.now();
  const { status, output } = await run(['run', '--silent', script, '--', ...args], env);
  const minutes = (performance.now() - start) / 60_000;
  return { name, status, minutes, lastLine: output.trimEnd().split('\n').at(-1) ?? '' };
}

/** Shows what a script prints while it runs, and keeps it. */
function run(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ status: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn('npm', args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      process.stdout.write(text);
      output = (output + text).slice(-10_000);
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status: status ?? 1, output }));
  });
}

const results: Result[] = [];
for (const part of parts) results.push(await runPart(part));

console.log('\n== summary');
for (const { name, status, minutes, lastLine } of results) {
  const verdict = status === 0 ? 'ok    ' : 'FAILED';
  console.log(`${verdict} ${name}, ${minutes.toFixed(1)} min${/passed/.test(lastLine) ? `: ${lastLine}` : ''}`);
}
const failed = results.filter(({ status }) => status !== 0).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
