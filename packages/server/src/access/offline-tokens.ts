import type { Engine } from '../database/engine.ts';
import { tokenHandlers } from './token-handlers.ts';

/**
 * API tokens of a server that does not run: the first Owner's token has to come from somewhere before a server that asks
 * for tokens can be called. Opening the engine takes the data directory's lock, so it fails beside a running server.
 */
export interface OfflineTokens extends Pick<
  ReturnType<typeof tokenHandlers>,
  'createToken' | 'listTokens' | 'revokeToken'
> {
  close(): Promise<void>;
}

export async function openOfflineTokens(openEngine: () => Promise<Engine>, now: () => number): Promise<OfflineTokens> {
  const engine = await openEngine();
  const nobodyToTell = { forgetToken: () => undefined };
  return { ...tokenHandlers({ engine, now, authenticator: nobodyToTell }), close: () => engine.close() };
}
