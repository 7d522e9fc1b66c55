import { readdir, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * The process of a small server that speaks S3's protocol, over a folder; it needs Node's legacy ciphers for its page
 * tokens. Four things that S3 does are added: an object is replaced or removed at once, where this server would let two
 * requests work in one file; what is acknowledged has been written; the range 0-0 is one byte; and an upload in parts can
 * be aborted.
 */
interface FileStore {
  getObject(bucket: string, key: string, range: { readonly end?: unknown }): Promise<unknown>;
  putObject(object: { readonly bucket: string; readonly key: string }): Promise<{ readonly size: number }>;
  deleteObject(bucket: string, key: string): Promise<void>;
  putPart(bucket: string, uploadId: string, part: number, content: unknown): Promise<{ readonly size: number }>;
}

interface S3rver {
  readonly store: FileStore;
  readonly middleware: ((context: Context, next: () => Promise<void>) => Promise<void>)[];
  run(): Promise<{ readonly port: number }>;
}
interface Context {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string | undefined>>;
  status: number;
  body: unknown;
}
type S3rverClass = new (options: Readonly<Record<string, unknown>>) => S3rver;

const directory = process.argv[2] as string;
const S3rver = createRequire(import.meta.url)('s3rver') as S3rverClass;
const server = new S3rver({ port: 0, address: '127.0.0.1', silent: true, directory });
correctStore(server.store);
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
process.stdout.write(`${(await server.run()).port}\n`);

function correctStore(store: FileStore): void {
  const read = store.getObject.bind(store);
  // A number that is zero and still true.
  store.getObject = (bucket, key, range) => read(bucket, key, range.end === 0 ? { ...range, end: Object(0) } : range);
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
