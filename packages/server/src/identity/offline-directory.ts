import type { Engine } from '../database/engine.ts';
import { directoryHandlers } from './directory-handlers.ts';
import { openTenant } from './tenant.ts';

/** The directory of a server that does not run; on PostgreSQL its servers may run. */
export interface OfflineDirectory extends ReturnType<typeof directoryHandlers> {
  close(): Promise<void>;
}

export async function openOfflineDirectory(
  openEngine: () => Promise<Engine>,
  now: () => number,
): Promise<OfflineDirectory> {
  const engine = await openEngine();
  const nobodyToTell = { forgetAllTokens: () => undefined };
  try {
    const tenant = await openTenant(engine, now);
    return {
      ...directoryHandlers({ engine, now, tenant, authenticator: nobodyToTell }),
      close: () => engine.close(),
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}
