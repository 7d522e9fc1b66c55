// Makes the environments of the clients, once: a folder in the cache named after the pins, reused as long as they hold.
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const here = import.meta.dirname;
const cache = process.env.LAZULI_CONFORMANCE_CACHE ?? join(here, '..', '.cache', 'conformance');

/** Python interpreter of a virtual environment that holds `python/requirements-NAME.txt`. */
export async function pythonEnvironment(name) {
  const requirements = join(here, 'python', `requirements-${name}.txt`);
  const version = await output('python3', ['--version']);
  const folder = await environment(name, [version, readFileSync(requirements)], async (path) => {
    await output('python3', ['-m', 'venv', path]);
    const pip = ['-m', 'pip', '--disable-pip-version-check', 'install', '--quiet', '-r', requirements];
    await output(join(path, 'bin', 'python'), pip);
  });
  return join(folder, 'bin', 'python');
}

/** Folder of the jars that `java/pom.xml` names. */
export async function javaEnvironment() {
  await output('javac', ['-version']);
  const pom = join(here, 'java', 'pom.xml');
  return environment('java', [readFileSync(pom)], (path) =>
    output('mvn', ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${path}`]),
  );
}

/** Folder whose `node_modules` holds these packages of npm, given as `name@version`; none of their scripts runs. */
export async function npmEnvironment(name, packages) {
  return environment(name, packages, async (path) => {
    writeFileSync(join(path, 'package.json'), '{ "private": true }');
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    await output('npm', ['install', ...quiet, '--save-exact', ...packages], { cwd: path });
  });
}

/** Runs a program to its end and gives back what it printed; a failure is an error that says what the program said. */
export function output(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (data) => (text += data));
    child.stderr.on('data', (data) => (text += data));
    child.on('error', (error) =>
      reject(new Error(error.code === 'ENOENT' ? `'${program}' is not installed on this machine` : error.message)),
    );
    child.on('close', (status) =>
      status === 0
        ? resolve(text)
        : reject(new Error(`'${program} ${args.join(' ')}' ended with ${status}:\n${text.slice(-3000)}`)),
    );
  });
}

/** By their folders: two clients that want the same one wait for it together. */
const environments = new Map();

function environment(name, pins, make) {
  const hash = createHash('sha256');
  for (const pin of pins) hash.update(pin);
  const folder = join(cache, `${name}-${hash.digest('hex').slice(0, 16)}`);
  if (!environments.has(folder)) environments.set(folder, madeOnce(name, folder, make));
  return environments.get(folder);
}

async function madeOnce(name, folder, make) {
  // The mark is written last: an environment that was interrupted half-way is made again.
  const mark = join(folder, '.complete');
  if (existsSync(mark)) return folder;
  console.log(`# making the environment of ${name}; the next run reuses it`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await make(folder);
  writeFileSync(mark, '');
  return folder;
}
