import { createServer, request as ask, type IncomingMessage } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BlobServiceClient, ContainerSASPermissions } from '@azure/storage-blob';
import { makeCertificate } from '../../server/test/identity/tls-front.ts';
import { azuriteAccount, startAzurite } from '../../server/test/stores/azurite.ts';

/**
 * What a job meets in a cloud of Azure: a resource manager that keeps what is put, and Azure's own emulator of Blob Storage under
 * a name of Azure's form, behind TLS, to which a proxy leads. All that is asked is written down.
 */
export interface AzureMl extends AsyncDisposable {
  /** What a command needs to mean this workspace. */
  readonly env: Readonly<Record<string, string>>;
  readonly asked: readonly Asked[];
  readonly stored: ReadonlyMap<string, Resource>;
  /** What Blob Storage was asked for. */
  readonly ofStorage: readonly StorageRequest[];
  /** Answers of Blob Storage, or of the resource manager, in the place of their own; `undefined` for their own. */
  refuse: (method: string, url: string) => number | undefined;
  /** What the workspace's blob store says of itself, and which secrets it gives. */
  datastore: { type: string; secrets: 'Sas' | 'None' };
  /** By name, what a container holds. */
  readonly blobsIn: (container: string) => Promise<Map<string, Buffer>>;
}

export interface Asked {
  readonly line: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}

