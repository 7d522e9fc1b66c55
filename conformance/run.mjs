// Runs unmodified MLflow clients, each in an environment of its own, against a tracking server.
//
//   node conformance/run.mjs [--url URI] [--only CLIENT[,CLIENT...]]
//
// Without --url it starts the server of this checkout on a free loopback port. Each test is one line, `ok - …` or
// `not ok - …`; the last line is `N passed, N failed`.
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

// Clients that have a server of their own, whose artifacts lie in an object store.
const stores = {
  async s3(undo) {
    const s3 = undo.use(await startS3Server());
    const flags = ['--artifacts-destination', `s3://${await s3.newBucket()}/mlflow`];
    return { flags, environment: s3.environment };
  },
  async azure(undo) {
    const azurite = undo.use(await startAzurite());
    const place = `${await azurite.newContainer()}@${azuriteAccount}.blob.core.windows.net/mlflow`;
    return {
      flags: ['--artifacts-destination', `wasbs://${place}`],
      environment: { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString },
    };
  },
};

// Each client: how to start its suites against an address. They print their own lines.
const clients = {
  python3: (url, temporary) => pythonSuites('python3', 'python3', url, temporary, [training, ...plugin, spark]),
  python2: (url, temporary) => pythonSuites('python2', 'python2', url, temporary, [training, ...plugin, spark, direct]),
  skinny: (url, temporary) => pythonSuites('skinny', 'skinny', url, temporary, [training, ...plugin, spark, direct]),
  java: javaSuites,
  s3: (url, temporary) => pythonSuites('s3', 'python3', url, temporary, artifactSuites),
  azure: (url, temporary) => pythonSuites('azure', 'python3', url, temporary, artifactSuites),
  typescript: (_url, temporary) => ownServerSuites('typescript', temporary),
  runtimes: (_url, temporary) => ownServerSuites('runtimes', temporary),
  identity: async (_url, temporary) => ownServerSuites('identity', temporary, await pythonEnvironment('identity')),
  management: async (_url, temporary) =>
    ownServerSuites('management', temporary, await pythonEnvironment('management')),
  azureml: (url, temporary) => pluginSuites('azureml', url, temporary, 'test_azureml.py'),
  'azureml-skinny': (url, temporary) => pluginSuites('azureml-skinny', url, temporary, 'test_azureml.py'),
  'azure-flow': (url, temporary) => pluginSuites('azure-flow', url, temporary, 'test_azure_flow.py'),
  training: (url, temporary) => pythonSuites('training', 'python3', url, temporary, ['test_training.py']),
  spark: sparkSuites,
};

// Those that take long to install and to start run where they are named.
const onlyByName = ['spark'];

async function pythonSuites(label, environment, url, temporary, which) {
  const python = await pythonEnvironment(environment);
  const quiet = ['-p', 'no:cacheprovider', '-qq', '--no-header', '--no-summary', '-o', 'console_output_style=classic'];
  const addressed = ['--tracking-uri', url, '--label', label, '--basetemp', join(temporary, 'pytest')];
  return {
    program: python,
    args: ['-m', 'pytest', ...quiet, ...addressed, ...which],
    cwd: join(here, 'python'),
    path: [],
  };
}

async function sparkSuites(url, temporary) {
  const suites = await pythonSuites('spark', 'spark', url, temporary, ['test_spark.py']);
  // With each model the client starts Spark once more to see which packages the model loads, and waits for two minutes.
  return { ...suites, variables: { MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT: '1' } };
}

/** The plugin of Azure Machine Learning, which finds everything in the environment that `lazuli env` prints. */
async function pluginSuites(label, url, temporary, suite) {
  const { MLFLOW_TRACKING_URI: address, ...variables } = await printedVariables(url, temporary);
  const suites = await pythonSuites(label, label, address, temporary, [suite]);
  const own = {
    LAZULI_COMMAND: JSON.stringify(lazuli),
    LAZULI_URL: url,
    LAZULI_DATA_DIR: server.dataDir,
    LAZULI_JOB_TOKEN_LIFE: jobTokenLife,
    XDG_CACHE_HOME: join(temporary, 'cache'),
  };
  return { ...suites, variables: { ...variables, ...own } };
}

