import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { createClient, resumeLog } from '../dist/index.js';
import { freePort, startServer } from './serving.js';

// How runs end when their process does, with real processes.
const built = new URL('../dist/index.js', import.meta.url).href;
let server;
let client;
let folder;
before(async () => {
  server = await startServer();
  client = createClient({ url: server.url });
  folder = await mkdtemp(join(tmpdir(), 'lazuli-unsent-'));
});
after(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Runs a program that has the client's functions at hand; `onSaid` sees what it writes. */
function runProgram(text, { url = server.url, onSaid = () => {} } = {}) {
  const program = `import * as lazuli from ${JSON.stringify(built)};\n${text}`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    env: {
      ...process.env,
      MLFLOW_TRACKING_URI: url,
      MLFLOW_HTTP_REQUEST_MAX_RETRIES: '1',
      MLFLOW_HTTP_REQUEST_BACKOFF_JITTER: '0.01',
      LAZULI_UNSENT_DIR: folder,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return new Promise((resolve, reject) => {
    let said = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (data) => {
      said += data;
      onSaid(said, child);
    });
    child.stderr.setEncoding('utf8').on('data', (data) => (errors += data));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, said, errors }));
  });
}

const interrupted = new WeakSet();
/** As Ctrl-C does; one that has no effect is followed by an end that the test sees. */
function interruptOnce(said, child) {
  if (!said.includes('\n') || interrupted.has(child)) return;
  interrupted.add(child);
  child.kill('SIGINT');
  setTimeout(() => child.kill('SIGKILL'), 10_000).unref();
}

const runOf = async (said) => (await client.runs.getRun({ run_id: said.trim().split('\n')[0] })).run;

test('a program that just ends has sent everything and finished its run', async () => {
  const { code, said, errors } = await runProgram(`
    const run = await lazuli.startRun();
    console.log(run.runId);
    for (let step = 0; step < 50; step++) run.logMetric('loss', step, { step });
  `);
  assert.equal(code, 0, errors);
  const run = await runOf(said);
  assert.equal(run.info.status, 'FINISHED');
  assert.equal(run.data.metrics[0].value, 49);
});

