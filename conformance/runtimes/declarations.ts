import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { npmEnvironment, output } from '../environments.mjs';
import { check } from './checks.ts';
import { node24 } from './installed.ts';

/** Under each of these, with the types of Node's oldest version, the package's declarations are read without `skipLibCheck`. */
const versions = { oldest: '5.2.2', newest: '6.0.3' } as const;
const nodeTypes = '@types/node@20.19.43';

const inNode = `
import { readFile } from 'node:fs/promises';
import { createClient, downloadArtifacts, startRun, type ActiveRun } from '@lazuli/client';
import { azureCredential } from '@lazuli/client/azure';
import { connectDatabricks } from '@lazuli/client/databricks';
const run: ActiveRun = await startRun({ runName: 'typed' });
await run.logArtifact(await readFile('model.bin'), 'model.bin');
const loss: number = await startRun(async () => 0.5);
const client = createClient({ url: 'http://127.0.0.1:5000' });
for await (const { info } of client.runs.searchRuns.all({ experiment_ids: ['0'] })) info.run_name.toUpperCase();
// @ts-expect-error: a text is no value of a metric
await run.logMetric('loss', 'low');
// @ts-expect-error: it is called runName
await startRun({ name: 'typed' });
// @ts-expect-error: no such field
await client.runs.getRun({ runId: run.runId });
export const all = [loss, await downloadArtifacts('runs:/1', './here', { verify: true }), azureCredential, connectDatabricks];
`;

const inBrowser = `
import { browserPlatform, createTracking, startRun } from '@lazuli/client';
const run = await startRun();
await run.logArtifact(new Blob(['bytes']), 'file.txt');
export const tracking = createTracking(browserPlatform());
`;

const strict = { noEmit: true, strict: true, target: 'es2022' } as const;
const modern = { module: 'esnext', moduleResolution: 'bundler' } as const;

/** Compiles programs that use the package which is installed in `folder`. */
export async function checkDeclarations(folder: string): Promise<void> {
  await writeFile(join(folder, 'typed.mts'), inNode);
  await writeFile(join(folder, 'typed-page.ts'), inBrowser);
  for (const version of Object.values(versions)) {
    const installed = await npmEnvironment(`typescript-${version}`, [`typescript@${version}`, nodeTypes]);
    const types = { types: ['node'], typeRoots: [join(installed, 'node_modules/@types')] };
    const programs = {
      'Node, as a module': {
        file: 'typed.mts',
        ...types,
        lib: ['es2022'],
        module: 'node16',
        moduleResolution: 'node16',
      },
      'Node, for a bundler': { file: 'typed.mts', ...types, lib: ['es2022'], ...modern },
      'a browser': {
        file: 'typed-page.ts',
        types: [],
        lib: ['es2022', 'dom'],
        customConditions: ['browser'],
        ...modern,
      },
    };
    for (const [place, { file, ...options }] of Object.entries(programs)) {
      await check(`TypeScript ${version} reads the declarations, for ${place}`, async () => {
        const project = join(folder, 'tsconfig.json');
        await writeFile(project, JSON.stringify({ compilerOptions: { ...strict, ...options }, files: [file] }));
        await output(node24, [join(installed, 'node_modules/typescript/bin/tsc'), '-p', project], { cwd: folder });
      });
    }
  }
}
