import { compileWriter, contract } from '@lazuli/contract';
import type { Read } from '../database/engine.ts';
import { searchRunKeys, type RunQuery } from '../search/search-runs.ts';
import { getRunsByKey } from './hydrate-runs.ts';

const writePage = compileWriter(contract.runs.searchRuns.output);

/** A page of whole runs as the bytes of its answer. Latest metrics must be settled. */
export const searchRuns: Read<RunQuery, Uint8Array> = {
  name: 'search-runs',
  async run(db, query) {
    const { keys, nextPageToken } = await searchRunKeys(db, query);
    const runs = await getRunsByKey(db, query.workspaceId, keys);
    const page = writePage({ runs, ...(nextPageToken === undefined ? {} : { next_page_token: nextPageToken }) });
    return new TextEncoder().encode(page);
  },
};
