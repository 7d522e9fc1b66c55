import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import process from 'node:process';
import { chromium } from 'playwright-core';
import { npmEnvironment } from '../environments.mjs';
import { check, skip } from './checks.ts';
import { doublingModel } from './onnx-model.mjs';

const program = [
  process.env['CHROMIUM'] ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find(existsSync);
const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

/** What a page does with the client: the explicit form of runs, files from memory, a model by onnxruntime-web. */
const page = `
  import { setTrackingUri, startRun, setExperiment, searchRuns, logModel, loadModel, createClient, registerModel } from '/client/browser.js';
  import * as ort from '/ort/ort.wasm.min.mjs';
  window.act = async (token, model) => {
    setTrackingUri(location.origin, { authorization: { header: async () => 'Bearer ' + token } });
    const { experiment_id } = await setExperiment('browser');
    const run = await startRun({ runName: 'in a page' });
    for (let step = 0; step < 100; step++) await run.logMetric('loss', 1 / (step + 1), { step });
    await run.logParam('agent', 'chromium');
    await run.logArtifact(new Blob(['from memory']), 'notes/blob.txt');
    const { source } = await logModel({ run, name: 'net', onnx: new Blob([Uint8Array.from(model)]) });
    await registerModel(source, 'doubling browser');
    await run.end();
    await startRun({ runName: 'around' }, (own) => own.logMetric('loss', 3));
    const opened = await run.openArtifact('notes/blob.txt');
    const found = [];
    for await (const { info } of searchRuns({ experimentIds: [experiment_id], filter: 'metrics.loss < 0.02' })) found.push(info.run_name);
    ort.env.wasm.wasmPaths = '/ort/';
    ort.env.wasm.numThreads = 1;
    const loaded = await loadModel('models:/doubling browser/1', { runtime: ort });
    const { y } = await loaded.predict([[1, 2], [3, 4.5]]);
    const client = createClient({ url: location.origin, token });
    const { metrics } = await client.metrics.getMetricHistory({ run_id: run.runId, metric_key: 'loss' });
    return { found, points: metrics.length, text: await new Response(opened.body).text(), y: [...y.data] };
  };`;

/** The page, the package's files, and the server below the same origin. */
async function startSite(folder: string, ort: string, url: string): Promise<http.Server> {
  const places: Readonly<Record<string, string>> = { client: join(folder, 'node_modules/@lazuli/client/dist'), ort };
  const site = http.createServer((request, response) => {
    const [, place = '', name = ''] = /^\/(client|ort)\/([\w.-]+)$/.exec(request.url ?? '') ?? [];
    const path = places[place];
    if (path !== undefined) {
      readFile(join(path, name)).then(
        (bytes) => response.writeHead(200, { 'content-type': types[extname(name)] ?? 'text/plain' }).end(bytes),
        () => response.writeHead(404).end(),
      );
    } else if (request.url?.startsWith('/api/') === true) {
      // The page's origin is none of the server's.
      const { origin: _origin, referer: _referer, host: _host, ...headers } = request.headers;
      const forwarded = http.request(url + request.url, { method: request.method ?? 'GET', headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      request.pipe(forwarded);
    } else {
      response
        .writeHead(200, { 'content-type': 'text/html' })
        .end(`<!doctype html><script type="module">${page}</script>`);
    }
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  return site;
}

export async function runInBrowser(folder: string, url: string, token: string): Promise<void> {
  const what = 'Chromium: a page logs a run, reads it back and runs a registered model with onnxruntime-web';
  if (program === undefined) {
    skip(what, 'chromium is not installed');
    return;
  }
  await check(what, async () => {
    const ort = join(
      await npmEnvironment('onnxruntime-web', ['onnxruntime-web@1.30.0']),
      'node_modules/onnxruntime-web/dist',
    );
    const site = await startSite(folder, ort, url);
    const quiet = [
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ];
    const browser = await chromium.launch({ executablePath: program, args: ['--no-sandbox', ...quiet] });
    try {
      const tab = await browser.newPage();
      const said: string[] = [];
      tab.on('console', (message) => said.push(message.text()));
      tab.on('pageerror', (error) => said.push(error.message));
      await tab.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
      await tab.waitForFunction('window.act !== undefined', undefined, { timeout: 20_000 }).catch(() => {
        throw new Error(`the page does not load: ${said.join('; ')}`);
      });
      const result = await tab.evaluate(`act(${JSON.stringify(token)}, ${JSON.stringify([...doublingModel()])})`);
      const expected = { found: ['in a page'], points: 100, text: 'from memory', y: [2, 4, 6, 9] };
      if (JSON.stringify(result) !== JSON.stringify(expected)) throw new Error(`found ${JSON.stringify(result)}`);
    } finally {
      await browser.close();
      site.close();
    }
  });
}