test('an open run with system metrics keeps no process alive', async () => {
  const { code, said } = await runProgram(`
    const run = await lazuli.startRun({ systemMetrics: true });
    console.log(run.runId);
  `);
  assert.equal(code, 0);
  assert.equal((await runOf(said)).info.status, 'FINISHED');
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  test(`a run that ${signal} interrupts is KILLED, and the process dies of the signal`, async () => {
    const ended = await runProgram(
      `
      await lazuli.startRun(async (run) => {
        await lazuli.logMetric('loss', 1);
        console.log(run.runId);
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      });`,
      { onSaid: (said, child) => said.includes('\n') && child.kill(signal) },
    );
    assert.equal(ended.signal, signal, ended.errors);
    const run = await runOf(ended.said);
    assert.equal(run.info.status, 'KILLED');
    assert.equal(run.data.metrics[0].value, 1);
  });
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  test(`a program that goes on logging when ${signal} comes does not die of that before its run is KILLED`, async () => {
    let isSent = false;
    const ended = await runProgram(
      `
      const run = await lazuli.startRun();
      console.log(run.runId);
      for (let step = 0; ; step++) {
        await run.logMetric('loss', step, { step });
        if (step % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        if (step === 1_000) console.log('going');
      }`,
      {
        onSaid(said, child) {
          if (!isSent && said.includes('going')) isSent = child.kill(signal);
        },
      },
    );
    assert.equal(ended.signal, signal, ended.errors);
    assert.equal((await runOf(ended.said)).info.status, 'KILLED');
  });
}

// As signal-exit 4 does, which spinners, prompts and child processes bring along: it kills where it is alone, and counts itself.
const likeSignalExit = `
  globalThis[Symbol.for('signal-exit emitter')] = { count: 1 };
  const end = () => {
    if (process.listeners('SIGINT').length !== 1) return;
    console.log('the other one has cleaned up');
    process.off('SIGINT', end);
    process.kill(process.pid, 'SIGINT');
  };
  process.on('SIGINT', end);`;

test('another library that waits until nobody else listens for a signal does not keep the process alive', async () => {
  const ended = await runProgram(
    `${likeSignalExit}
    const run = await lazuli.startRun();
    console.log(run.runId);
    setInterval(() => {}, 1_000);`,
    { onSaid: (said, child) => interruptOnce(said, child) },
  );
  assert.equal(ended.signal, 'SIGINT', ended.errors);
  assert.match(ended.said, /has cleaned up/);
  assert.equal((await runOf(ended.said)).info.status, 'KILLED');
});

test('two copies of the client in one process both end their runs when a signal comes', async () => {
  const copy = join(folder, 'copy');
  await cp(new URL('../dist/', import.meta.url), copy, { recursive: true });
  await writeFile(join(copy, 'package.json'), '{ "type": "module" }');
  const ended = await runProgram(
    `const other = await import(${JSON.stringify(pathToFileURL(join(copy, 'index.js')).href)});
    const runs = [await lazuli.startRun(), await other.startRun()];
    console.log(runs.map(({ runId }) => runId).join('\\n'));
    setInterval(() => {}, 1_000);`,
    { onSaid: (said, child) => interruptOnce(said, child) },
  );
  assert.equal(ended.signal, 'SIGINT', ended.errors);
  for (const run_id of ended.said.trim().split('\n')) {
    assert.equal((await client.runs.getRun({ run_id })).run.info.status, 'KILLED');
  }
});

test('what waits is kept also where the user has no home', async () => {
  const { said, errors } = await runProgram(
    `import os from 'node:os';
    import { syncBuiltinESMExports } from 'node:module';
    // As for a number that the system has no name for, in a container.
    os.homedir = () => { throw new Error('uv_os_homedir returned ENOENT'); };
    syncBuiltinESMExports();
    for (const name of ['XDG_STATE_HOME', 'LAZULI_UNSENT_DIR']) delete process.env[name];
    const run = await lazuli.startRun();
    console.log(run.runId);
    run.logMetric('loss', 1);
    process.exit(0);`,
  );
  const file = join(tmpdir(), 'lazuli-unsent', `${said.trim()}.jsonl`);
  assert.ok(errors.includes(`They are kept in ${file}`), errors);
  assert.deepEqual(await resumeLog(file), { sent: 2, refused: [] });
});

test('what waits when process.exit() is called is kept in a file, which is sent later', async () => {
  const { said, errors } = await runProgram(`
    const run = await lazuli.startRun();
    console.log(run.runId);
    run.logMetric('loss', NaN, { step: 1, timestamp: 2n ** 53n + 1n });
    run.logParam('rate', '0.1');
    run.setTag('a', 'ü');
    process.exit(0);
  `);
  const id = said.trim();
  assert.deepEqual((await runOf(said)).data.metrics, undefined);
  const file = join(folder, `${id}.jsonl`);
  assert.ok(errors.includes(`3 logged values could not be sent: the process ended. They are kept in ${file}`), errors);
  assert.deepEqual(await resumeLog(file), { sent: 2, refused: [] });
  const run = await runOf(said);
  assert.equal(run.info.status, 'FINISHED');
  assert.ok(Number.isNaN(run.data.metrics[0].value));
  assert.equal(run.data.metrics[0].timestamp, 2n ** 53n + 1n);
  assert.deepEqual(run.data.params, [{ key: 'rate', value: '0.1' }]);
  assert.ok((await readdir(folder)).every((name) => name !== `${id}.jsonl`));
});

for (const [how, status] of [
  ["setTimeout(() => { throw new Error('nobody catches this'); })", 'FAILED'],
  ['process.exit(2)', 'FAILED'],
  ["run.end('KILLED').catch(() => {}); process.exit(0)", 'KILLED'],
]) {
  test(`a process that ends by ${how} says what did not arrive, and the run ends when that is sent`, async () => {
    const { said, errors } = await runProgram(`
      const run = await lazuli.startRun();
      console.log(run.runId);
      for (let step = 0; step < 10; step++) run.logMetric('loss', step, { step });
      ${how};`);
    const file = join(folder, `${said.trim()}.jsonl`);
    assert.ok(errors.includes(`Run ${said.trim()}: 10 logged values could not be sent`), errors);
    assert.ok(errors.includes(`'lazuli runs resume-log ${file}' sends them.`), errors);
    assert.equal((await resumeLog(file)).refused.length, 0);
    const run = await runOf(said);
    assert.equal(run.info.status, status);
    assert.equal(run.data.metrics[0].value, 9);
  });
}

test('a server that goes away costs nothing: values and status are kept, named, and sent later', async () => {
  const away = await startServer();
  const { code, said, errors } = await runProgram(
    `
    await lazuli.startRun(async (run) => {
      console.log(run.runId);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      for (let step = 0; step < 1_500; step++) lazuli.logMetric('loss', step, { step, timestamp: step });
    }).catch((error) => {
      console.error(error.message);
      process.exitCode = 3;
    });`,
    { url: away.url, onSaid: () => away.stop({ keep: true }) },
  );
  assert.equal(code, 3, errors);
  const file = join(folder, `${said.trim()}.jsonl`);
  assert.match(errors, /1500 logged values could not be sent/);
  assert.ok(errors.includes(`lazuli runs resume-log ${file}`), errors);
  assert.equal((await readFile(file, 'utf8')).trim().split('\n').length, 3);

  await assert.rejects(resumeLog(file, { retries: { maxRetries: 0 } }), /No answer from/);
  const back = await startServer(away);
  try {
    assert.deepEqual(await resumeLog(file), { sent: 3, refused: [] });
    const again = createClient({ url: back.url });
    const { run } = await again.runs.getRun({ run_id: said.trim() });
    assert.equal(run.info.status, 'FINISHED');
    const steps = [];
    const input = { run_id: said.trim(), metric_key: 'loss' };
    for await (const { step } of again.metrics.getMetricHistory.all(input)) steps.push(step ?? 0);
    assert.deepEqual(
      steps,
      Array.from({ length: 1_500 }, (_, step) => step),
    );
  } finally {
    await back.stop();
  }
});

test('without a server a program says so, and ends', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const { code, errors } = await runProgram(`await lazuli.startRun(async () => {});`, { url });
  assert.equal(code, 1);
  assert.match(errors, /No answer from http:\/\/127\.0\.0\.1/);
});