export interface Resource {
  readonly id: string;
  readonly name: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

export interface StorageRequest {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
}

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export const azureScope = '/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w';
export const storageEndpoint = 'shaped.test';
const storageHost = `${azuriteAccount}.blob.${storageEndpoint}`;
export const storageOrigin = `https://${storageHost}`;

export async function startAzureMl(folder: string): Promise<AzureMl> {
  await using opened = new AsyncDisposableStack();
  const azurite = opened.use(await startAzurite());
  const blobs = BlobServiceClient.fromConnectionString(azurite.connectionString);
  const asked: Asked[] = [];
  const ofStorage: StorageRequest[] = [];
  const stored = new Map<string, Resource>();
  const store = await azurite.newContainer();

  const sasOf = async (container: string): Promise<string> => {
    const permissions = ContainerSASPermissions.parse('racwl');
    const expiresOn = new Date(Date.now() + 3_600_000);
    return new URL(await blobs.getContainerClient(container).generateSasUrl({ permissions, expiresOn })).search.slice(
      1,
    );
  };

  const storage = await secureFront(new URL(blobs.url).port, (request) => {
    const { method = '', url = '', headers } = request;
    ofStorage.push({ method, url, authorization: headers.authorization });
    return azure.refuse(method, url);
  });
  opened.defer(storage.close);
  const proxy = createServer();
  proxy.on('connect', (request, socket) => {
    if (request.url !== `${storageHost}:443`) {
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
      return;
    }
    const there = connect(storage.port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    there.on('error', () => socket.destroy());
    socket.on('error', () => there.destroy());
    socket.pipe(there).pipe(socket);
  });
  const throughProxy = await listening(proxy);
  opened.defer(throughProxy.close);

  async function answered(method: string, path: string, body: unknown): Promise<Answer> {
    const known = stored.get(path);
    if (path.endsWith('/startPendingUpload')) {
      const container = await azurite.newContainer();
      const blobUri = `${storageOrigin}/${container}`;
      const credential = { credentialType: 'SAS', sasUri: `${blobUri}?${await sasOf(container)}` };
      return { body: { blobReferenceForConsumption: { blobUri, storageAccountArmId: '/s', credential } } };
    }
    if (path === `${azureScope}/datastores/workspaceblobstore`) {
      const place = { accountName: azuriteAccount, containerName: store, endpoint: storageEndpoint, protocol: 'https' };
      return { body: { properties: { datastoreType: azure.datastore.type, ...place } } };
    }
    if (path === `${azureScope}/datastores/workspaceblobstore/listSecrets`) {
      const { secrets } = azure.datastore;
      return { body: { secretsType: secrets, ...(secrets === 'Sas' ? { sasToken: await sasOf(store) } : {}) } };
    }
    const canceled = stored.get(path.replace(/\/cancel$/, ''));
    if (method === 'POST' && canceled !== undefined) {
      stored.set(canceled.id, { ...canceled, properties: { ...canceled.properties, status: 'Canceled' } });
      return { status: 202, headers: { location: `${arm.origin}/operations/cancel`, 'retry-after': '0' }, body: {} };
    }
    if (path === '/operations/cancel') return { body: {} };
    if (method === 'PUT') {
      const { properties } = body as Pick<Resource, 'properties'>;
      const status = path.includes('/jobs/') ? { status: 'Queued' } : {};
      const resource = { id: path, name: path.split('/').at(-1) ?? '', properties: { ...properties, ...status } };
      stored.set(path, resource);
      return { status: 201, body: resource };
    }
    if (path.endsWith('/jobs'))
      return { body: { value: [...stored.values()].filter(({ id }) => id.includes('/jobs/')) } };
    // A name without a version: the container of its versions.
    if (/\/(?:environments|data|models)\/[^/]+$/.test(path)) return { body: { properties: { latestVersion: '12' } } };
    if (known !== undefined) return { body: known };
    return { status: 404, body: { error: { code: 'UserError', message: `${path} is not there.` } } };
  }

  const manager = createServer((request, response) => {
    void (async () => {
      const { pathname } = new URL(request.url ?? '/', 'http://manager.test');
      if (pathname === '/metadata') {
        const cloud = { name: 'Recorded', resourceManager: arm.origin, authentication: { loginEndpoint: arm.origin } };
        response.end(JSON.stringify([cloud]));
        return;
      }
      const text = await textOf(request);
      const body: unknown = text === '' ? undefined : JSON.parse(text);
      asked.push({ line: `${request.method} ${request.url}`, authorization: request.headers.authorization, body });
      const refused = azure.refuse(request.method ?? '', pathname);
      const answer: Answer =
        refused === undefined
          ? await answered(request.method ?? '', decodeURIComponent(pathname), body)
          : { status: refused, body: { error: { code: 'Refused', message: `refused with ${refused}` } } };
      response
        .writeHead(answer.status ?? 200, { ...answer.headers, 'content-type': 'application/json' })
        .end(JSON.stringify(answer.body));
    })().catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  const arm = await listening(manager);
  opened.defer(arm.close);

  const trust = join(folder, 'storage.pem');
  writeFileSync(trust, storage.certificate);
  const all = opened.move();
  const azure: AzureMl = {
    env: {
      HOME: folder,
      MLFLOW_TRACKING_URI: `azureml://127.0.0.1:9/mlflow/v1.0${azureScope}`,
      AZUREML_CURRENT_CLOUD: 'Recorded',
      ARM_CLOUD_METADATA_URL: `${arm.origin}/metadata`,
      LAZULI_TOKEN: 'of-a-user',
      HTTPS_PROXY: throughProxy.origin,
      MLFLOW_TRACKING_SERVER_CERT_PATH: trust,
      MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR: '0',
      MLFLOW_HTTP_REQUEST_BACKOFF_JITTER: '0',
    },
    asked,
    ofStorage,
    stored,
    refuse: () => undefined,
    datastore: { type: 'AzureBlob', secrets: 'Sas' },
    async blobsIn(container) {
      const found = new Map<string, Buffer>();
      const client = blobs.getContainerClient(container);
      for await (const { name } of client.listBlobsFlat()) {
        found.set(name, await client.getBlobClient(name).downloadToBuffer());
      }
      return found;
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
  return azure;
}

/** TLS under the name of the storage account, in front of the emulator. */
async function secureFront(port: string, refused: (request: IncomingMessage) => number | undefined) {
  const { certificate, key } = await makeCertificate(storageHost);
  const front = createSecureServer({ cert: certificate, key }, (incoming, outgoing) => {
    const status = refused(incoming);
    if (status !== undefined) {
      incoming.resume().on('end', () => outgoing.writeHead(status).end('<Error><Code>Refused</Code></Error>'));
      return;
    }
    const { method, url, headers } = incoming;
    const forwarded = ask({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    incoming.pipe(forwarded);
  });
  return { certificate, ...(await listening(front)) };
}

async function listening(server: ReturnType<typeof createServer> | ReturnType<typeof createSecureServer>) {
  // Of a tunnel the server itself knows nothing any more.
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.once('close', () => sockets.delete(socket))));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((done) => {
      server.close(() => done());
      for (const socket of sockets) socket.destroy();
    });
  return { origin: `http://127.0.0.1:${port}`, port, close };
}
