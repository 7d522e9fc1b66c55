import { serveReads } from './database/sqlite/serve-reads.ts';
import { searchExperiments } from './experiments/experiment-handlers.ts';
import { searchLoggedModels } from './logged-models/search-models.ts';
import { searchModelVersions } from './model-registry/model-version-handlers.ts';
import { searchRegisteredModels } from './model-registry/registered-model-handlers.ts';
import { metricHistory, metricHistoryBulk, metricHistoryInterval } from './runs/metric-reads.ts';
import { searchRuns } from './runs/search-runs.ts';

/** What a reader thread runs: every read that may scan. */
serveReads([
  searchExperiments,
  searchRuns,
  searchLoggedModels,
  searchRegisteredModels,
  searchModelVersions,
  metricHistory,
  metricHistoryBulk,
  metricHistoryInterval,
]);
