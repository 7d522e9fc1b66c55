// Runs unmodified MLflow clients, each in an environment of its own, against a tracking server.
//
//   node conformance/run.mjs [--url URI] [--only CLIENT[,CLIENT...]]
//   node conformance/run.mjs --prepare [--only CLIENT[,CLIENT...]]
//
// Without --url each client gets a server of this checkout, on a free loopback port; two clients run at a time. Each test is one
// line, `ok - …` or `not ok - …`; the last line is `N passed, N failed`. With --prepare the environments that the clients need
// are made, and nothing else happens. A client that fails beside another runs once more, alone, and that counts.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { javaEnvironment, output, pythonEnvironment } from './environments.mjs';
import { isWell, startServer } from './server.mjs';
import { azuriteAccount, startAzurite } from '../packages/server/test/stores/azurite.ts';
import { startS3Server } from '../packages/server/test/stores/s3rver.ts';

const here = import.meta.dirname;
const clientLimitMs = 10 * 60_000;
// They mostly wait: for a server, for a sign-in, for a package to load.
const clientsAtOnce = 2;
const lazuli = [join(here, '..', 'node_modules', '.bin', 'node'), join(here, '..', 'packages/cli/bin/lazuli.js')];
// Azure's plugin looks every half minute whether it should ask for another one.
const jobTokenLife = '36';

const training = '--ignore=test_training.py';
const plugin = ['--ignore=test_azureml.py', '--ignore=test_azure_flow.py'];
const direct = '--ignore=test_direct_transfers.py';
const spark = '--ignore=test_spark.py';
const artifactSuites = [
  'test_artifacts.py',
  'test_rich_artifacts.py',
  'test_direct_transfers.py',
  'test_logged_models.py',
];

/** A server whose artifacts lie in an S3 store. */
async function onS3(undo) {
  const s3 = undo.use(await startS3Server());
  const flags = ['--artifacts-destination', `s3://${await s3.newBucket()}/mlflow`];
  return { flags, environment: s3.environment };
}

/** A server whose artifacts lie in Azure's emulator. */
async function onAzure(undo) {
  const azurite = undo.use(await startAzurite());
  const place = `${await azurite.newContainer()}@${azuriteAccount}.blob.core.windows.net/mlflow`;
  return {
    flags: ['--artifacts-destination', `wasbs://${place}`],
    environment: { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString },
  };
}

const asUsual = () => ({});
const shortJobTokens = () => ({ flags: ['--job-token-life', jobTokenLife] });

// Each client, those that take long first: the environments that it needs, how its server is set up (unless it starts its
// servers itself), and how its suites are started. They print their own lines.
const clients = {
  python3: pythonClient('python3', asUsual, [training, ...plugin, spark]),
  typescript: { ...selfServed('typescript'), environments: ['python3'] },
  python2: pythonClient('python2', asUsual, [training, ...plugin, spark, direct]),
  azureml: pluginClient('azureml', 'test_azureml.py'),
  'azureml-skinny': pluginClient('azureml-skinny', 'test_azureml.py'),
  azure: pythonClient('python3', onAzure, artifactSuites),
  s3: pythonClient('python3', onS3, artifactSuites),
  java: { environments: ['java', 'python3'], server: asUsual, suites: javaSuites },
  runtimes: selfServed('runtimes'),
  identity: selfServed('identity', 'identity'),
  skinny: pythonClient('skinny', asUsual, [training, ...plugin, spark, direct]),
  training: pythonClient('python3', asUsual, ['test_training.py']),
  management: selfServed('management', 'management'),
  'azure-cli': selfServed('azure-cli', 'azure-cli'),
  'azure-flow': pluginClient('azure-flow', 'test_azure_flow.py'),
  spark: { environments: ['spark'], server: asUsual, suites: sparkSuites },
};

// Those that take long to install and to start run where they are named.
const onlyByName = ['spark', 'azure-cli'];

function pythonClient(environment, server, which) {
  return { environments: [environment], server, suites: (place) => pythonSuites(environment, place, which) };
}

async function pythonSuites(environment, { name, url, temporary }, which) {
  const python = await pythonEnvironment(environment);
  const quiet = ['-p', 'no:cacheprovider', '-qq', '--no-header', '--no-summary', '-o', 'console_output_style=classic'];
  const addressed = ['--tracking-uri', url, '--label', name, '--basetemp', join(temporary, 'pytest')];
  return {
    program: python,
    args: ['-m', 'pytest', ...quiet, ...addressed, ...which],
    cwd: join(here, 'python'),
    path: [],
  };
}

