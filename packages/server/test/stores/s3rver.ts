import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';

/**
 * A small server that speaks S3's protocol, over a folder. Three things that S3 does are added: an object is replaced or
 * removed at once, where this server would let two requests work in one file; what is acknowledged has been written;
 * and an upload in parts can be aborted.
 */
export interface S3Server extends AsyncDisposable {
  readonly environment: Readonly<Record<string, string>>;
  /** A bucket of its own, by name. */
  newBucket(): Promise<string>;
}

interface FileStore {
  putObject(object: { readonly bucket: string; readonly key: string }): Promise<{ readonly size: number }>;
  deleteObject(bucket: string, key: string): Promise<void>;
  putPart(bucket: string, uploadId: string, part: number, content: unknown): Promise<{ readonly size: number }>;
}

interface S3rver {
  readonly store: FileStore;
  readonly middleware: ((context: Context, next: () => Promise<void>) => Promise<void>)[];
  run(): Promise<{ readonly port: number }>;
  close(): Promise<void>;
}
interface Context {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string | undefined>>;
  status: number;
  body: unknown;
}
type S3rverClass = new (options: Readonly<Record<string, unknown>>) => S3rver;

export async function startS3Server(): Promise<S3Server> {
  const S3rver = createRequire(import.meta.url)('s3rver') as S3rverClass;
  const directory = await mkdtemp(join(tmpdir(), 's3rver-'));
  const server = new S3rver({ port: 0, address: '127.0.0.1', silent: true, directory });
  correctStore(server.store, directory);
  server.middleware.unshift(async (context, next) => {
    const { uploadId } = context.query;
    if (context.method !== 'DELETE' || uploadId === undefined) {
      await next();
      return;
    }
    const bucket = context.path.split('/')[1] ?? '';
    const uploads = join(directory, bucket, '._S3rver_uploads');
    const isThere = (await readdir(uploads).catch((): string[] => [])).includes(uploadId);
    if (isThere) await rm(join(uploads, uploadId), { recursive: true });
    context.status = isThere ? 204 : 404;
    if (!isThere) context.body = '<Error><Code>NoSuchUpload</Code><Message>There is none</Message></Error>';
  });
  const { port } = await server.run();
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
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function correctStore(store: FileStore, directory: string): void {
  const original = {
    put: store.putObject.bind(store),
    remove: store.deleteObject.bind(store),
    part: store.putPart.bind(store),
  };
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  };
  store.putObject = (object) =>
    inTurn(async () => {
      const put = await original.put(object);
      await untilWritten(join(directory, object.bucket, `${object.key}._S3rver_object`), put.size);
      return put;
    });
  store.deleteObject = (bucket, key) => inTurn(() => original.remove(bucket, key));
  store.putPart = async (bucket, uploadId, part, content) => {
    const put = await original.part(bucket, uploadId, part, content);
    await untilWritten(join(directory, bucket, '._S3rver_uploads', uploadId, String(part)), put.size);
    return put;
  };
}

async function untilWritten(file: string, size: number): Promise<void> {
  for (;;) {
    const written = await stat(file).catch(() => undefined);
    if (written?.size === size) return;
    await pause(2);
  }
}
