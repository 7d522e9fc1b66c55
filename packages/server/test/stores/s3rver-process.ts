import { readFile, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * The process of a small server that speaks S3's protocol, over a folder; it needs Node's legacy ciphers for its page
 * tokens. Six things that S3 does are added: an object is replaced or removed at once, where this server would let two
 * requests work in one file; what is acknowledged has been written; the range 0-0 is one byte; an upload in parts can
 * be aborted, and is completed with the parts that were sent and no others; a folder that holds nothing but folders is listed.
 */
interface FileStore {
  getObject(bucket: string, key: string, range: { readonly end?: unknown }): Promise<unknown>;
  putObject(object: { readonly bucket: string; readonly key: string }): Promise<{ readonly size: number }>;
  deleteObject(bucket: string, key: string): Promise<void>;
  putObjectMultipart(bucket: string, uploadId: string, parts: readonly Part[]): Promise<unknown>;
  putPart(bucket: string, uploadId: string, part: string, content: unknown): Promise<{ readonly size: number }>;
  listObjects(bucket: string, options: ListOptions): Promise<Listing>;
}

interface ListOptions {
  readonly delimiter?: string;
  readonly prefix?: string;
  readonly maxKeys?: number;
}

interface Listing {
  readonly objects: readonly { readonly key: string }[];
  readonly commonPrefixes: readonly string[];
  readonly isTruncated: boolean;
}

interface Part {
  readonly number: number;
  readonly etag: string;
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
const require = createRequire(import.meta.url);
const S3rver = require('s3rver') as S3rverClass;
const S3Error = require('s3rver/lib/models/error') as new (code: string, message: string) => Error;
const server = new S3rver({ port: 0, address: '127.0.0.1', silent: true, directory });
correctStore(server.store);
correctCompletion(server.store);
correctListing(server.store);
server.middleware.unshift(async (context, next) => {
  const { uploadId } = context.query;
  if (uploadId === undefined) {
    await next();
    return;
  }
  const [, bucket = '', ...key] = context.path.split('/');
  const upload = join(directory, bucket, '._S3rver_uploads', uploadId);
  const begun = await readFile(join(upload, 'key'), 'utf8').catch(() => undefined);
  if (begun === undefined || begun !== decodeURIComponent(key.join('/'))) {
    context.status = 404;
    context.body = '<Error><Code>NoSuchUpload</Code><Message>There is none</Message></Error>';
  } else if (context.method === 'DELETE') {
    await rm(upload, { recursive: true });
    context.status = 204;
  } else {
    await next();
  }
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
    await untilWritten(join(directory, bucket, '._S3rver_uploads', uploadId, part), put.size);
    return put;
  };
}

/** It would end itself over a part that was never sent. */
function correctCompletion(store: FileStore): void {
  const complete = store.putObjectMultipart.bind(store);
  store.putObjectMultipart = async (bucket, uploadId, parts) => {
    for (const { number, etag } of parts) {
      const file = join(directory, bucket, '._S3rver_uploads', uploadId, `${number}.md5`);
      const sent = await readFile(file, 'utf8').catch(() => undefined);
      if (sent !== etag) throw new S3Error('InvalidPart', 'One was not sent');
    }
    return await complete(bucket, uploadId, parts);
  };
}

/** It would not look into the folders of a folder, and so leave out one that holds no file itself. */
function correctListing(store: FileStore): void {
  const list = store.listObjects.bind(store);
  store.listObjects = async (bucket, options) => {
    const { delimiter = '', prefix = '', maxKeys = Infinity, ...rest } = options;
    if (delimiter === '') return await list(bucket, options);
    const below = await list(bucket, { ...rest, prefix });
    const folders = new Set<string>();
    const objects = below.objects.filter(({ key }) => {
      const end = key.indexOf(delimiter, prefix.length);
      if (end >= 0) folders.add(key.slice(0, end + delimiter.length));
      return end < 0;
    });
    const page = objects.slice(0, maxKeys);
    const last = page.at(-1)?.key;
    const isTruncated = objects.length > page.length;
    // What lies behind the page is for the next one.
    const commonPrefixes = [...folders].filter((folder) => !isTruncated || last === undefined || folder < last);
    return { objects: page, commonPrefixes, isTruncated };
  };
}

async function untilWritten(file: string, size: number): Promise<void> {
  for (;;) {
    const written = await stat(file).catch(() => undefined);
    if (written?.size === size) return;
    await pause(2);
  }
}
