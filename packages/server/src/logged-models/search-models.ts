import { compileWriter, contract } from '@lazuli/contract';
import type { Read } from '../database/engine.ts';
import { searchLoggedModelKeys, type LoggedModelQuery } from '../search/search-logged-models.ts';
import { getModelsByKey } from './hydrate-models.ts';

const writePage = compileWriter(contract.loggedModels.searchLoggedModels.output);

/** A page of whole models as the bytes of its answer. */
export const searchLoggedModels: Read<LoggedModelQuery, Uint8Array> = {
  name: 'search-logged-models',
  async run(db, query) {
    const { keys, nextPageToken } = await searchLoggedModelKeys(db, query);
    const models = await getModelsByKey(db, query.workspaceId, keys);
    const page = writePage({ models, ...(nextPageToken === undefined ? {} : { next_page_token: nextPageToken }) });
    return new TextEncoder().encode(page);
  },
};