async function sparkSuites(place) {
  const suites = await pythonSuites('spark', place, ['test_spark.py']);
  // With each model the client starts Spark once more to see which packages the model loads, and waits for two minutes.
  return { ...suites, variables: { MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT: '1' } };
}

/** The plugin of Azure Machine Learning, which finds everything in the environment that `lazuli env` prints. */
function pluginClient(environment, suite) {
  return {
    environments: [environment],
    server: shortJobTokens,
    suites: (place) => pluginSuites(environment, place, suite),
  };
}

async function pluginSuites(environment, place, suite) {
  const { MLFLOW_TRACKING_URI: address, ...variables } = await printedVariables(place);
  const suites = await pythonSuites(environment, { ...place, url: address }, [suite]);
  const own = {
    LAZULI_COMMAND: JSON.stringify(lazuli),
    LAZULI_URL: place.url,
    LAZULI_DATA_DIR: place.dataDir,
    LAZULI_JOB_TOKEN_LIFE: jobTokenLife,
    XDG_CACHE_HOME: join(place.temporary, 'cache'),
  };
  return { ...suites, variables: { ...variables, ...own } };
}

async function printedVariables({ url, dataDir, temporary }) {
  if (dataDir === undefined)
    throw new Error('it needs the data directory of the server, so it runs without --url only');
  const [node, ...command] = [...lazuli, 'env', '--url', url, '--data-dir', dataDir];
  const printed = await output(node, command, { env: { ...process.env, XDG_CACHE_HOME: join(temporary, 'cache') } });
  return Object.fromEntries([...printed.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value]));
}

async function javaSuites({ url, temporary }) {
  const jars = join(await javaEnvironment(), '*');
  // For proxied artifacts the Java client runs `python -m mlflow…`.
  const python = await pythonEnvironment('python3');
  const classes = join(temporary, 'classes');
  const sources = readdirSync(join(here, 'java')).filter((file) => file.endsWith('.java'));
  await output('javac', ['-nowarn', '-encoding', 'UTF-8', '-d', classes, '-cp', jars, ...sources], {
    cwd: join(here, 'java'),
  });
  const flags = ['-Dfile.encoding=UTF-8', `-Djava.io.tmpdir=${temporary}`];
  const args = [...flags, '-cp', [classes, jars].join(delimiter), 'Conformance', url];
  return { program: 'java', args, cwd: temporary, path: [dirname(python)] };
}

/** Azure's clients speak TLS only, and to an authority: they start a server of their own. So do those that want it set up otherwise. */
function selfServed(name, ...environments) {
  const node = join(here, '..', 'node_modules', '.bin', 'node');
  async function suites({ temporary }) {
    const interpreters = await Promise.all(environments.map(pythonEnvironment));
    const args = ['--conditions=lazuli', join(here, name, 'run.ts'), ...interpreters, temporary];
    return { program: node, args, cwd: join(here, name), path: [] };
  }
  return { environments, server: undefined, suites };
}

/** The clients get nothing of the caller's MLflow settings; they fail early, and they tell nobody that they ran. */
function clientEnvironment(temporary, path) {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(MLFLOW|DATABRICKS|PYTHON|VIRTUAL_ENV)/.test(name),
  );
  return {
    ...Object.fromEntries(inherited),
    PATH: [...path, process.env.PATH].join(delimiter),
    TMPDIR: temporary,
    LC_ALL: 'C.UTF-8',
    NO_PROXY: '127.0.0.1,localhost',
    no_proxy: '127.0.0.1,localhost',
    DO_NOT_TRACK: 'true',
    MLFLOW_DISABLE_TELEMETRY: 'true',
    MLFLOW_HTTP_REQUEST_MAX_RETRIES: '2',
    MLFLOW_HTTP_REQUEST_TIMEOUT: '30',
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR: 'false',
    PYTHONDONTWRITEBYTECODE: '1',
  };
}

