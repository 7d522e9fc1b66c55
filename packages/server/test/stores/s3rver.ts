import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';

/** A small server that speaks S3's protocol, in a process of its own. */
export interface S3Server extends AsyncDisposable {
  readonly environment: Readonly<Record<string, string>>;
  /** A bucket of its own, by name. */
  newBucket(): Promise<string>;
}

export async function startS3Server(): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), 's3rver-'));
  const program = join(import.meta.dirname, 's3rver-process.ts');
  const child = spawn(process.execPath, ['--openssl-legacy-provider', program, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const endWithTests = (): void => void child.kill();
  process.once('exit', endWithTests);
  const port = await new Promise<string>((resolve, reject) => {
    void exited.then(() => reject(new Error('the server ended before it listened')));
    createInterface(child.stdout).on('line', resolve);
  });
  const environment = {
    MLFLOW_S3_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    AWS_ACCESS_KEY_ID: 'S3RVER',
    AWS_SECRET_ACCESS_KEY: 'S3RVER',
  };
  const client = new S3Client({
    endpoint: environment.MLFLOW_S3_ENDPOINT_URL,
    forcePathStyle: true,
    region: 'us-east-1',
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
  });
  let buckets = 0;
  return {
    environment,
    async newBucket() {
      buckets += 1;
      const Bucket = `artifacts-${buckets}`;
      await client.send(new CreateBucketCommand({ Bucket }));
      return Bucket;
    },
    async [Symbol.asyncDispose]() {
      client.destroy();
      process.off('exit', endWithTests);
      child.kill();
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
