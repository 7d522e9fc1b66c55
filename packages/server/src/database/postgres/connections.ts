import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, DatabaseError, type ClientConfig } from 'pg';
import { ConnectionLost, isPassing } from './failure.ts';

/**
 * The connections of this process: at most `size`, opened when they are needed, kept for whoever comes next. This is not the
 * driver's own pool because of what happens when the database or the way to it fails:
 *
 * - A connection that failed is reset and not closed. What lies unsent in the kernel would otherwise be delivered when the
 *   network is back, long after the client was told that its write failed, and perhaps over a newer one.
 * - When one fails, those opened before it are taken to be no better: the next request must not try a silent one.
 * - When none can be opened, the database is away. For a short while requests wait, because a restart takes seconds; then they
 *   fail at once, so that no queue forms behind it. One of them at a time knocks, so it is found when it is back.
 */
export interface Connections {
  take(): Promise<Connection>;
  /** Ends the idle ones, and waits for those that are in use. */
  close(): Promise<void>;
}

export interface Connection {
  readonly client: Client;
  /** Breaks the connection; whoever waits for an answer on it learns that at once. */
  reset(): void;
  /** Hands it back, for others to use, or because it has failed. */
  giveBack(state: 'usable' | 'failed'): void;
}

/** How long to wait for a new connection, for one that others use, and for a database that is away. */
const patienceMs = 5_000;
const betweenKnocksMs = 100;
/** In a long outage, how long to wait for somebody else's knock: a database that is back opens in less. */
const hopeMs = 500;
const idleLimitMs = 60_000;
const goodbyeLimitMs = 1_000;

interface Owned extends Connection {
  /** In which era it was opened: a failure ends the era. */
  readonly era: number;
  isBroken: boolean;
  idleTimer?: NodeJS.Timeout;
}

interface Waiting {
  resolve(connection: Connection | Promise<Connection>): void;
  reject(error: Error): void;
}

interface Outage {
  readonly since: number;
  reason: unknown;
  /** The attempt that is being made, or the pause after it. */
  knock?: Promise<void> | undefined;
  knockedAt: number;
}

export function createConnections(config: ClientConfig, size: number): Connections {
  const idle: Owned[] = [];
  const waiting: Waiting[] = [];
  let count = 0;
  let era = 0;
  // Nothing was ever reached: whoever starts a server without its database shall learn it at once.
  let outage: Outage | undefined = { since: -Infinity, reason: undefined, knockedAt: -Infinity };
  let closed: PromiseWithResolvers<void> | undefined;

  /** A connection is no more, or was never opened: there is room for another. */
  function leave(): void {
    count--;
    if (closed !== undefined) {
      if (count === 0) closed.resolve();
      return;
    }
    const next = waiting.shift();
    if (next !== undefined) next.resolve(open());
  }

  async function open(): Promise<Connection> {
    count++;
    try {
      for (;;) {
        if (outage?.knock !== undefined) {
          if (isOver(outage) && performance.now() - outage.knockedAt >= hopeMs) throw lost(outage.reason);
          await Promise.race([outage.knock, sleep(hopeMs)]);
          continue;
        }
        const since = performance.now();
        const attempt = connect();
        if (outage !== undefined) knock(outage, attempt);
        try {
          const connection = await attempt;
          outage = undefined;
          return connection;
        } catch (error) {
          // Others use up what the database gives out: then fewer connections must do.
          if (isFull(error) && count > 1) break;
          outage ??= { since, reason: error, knockedAt: since };
          outage.reason = error;
          if (isOver(outage) || !isPassing(error)) throw lost(error);
          if (outage.knock === undefined) knock(outage, sleep(betweenKnocksMs));
        }
      }
    } catch (error) {
      leave();
      throw error;
    }
    count--;
    return wait();
  }

  async function connect(): Promise<Owned> {
    // Ours, so that it can be reset also where TLS lies over it.
    const socket = new Socket();
    const client = new Client({ ...config, connectionTimeoutMillis: patienceMs, stream: () => socket });
    const connection: Owned = {
      client,
      era,
      isBroken: false,
      reset() {
        connection.isBroken = true;
        if (socket.connecting) socket.destroy();
        else socket.resetAndDestroy();
      },
      giveBack(state) {
        if (state === 'usable' && !connection.isBroken && connection.era === era) keep(connection);
        else {
          if (connection.era === era) era++;
          connection.reset();
          leave();
        }
      },
    };
    // Whoever uses it learns of the error from the query.
    client.on('error', () => (connection.isBroken = true));
    client.on('end', () => {
      connection.isBroken = true;
      const place = idle.indexOf(connection);
      if (place === -1) return;
      idle.splice(place, 1);
      clearTimeout(connection.idleTimer);
      leave();
    });
    try {
      await client.connect();
    } catch (error) {
      connection.reset();
      throw error;
    }
    return connection;
  }

  function keep(connection: Owned): void {
    const next = waiting.shift();
    if (next !== undefined) {
      next.resolve(connection);
      return;
    }
    if (closed !== undefined) {
      void sayGoodbye(connection);
      return;
    }
    idle.push(connection);
    connection.idleTimer = setTimeout(() => {
      idle.splice(idle.indexOf(connection), 1);
      void sayGoodbye(connection);
    }, idleLimitMs).unref();
  }

  async function sayGoodbye(connection: Owned): Promise<void> {
    clearTimeout(connection.idleTimer);
    const tooLong = setTimeout(() => connection.reset(), goodbyeLimitMs);
    await connection.client.end();
    clearTimeout(tooLong);
    leave();
  }

  function wait(): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const settle = (): void => clearTimeout(timer);
      const one: Waiting = {
        resolve(connection) {
          settle();
          resolve(connection);
        },
        reject(error) {
          settle();
          reject(error);
        },
      };
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(one), 1);
        reject(new ConnectionLost('all connections to the database are busy'));
      }, patienceMs);
      waiting.push(one);
    });
  }

  return {
    async take() {
      if (closed !== undefined) throw new ConnectionLost('the server is stopping');
      for (let found = idle.pop(); found !== undefined; found = idle.pop()) {
        clearTimeout(found.idleTimer);
        if (!found.isBroken && found.era === era) return found;
        found.reset();
        leave();
      }
      return count < size ? open() : wait();
    },
    async close() {
      if (closed !== undefined) return closed.promise;
      closed = Promise.withResolvers();
      for (const one of waiting.splice(0)) one.reject(new ConnectionLost('the server is stopping'));
      for (const connection of idle.splice(0)) void sayGoodbye(connection);
      if (count === 0) closed.resolve();
      return closed.promise;
    },
  };
}

/** *too_many_connections; also what a role or a database has of them.* */
function isFull(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === '53300';
}

function isOver({ since }: Outage): boolean {
  return performance.now() - since >= patienceMs;
}

function knock(outage: Outage, attempt: Promise<unknown>): void {
  const done = (): void => {
    outage.knock = undefined;
  };
  outage.knock = attempt.then(done, done);
  outage.knockedAt = performance.now();
}

function lost(cause: unknown): ConnectionLost {
  return new ConnectionLost('the database cannot be reached', { cause });
}
