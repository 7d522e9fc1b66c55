import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { BlobServiceClient } from '@azure/storage-blob';

/** Azure's own emulator of Blob Storage, in a process of its own that keeps everything in memory. */
export interface Azurite extends AsyncDisposable {
  readonly connectionString: string;
  /** A container of its own, by name. */
  newContainer(): Promise<string>;
}

export const azuriteAccount = 'devstoreaccount1';
/** The emulator's key, which is the same everywhere and documented. */
export const azuriteKey = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export interface AzuriteOptions {
  /** Files of a certificate and its key: the emulator takes tokens over TLS only, and of them whatever looks right. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
}

export async function startAzurite({ tls }: AzuriteOptions = {}): Promise<Azurite> {
  const program = createRequire(import.meta.url).resolve('azurite/dist/src/blob/main.js');
  const flags = ['--blobPort', '0', '--inMemoryPersistence', '--silent', '--disableTelemetry', '--skipApiVersionCheck'];
  if (tls !== undefined) flags.push('--oauth', 'basic', '--cert', tls.certFile, '--key', tls.keyFile);
  const scheme = tls === undefined ? 'http' : 'https';
  const child = spawn(process.execPath, [program, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const endWithTests = (): void => void child.kill();
  process.once('exit', endWithTests);
  const port = await new Promise<string>((resolve, reject) => {
    void exited.then(() => reject(new Error('the emulator ended before it listened')));
    createInterface(child.stdout).on('line', (line) => {
      const found = /listens on https?:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  const connectionString =
    `DefaultEndpointsProtocol=${scheme};AccountName=${azuriteAccount};AccountKey=${azuriteKey};` +
    `BlobEndpoint=${scheme}://127.0.0.1:${port}/${azuriteAccount};`;
  let containers = 0;
  return {
    connectionString,
    async newContainer() {
      containers += 1;
      const name = `artifacts-${containers}`;
      await BlobServiceClient.fromConnectionString(connectionString).createContainer(name);
      return name;
    },
    async [Symbol.asyncDispose]() {
      process.off('exit', endWithTests);
      child.kill();
      await exited;
    },
  };
}
