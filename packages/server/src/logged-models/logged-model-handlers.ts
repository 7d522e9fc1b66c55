import { missing, type loggedModels } from '@lazuli/contract';
import type { Handlers } from '../access/caller.ts';

/** Owns logged models. None can be created yet, so a search finds none. */
export function loggedModelHandlers(): Handlers<typeof loggedModels> {
  return {
    async searchLoggedModels({ experiment_ids: ids = [] }) {
      if (ids.length === 0) throw missing('experiment_ids');
      return { models: [] };
    },
  };
}
