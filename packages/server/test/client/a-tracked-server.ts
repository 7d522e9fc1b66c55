import { setTrackingUri, type Client } from '@lazuli/client';
import { startServer } from '../server-fixture.ts';

/** A server behind a real socket, to which the module-level functions of the client lead. */
export interface TrackedServer extends AsyncDisposable {
  readonly url: string;
  readonly client: Client;
  /** Goes with the server. */
  readonly folder: string;
}

export async function trackedServer(flags: Record<string, string> = {}): Promise<TrackedServer> {
  const started = await startServer(flags);
  const url = await started.server.app.listen({ host: '127.0.0.1', port: 0 });
  setTrackingUri(url, { retries: { maxRetries: 2, backoffFactor: 0, backoffJitter: 0.01 } });
  const { client, dataDir: folder } = started;
  return { url, client, folder, [Symbol.asyncDispose]: () => started[Symbol.asyncDispose]() };
}
