import type { Worker } from 'node:cluster';

/**
 * *Node's cluster: the primary hands a connection to a worker and keeps its own hold on it until the worker says that it
 * has it.* A worker that is killed before it says so leaves the connection open in the primary for ever, with a client
 * that waits (https://github.com/nodejs/node/issues/21746 is the same fault). Here such connections are closed when
 * their worker has ended, so that clients see at once that they must ask again.
 *
 * Node has no interface for this. The messages of its own are read as they go by, and where they ever look different,
 * nothing is done.
 */
export function closeLostConnections(worker: Worker): void {
  const handedOver = new Map<unknown, { close(): void }>();
  const child = worker.process;
  const send = child.send.bind(child) as (...args: unknown[]) => boolean;
  child.send = (...args: unknown[]) => {
    const [message, handle] = args as [{ act?: unknown; seq?: unknown }, { close?: unknown } | undefined];
    if (message.act === 'newconn' && typeof handle?.close === 'function') {
      handedOver.set(message.seq, handle as { close(): void });
    }
    return send(...args);
  };
  child.on('internalMessage', (message: { ack?: unknown }) => void handedOver.delete(message.ack));
  worker.once('exit', () => {
    for (const handle of handedOver.values()) handle.close();
    handedOver.clear();
  });
}
