import { once } from 'node:events';
import { createServer, Socket, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The network between a server and its database, with its faults. It carries bytes between them and, when it is told to,
 * does to them what networks do.
 */
export interface FaultProxy extends AsyncDisposable {
  /** The same database, reached through the proxy. */
  through(url: string): string;
  /** From now on; ends the fault before. */
  impose(fault: Fault): Promise<void>;
  heal(): Promise<void>;
  /** How often a connection was cut at its byte. */
  readonly cuts: number;
  /** Bytes that were held back and then thrown away, because whoever sent them has reset the connection. */
  readonly withdrawnBytes: number;
}

export type Fault =
  /** Everything arrives, later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Nothing arrives any more, on the connections that are open; new ones are well, or as silent. Silence stays. */
  | { readonly kind: 'silence'; readonly of: 'open connections' | 'all connections' }
  /** Nothing arrives until the fault ends; then everything does that was not withdrawn by a reset. */
  | { readonly kind: 'hold' }
  /** Connections are reset, new ones are refused. */
  | { readonly kind: 'refuse' }
  /** Each connection ends after so many bytes in one direction. What is above that number never arrives. */
  | {
      readonly kind: 'cut';
      readonly to: 'database' | 'server';
      readonly afterBytes: () => number;
      readonly how: 'end' | 'reset';
    };

interface Link {
  readonly sockets: { readonly server: Socket; readonly database: Socket };
  readonly held: { readonly to: Socket; readonly bytes: Buffer }[];
  isSilent: boolean;
  /** Bytes that may still pass before the cut. */
  left: number | undefined;
}

export async function startFaultProxy(databasePort: number): Promise<FaultProxy> {
  const links = new Set<Link>();
  let fault: Fault | undefined;
  let cuts = 0;
  let withdrawnBytes = 0;

  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (server) => {
    const database = new Socket({ allowHalfOpen: true }).setNoDelay(true).connect(databasePort, '127.0.0.1');
    const link: Link = { sockets: { server, database }, held: [], isSilent: false, left: undefined };
    links.add(link);
    if (fault !== undefined) afflict(link, fault);
    for (const [from, to] of [
      [server, database],
      [database, server],
    ] as const) {
      // One after the other, also when the delay changes.
      let last = Promise.resolve();
      const carry = (bytes: Buffer | 'end'): void => {
        last = last.then(() => pass(link, to, bytes));
      };
      from.on('data', carry);
      from.on('end', () => carry('end'));
      from.on('error', () => {
        // A reset: what it had sent and what has not arrived yet does not arrive any more.
        for (const { bytes } of link.held) withdrawnBytes += bytes.byteLength;
        link.held.length = 0;
        if (!link.isSilent) reset(to);
      });
      from.on('close', () => {
        if (server.destroyed && database.destroyed) links.delete(link);
      });
    }
  });
  await listen(0);
  const { port } = listener.address() as AddressInfo;

  async function listen(onPort: number): Promise<void> {
    listener.listen(onPort, '127.0.0.1');
    await once(listener, 'listening');
  }

  async function pass(link: Link, to: Socket, bytes: Buffer | 'end'): Promise<void> {
    if (link.isSilent) return;
    if (fault?.kind === 'hold') {
      link.held.push({ to, bytes: bytes === 'end' ? Buffer.alloc(0) : bytes });
      return;
    }
    if (fault?.kind === 'delay') await sleep(fault.ms);
    if (bytes === 'end') {
      to.end();
      return;
    }
    if (fault?.kind !== 'cut' || link.left === undefined || to !== link.sockets[fault.to]) {
      to.write(bytes);
      return;
    }
    if (bytes.byteLength <= link.left) {
      link.left -= bytes.byteLength;
      to.write(bytes);
      return;
    }
    const rest = bytes.subarray(0, link.left);
    const { how } = fault;
    cuts++;
    link.isSilent = true;
    to.write(rest, () => {
      for (const socket of Object.values(link.sockets)) {
        if (how === 'end') socket.end();
        else reset(socket);
      }
    });
  }

  function afflict(link: Link, { kind, ...given }: Fault): void {
    if (kind === 'silence') link.isSilent = true;
    if (kind === 'refuse') for (const socket of Object.values(link.sockets)) reset(socket);
    if (kind === 'cut' && 'afterBytes' in given) link.left = given.afterBytes();
  }

  async function heal(): Promise<void> {
    const ended = fault;
    fault = undefined;
    if (ended?.kind === 'refuse') await listen(port);
    for (const link of links) {
      link.left = undefined;
      for (const { to, bytes } of link.held.splice(0)) {
        if (bytes.byteLength === 0) to.end();
        else to.write(bytes);
      }
    }
  }

  return {
    through(url) {
      const changed = new URL(url);
      changed.host = `127.0.0.1:${port}`;
      return changed.href;
    },
    async impose(imposed) {
      await heal();
      if (imposed.kind === 'refuse') listener.close();
      for (const link of links) afflict(link, imposed);
      if (imposed.kind !== 'silence' || imposed.of === 'all connections') fault = imposed;
    },
    heal,
    get cuts() {
      return cuts;
    },
    get withdrawnBytes() {
      return withdrawnBytes;
    },
    async [Symbol.asyncDispose]() {
      for (const { sockets } of links) for (const socket of Object.values(sockets)) socket.destroy();
      if (listener.listening) {
        listener.close();
        await once(listener, 'close');
      }
    },
  };
}

function reset(socket: Socket): void {
  if (socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
}