async function printedVariables(url, temporary) {
  if (server === undefined) throw new Error('it needs the data directory of the server, so it runs without --url only');
  const [node, ...command] = [...lazuli, 'env', '--url', url, '--data-dir', server.dataDir];
  const printed = await output(node, command, { env: { ...process.env, XDG_CACHE_HOME: join(temporary, 'cache') } });
  return Object.fromEntries([...printed.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value]));
}

async function javaSuites(url, temporary) {
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
function ownServerSuites(name, temporary, ...python) {
  const node = join(here, '..', 'node_modules', '.bin', 'node');
  const args = ['--conditions=lazuli', join(here, name, 'run.ts'), ...python, temporary];
  return { program: node, args, cwd: join(here, name), path: [] };
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

/** Runs one client and counts its lines. A client that ends badly without saying why has failed once. */
async function runClient(name, url, temporary) {
  const count = { passed: 0, failed: 0, inapplicable: 0 };
  const fail = (what, detail) => {
    count.failed += 1;
    console.log(`not ok - ${name}: ${what}\n${String(detail).replace(/^/gm, '    ')}`);
  };
  mkdirSync(temporary, { recursive: true });
  let suites;
  try {
    suites = await clients[name](url, temporary);
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
    if (line.trim() !== '') console.log(line);
  }
  const status = await ended;
  if (status !== 0 && count.failed === 0) fail(`its suites run to their end (${status})`, complaints);
  if (count.passed + count.failed === 0) fail('its suites hold tests', complaints);
  return count;
}

async function runOnItsServer(name, url, temporary) {
  if (!(name in stores) || options.url !== undefined) return await runClient(name, url, temporary);
  await using undo = new AsyncDisposableStack();
  mkdirSync(temporary, { recursive: true });
  const own = await startServer(temporary, await stores[name](undo));
  undo.defer(() => own.stop());
  const count = await runClient(name, own.url, temporary);
  if (count.failed > 0)
    console.log(`# what the log of its server complains about:\n${own.logTail().replace(/^/gm, '#   ')}`);
  return count;
}

function selected(only) {
  const names = only?.split(',') ?? Object.keys(clients).filter((name) => !onlyByName.includes(name));
  const unknown = names.filter((name) => !(name in clients));
  if (unknown.length === 0) return names;
  console.error(`There is no client '${unknown.join(', ')}': --only takes ${Object.keys(clients).join(', ')}.`);
  process.exit(2);
}

const { values: options } = parseArgs({ options: { url: { type: 'string' }, only: { type: 'string' } } });
const names = selected(options.only);
const temporary = mkdtempSync(join(tmpdir(), 'lazuli-conformance-'));
const total = { passed: 0, failed: 0 };
let server;
try {
  server =
    options.url === undefined ? await startServer(temporary, { flags: ['--job-token-life', jobTokenLife] }) : undefined;
  const url = (server?.url ?? options.url).replace(/\/+$/, '');
  if (!(await isWell(url))) throw new Error(`nothing answers at ${url}/health`);
  const summary = [];
  for (const name of names) {
    const start = Date.now();
    const count = await runOnItsServer(name, url, join(temporary, name));
    total.passed += count.passed;
    total.failed += count.failed;
    const seconds = ((Date.now() - start) / 1000).toFixed(0);
    summary.push(
      `# ${name}: ${count.passed} ok, ${count.failed} not ok, ${count.inapplicable} inapplicable, ${seconds} s`,
    );
  }
  console.log(summary.join('\n'));
} catch (error) {
  total.failed += 1;
  console.log(`not ok - server: it runs\n${error.message.replace(/^/gm, '    ')}`);
} finally {
  if (total.failed > 0 && server !== undefined)
    console.log(`# what the server's log complains about:\n${server.logTail().replace(/^/gm, '#   ')}`);
  await server?.stop();
  rmSync(temporary, { recursive: true, force: true });
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
