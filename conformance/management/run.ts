import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startManagedServer } from './server.ts';

/** Starts a server behind TLS, and `management.py` with nothing but environment variables that lead to it. */
const [python = '', temporary = ''] = process.argv.slice(2);
const server = await startManagedServer(temporary);
const facts = join(temporary, 'facts.json');
await writeFile(facts, JSON.stringify({ url: server.url, runs: server.runs, data_scientist: server.dataScientist }));
const child = spawn(python, ['-W', 'ignore', join(import.meta.dirname, 'management.py'), facts], {
  env: {
    ...process.env,
    REQUESTS_CA_BUNDLE: server.caFile,
    ARM_CLOUD_METADATA_URL: `${server.url}/metadata/endpoints?api-version=2019-05-01`,
    AZURE_AUTHORITY_HOST: server.url,
    AZURE_TENANT_ID: 'adfs',
    AZURE_CLIENT_ID: server.owner.app_id,
    AZURE_CLIENT_SECRET: server.owner.secret,
  },
  stdio: ['ignore', 'inherit', 'inherit'],
});
process.exitCode = await new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? 1)));
await server.close();
