// Sends the same requests, in the same order, to Lazuli and to MLflow's own server, and compares the answers.
//
//   node conformance/differential/run.mjs [--url URI] [--mlflow-url URI] [--only TOPIC[,TOPIC...]] [--show]
//
// Without addresses it starts both: this checkout's server, and MLflow's from the environment of the `python3` client. Each
// request is one line, `ok - …` or `not ok - …` with both answers; the last line is `N passed, N failed`. A difference that
// accepted-differences.json names is fine, and one that it names but that is gone is a failure, too. `--show` prints every
// difference in the form of that file.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { startMlflow, startServer } from '../server.mjs';
import { exchange } from './exchange.mjs';
import { normalise } from './normalise.mjs';
import { topics } from './topics/topics.mjs';

const here = import.meta.dirname;
const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    'mlflow-url': { type: 'string' },
    only: { type: 'string' },
    show: { type: 'boolean', default: false },
  },
});

/** A server as this run sees it: its address, and the ids that it gave. */
function sideOf(base) {
  return { base, given: new Map(), names: new Map() };
}

/** Puts in what the server gave earlier: `$run` in a path, a query or a body. */
function filled(text, { given }) {
  return text.replace(/\$(\w+)/g, (whole, name) => given.get(name) ?? whole);
}

async function ask(side, step) {
  const answer = await exchange(side.base, {
    method: step.method,
    path: filled(step.path, side),
    headers: step.headers,
    body: step.body === undefined ? undefined : filled(step.body, side),
  });
  for (const [name, path] of Object.entries(step.keep ?? {})) {
    const value = path.split('.').reduce((at, part) => at?.[part], JSON.parse(answer.text));
    if (typeof value !== 'string') continue;
    side.given.set(name, value);
    side.names.set(value, `$${name}`);
  }
  const seen = normalise(answer, side.names);
  return step.only === undefined ? seen : { status: seen.status, part: step.only(seen, answer) };
}

/** An answer in a few words, as accepted-differences.json has it. */
function inShort({ status, json }) {
  return typeof json?.error_code === 'string' ? `${status} ${json.error_code}` : String(status);
}

function acceptedFor(name) {
  return accepted.find(({ requests }) => requests.includes(name));
}

async function compare(name, step, lazuli, mlflow) {
  const [ours, theirs] = [await ask(lazuli, step), await ask(mlflow, step)];
  const same = isDeepStrictEqual(ours, theirs);
  const entry = acceptedFor(name);
  if (entry !== undefined) seen.add(name);
  if (options.show && !same) {
    console.log(`  ${JSON.stringify({ request: name, mlflow: inShort(theirs), lazuli: inShort(ours) })},`);
  }
  if (entry === undefined)
    return same ? undefined : `MLflow: ${JSON.stringify(theirs)}\nLazuli: ${JSON.stringify(ours)}`;
  if (same) return 'is accepted as a difference, and is none any more';
  const expected = { mlflow: entry.mlflow, lazuli: entry.lazuli };
  const found = { mlflow: inShort(theirs), lazuli: inShort(ours) };
  if (isDeepStrictEqual(expected, found)) return undefined;
  return `is accepted with other answers: ${JSON.stringify(expected)}\nMLflow: ${JSON.stringify(theirs)}\nLazuli: ${JSON.stringify(ours)}`;
}

const accepted = JSON.parse(readFileSync(join(here, 'accepted-differences.json'), 'utf8'));
const seen = new Set();
const chosen = options.only?.split(',') ?? Object.keys(topics);
const unknown = chosen.filter((name) => !(name in topics));
if (unknown.length > 0) {
  console.error(`There is no topic '${unknown.join(', ')}': --only takes ${Object.keys(topics).join(', ')}.`);
  process.exit(2);
}

const temporary = mkdtempSync(join(tmpdir(), 'lazuli-differential-'));
const started = [];
const count = { passed: 0, failed: 0 };
const fail = (what, detail) => {
  count.failed += 1;
  console.log(`not ok - ${what}\n${detail.replace(/^/gm, '    ')}`);
};
try {
  const urlOf = async (given, start) => {
    if (given !== undefined) return given.replace(/\/+$/, '');
    const server = await start(temporary);
    started.push(server);
    return server.url;
  };
  const lazuli = sideOf(await urlOf(options.url, startServer));
  const mlflow = sideOf(await urlOf(options['mlflow-url'], startMlflow));
  const unique = Date.now().toString(36);
  for (const side of [lazuli, mlflow]) side.given.set('u', unique);
  for (const topic of chosen) {
    const names = new Set();
    for (const step of topics[topic]) {
      const name = `${topic}: ${step.title}`;
      if (names.has(name)) throw new Error(`two requests are called '${name}'`);
      names.add(name);
      const difference = await compare(name, step, lazuli, mlflow).catch((error) => error.stack);
      if (difference !== undefined) fail(name, difference);
      else {
        count.passed += 1;
        console.log(`ok - ${name}`);
      }
    }
  }
  const orphans = accepted
    .flatMap(({ requests }) => requests)
    .filter((name) => chosen.includes(name.split(':', 1)[0]) && !seen.has(name));
  for (const name of orphans) fail(name, 'is accepted as a difference, and there is no such request');
} catch (error) {
  fail('both servers run', error.stack);
} finally {
  for (const server of started) await server.stop();
  rmSync(temporary, { recursive: true, force: true });
}
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exitCode = count.failed > 0 || count.passed === 0 ? 1 : 0;
