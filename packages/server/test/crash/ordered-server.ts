import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProcess, type ServerProcess } from './server-process.ts';
import { writerOrders, type WriterOrders } from './writer-orders.ts';

/** A server whose writing connection takes orders, with a data directory of its own. */
export interface OrderedServer extends AsyncDisposable {
  readonly server: ServerProcess;
  readonly orders: WriterOrders;
}

export async function startOrderedServer(): Promise<OrderedServer> {
  const folder = await mkdtemp(join(tmpdir(), 'lazuli-orders-'));
  const orders = writerOrders(folder);
  const server = await startProcess({
    dataDir: join(folder, 'data'),
    flags: ['--log-level', 'error'],
    preload: orders.preload,
  });
  return {
    server,
    orders,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
