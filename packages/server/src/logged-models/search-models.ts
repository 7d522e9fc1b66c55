import { compileWriter, contract } from '@lazuli/contract';
import type { Read } from '../database/engine.ts';
import { searchLoggedModelKeys, type LoggedModelQuery } from '../search/search-logged-models.ts';
import { getModelsByKey, type FindRegistrations } from './hydrate-models.ts';

const writePage = compileWriter(contract.loggedModels.searchLoggedModels.output);

/** A page of whole models as the bytes of its answer. */
export function searchLoggedModels(registrationsOf?: FindRegistrations): Read<LoggedModelQuery, Uint8Array> {
  return {
    name: 'search-logged-models',
    async run(db, query) {
      const { modelKeys, nextPageToken } = await searchLoggedModelKeys(db, query);
      const models = await getModelsByKey(db, { workspaceId: query.workspaceId, registrationsOf }, modelKeys);
      const page = writePage({ models, ...(nextPageToken === undefined ? {} : { next_page_token: nextPageToken }) });
      return new TextEncoder().encode(page);
    },
  };
}