/** Runs the suites of one client and counts their lines. A client that ends badly without saying why has failed once. */
async function runSuites(place, say) {
  const { name, temporary } = place;
  const count = { passed: 0, failed: 0, inapplicable: 0 };
  const fail = (what, detail) => {
    count.failed += 1;
    say(`not ok - ${name}: ${what}\n${String(detail).replace(/^/gm, '    ')}`);
  };
  let suites;
  try {
    await prepare([name]);
    suites = await clients[name].suites(place);
  } catch (error) {
    fail('its environment can be made', error.message);
    return count;
  }
  const child = spawn(suites.program, suites.args, {
    cwd: suites.cwd,
    env: { ...clientEnvironment(temporary, suites.path), ...suites.variables },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: clientLimitMs,
  });
  let complaints = '';
  child.stderr.on('data', (data) => (complaints = (complaints + data).slice(-5000)));
  const ended = new Promise((resolve) =>
    child.on('close', (status, signal) => resolve(signal ?? status)).on('error', resolve),
  );
  for await (const line of createInterface({ input: child.stdout })) {
    if (/^ok .* # SKIP /.test(line)) count.inapplicable += 1;
    else if (line.startsWith('ok ')) count.passed += 1;
    else if (line.startsWith('not ok ')) count.failed += 1;
    if (line.trim() !== '') say(line);
  }
  const status = await ended;
  if (status !== 0 && count.failed === 0) fail(`its suites run to their end (${status})`, complaints);
  if (count.passed + count.failed === 0) fail('its suites hold tests', complaints);
  return count;
}

/** Runs one client against the server at --url, or one of its own. */
async function runClient(name, temporary, say) {
  mkdirSync(temporary, { recursive: true });
  const { server } = clients[name];
  if (server === undefined) return await runSuites({ name, temporary }, say);
  if (options.url !== undefined) {
    const url = options.url.replace(/\/+$/, '');
    if (!(await isWell(url))) throw new Error(`nothing answers at ${url}/health`);
    return await runSuites({ name, url, temporary }, say);
  }
  await using undo = new AsyncDisposableStack();
  const own = await startServer(temporary, await server(undo));
  undo.defer(() => own.stop());
  const count = await runSuites({ name, url: own.url, dataDir: own.dataDir, temporary }, say);
  if (count.failed > 0) say(`# what the log of its server complains about:\n${own.logTail().replace(/^/gm, '#   ')}`);
  return count;
}

/** One client with a summary in one line. What it says comes out when it ends, so that two never speak at once. */
async function runOne(name, temporary) {
  const start = Date.now();
  const lines = [];
  const say = names.length === 1 ? (line) => console.log(line) : (line) => lines.push(line);
  const count = await runClient(name, temporary, say).catch((error) => {
    say(`not ok - ${name}: its server runs\n${error.message.replace(/^/gm, '    ')}`);
    return { passed: 0, failed: 1, inapplicable: 0 };
  });
  if (lines.length > 0) console.log(lines.join('\n'));
  const seconds = ((Date.now() - start) / 1000).toFixed(0);
  const { passed, failed, inapplicable } = count;
  return {
    ...count,
    name,
    line: `# ${name}: ${passed} ok, ${failed} not ok, ${inapplicable} inapplicable, ${seconds} s`,
  };
}

function selected(only) {
  const names = only?.split(',') ?? Object.keys(clients).filter((name) => !onlyByName.includes(name));
  const unknown = names.filter((name) => !(name in clients));
  if (unknown.length === 0) return names;
  console.error(`There is no client '${unknown.join(', ')}': --only takes ${Object.keys(clients).join(', ')}.`);
  process.exit(2);
}

/** Makes the environments that clients need, one after the other, where they are not there yet. */
async function prepare(names) {
  const needed = new Set(names.flatMap((name) => clients[name].environments));
  for (const name of needed) await (name === 'java' ? javaEnvironment() : pythonEnvironment(name));
}

/** One that failed beside another: it passes if it passes alone, and is named, for it does not bear a busy machine. */
async function runAlone({ name }, temporary) {
  console.log(`# ${name}, once more, alone:`);
  const result = await runOne(name, temporary);
  if (result.failed === 0) console.log(`unsteady - ${name}: it failed beside others and passed alone`);
  return result;
}

async function runAll() {
  const temporary = mkdtempSync(join(tmpdir(), 'lazuli-conformance-'));
  const waiting = names[Symbol.iterator]();
  const results = [];
  async function runNext() {
    for (const name of waiting) results.push(await runOne(name, join(temporary, name)));
  }
  try {
    await Promise.all(Array.from({ length: clientsAtOnce }, runNext));
    if (names.length > 1) {
      for (const [index, result] of results.entries()) {
        if (result.failed > 0) results[index] = await runAlone(result, join(temporary, `${result.name}-alone`));
      }
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  const sum = (kind) => results.reduce((total, result) => total + result[kind], 0);
  const [passed, failed] = [sum('passed'), sum('failed')];
  console.log(results.map(({ line }) => line).join('\n'));
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

const { values: options } = parseArgs({
  options: { url: { type: 'string' }, only: { type: 'string' }, prepare: { type: 'boolean' } },
});
const names = selected(options.only);
await (options.prepare === true ? prepare(names) : runAll());
