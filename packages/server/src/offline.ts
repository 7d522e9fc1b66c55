import { errorFromResponse } from '@lazuli/contract';
import { openOfflineTokens, type OfflineTokens } from './access/offline-tokens.ts';
import { openOfflineDirectory, type OfflineDirectory } from './identity/offline-directory.ts';
import { openEngine } from './open-engine.ts';
import { createServer } from './server.ts';
import type { Settings } from './settings/parse-settings.ts';

/** API tokens of a data directory on which no server runs. */
export function openTokens(settings: Settings): Promise<OfflineTokens> {
  return openOfflineTokens(() => openEngine(settings), Date.now);
}

/** The directory of a data directory on which no server runs, or of a PostgreSQL database. */
export function openDirectory(settings: Settings): Promise<OfflineDirectory> {
  return openOfflineDirectory(() => openEngine(settings), Date.now);
}

/** Azure Resource Manager of a database, by whoever can open it: a server that listens to nobody else. */
export interface OfflineResourceManager {
  send(method: string, pathAndQuery: string, body?: unknown): Promise<unknown>;
  close(): Promise<void>;
}

export async function openResourceManager(settings: Settings): Promise<OfflineResourceManager> {
  const server = await createServer({ ...settings, auth: 'none', logLevel: 'silent', staticPrefix: '' });
  return {
    async send(method, pathAndQuery, body) {
      const response = await server.app.inject({
        method: method as 'GET',
        url: withVersion(pathAndQuery),
        headers: { host: '127.0.0.1', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
      });
      if (response.statusCode >= 300) throw errorFromResponse(response.statusCode, response.body);
      return response.body === '' ? undefined : (JSON.parse(response.body) as unknown);
    },
    close: () => server.close(),
  };
}

/** The link to a next page has one already. */
function withVersion(pathAndQuery: string): string {
  if (/[?&]api-version=/i.test(pathAndQuery)) return pathAndQuery;
  return `${pathAndQuery}${pathAndQuery.includes('?') ? '&' : '?'}api-version=2024-10-01`;
}
