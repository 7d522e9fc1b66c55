import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What a test has the writing connection of a server do. That connection lives in a thread of another process, out of a
 * test's reach, so orders go through files: `obey-orders.ts` is loaded into the server and carries them out there.
 */
export interface Orders {
  /** What becomes of a commit that is to be durable: it waits until the orders change, or fails as if a sync had. */
  readonly commit?: 'hold' | 'fail';
  /** Whether the database file may take more pages than it has. */
  readonly size?: 'fixed';
}

export interface WriterOrders {
  /** To be loaded into the server. */
  readonly preload: URL;
  give(orders: Orders): void;
  /** Whether a durable commit is being held. */
  isHolding(): boolean;
}

export function writerOrders(folder: string): WriterOrders {
  const preload = new URL('obey-orders.ts', import.meta.url);
  preload.searchParams.set('folder', folder);
  const { orders: file, held } = filesIn(folder);
  return {
    preload,
    give(orders) {
      // Renamed, so that nobody reads half of them.
      writeFileSync(`${file}.next`, JSON.stringify(orders));
      renameSync(`${file}.next`, file);
    },
    isHolding: () => existsSync(held),
  };
}

/** The other end, in the server. */
export function ordersIn(folder: string): { current: () => Orders; holding: (state: 'begins' | 'ends') => void } {
  const { orders: file, held } = filesIn(folder);
  return {
    current: () => (existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Orders) : {}),
    holding: (state) => (state === 'begins' ? writeFileSync(held, '') : rmSync(held)),
  };
}

function filesIn(folder: string): { orders: string; held: string } {
  return { orders: join(folder, 'orders.json'), held: join(folder, 'held') };
}
