import { chdir, cwd } from 'node:process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as client from '@lazuli/client';
import * as azure from '@lazuli/client/azure';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { app, startAuthority } from '../../../client/test/azure/test-authority.ts';
import { clientExamples } from '../../../../scripts/reference/client-page.ts';
import { startServer } from '../server-fixture.ts';

/** The examples in the docstrings of the client, which the reference shows, each as it stands. */
const root = join(import.meta.dirname, '../../../..');
const examples = [...clientExamples(root)].flatMap(([name, texts]) =>
  texts.map((text): [string, string] => [name, text]),
);

/** Stands in for onnxruntime, which is not installed here. */
const runtime: client.OnnxRuntime = {
  Tensor: class implements client.OnnxTensor {
    readonly type: string;
    readonly data: unknown;
    readonly dims: readonly number[];
    constructor(type: string, data: unknown, dims: readonly number[]) {
      this.type = type;
      this.data = data;
      this.dims = dims;
    }
  },
  InferenceSession: {
    create: async () => ({ inputNames: ['x'], outputNames: ['x'], run: async (feeds) => feeds }),
  },
};

let server: Awaited<ReturnType<typeof startServer>>;
let authority: Awaited<ReturnType<typeof startAuthority>>;
let url = '';
let folder = '';
const before = cwd();

beforeAll(async () => {
  server = await startServer();
  authority = await startAuthority();
  url = await server.server.app.listen({ host: '127.0.0.1', port: 0 });
  folder = await mkdtemp(join(tmpdir(), 'lazuli-examples-'));
  await mkdir(join(folder, 'out'));
  for (const name of ['model.bin', 'out/loss.svg']) await writeFile(join(folder, name), 'bytes');
  await writeFile(join(folder, 'unsent.jsonl'), '');
  chdir(folder);
  vi.stubEnv('MLFLOW_TRACKING_URI', url);
  vi.stubEnv('AZURE_AUTHORITY_HOST', authority.origin);
  vi.stubEnv('AZURE_TENANT_ID', app.tenantId);
  vi.stubEnv('AZURE_CLIENT_ID', app.clientId);
  vi.stubEnv('AZURE_CLIENT_SECRET', app.clientSecret);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  chdir(before);
  await server[Symbol.asyncDispose]();
  await authority[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const AsyncFunction = (async () => {}).constructor as new (
  ...words: string[]
) => (...given: unknown[]) => Promise<void>;

test.each(examples)('the example of %s runs, and prints what it says', async (_, text) => {
  client.setTrackingUri(url);
  const printed: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((...words: unknown[]) => {
    printed.push(words.map(String).join(' '));
  });
  const given = { ...client, ...azure, runtime };
  await new AsyncFunction(...Object.keys(given), text)(...Object.values(given));
  // A plain word behind a line that prints is what it prints.
  const told = [...text.matchAll(/console\.log\(.*\);? \/\/ (\w+)$/gm)].map(([, word]) => word);
  for (const word of told) expect(printed).toContain(word);
});

test('there are examples for all that a training loop needs', () => {
  const names = new Set(examples.map(([name]) => name));
  for (const name of [
    'startRun',
    'logMetric',
    'logArtifacts',
    'logModel',
    'registerModel',
    'loadModel',
    'searchRuns',
    'azureCredential',
  ])
    expect(names).toContain(name);
});
