import { batches } from './batches.mjs';
import { bodies } from './bodies.mjs';
import { experiments } from './experiments.mjs';
import { history } from './history.mjs';
import { inputs } from './inputs.mjs';
import { logging } from './logging.mjs';
import { loggedModels } from './logged-models.mjs';
import { registry } from './registry.mjs';
import { routes } from './routes.mjs';
import { runs } from './runs.mjs';
import { searchingExperiments } from './searching-experiments.mjs';
import { searchingRuns } from './searching-runs.mjs';

export const topics = {
  experiments,
  runs,
  logging,
  batches,
  inputs,
  history,
  'searching experiments': searchingExperiments,
  'searching runs': searchingRuns,
  'logged models': loggedModels,
  registry,
  bodies,
  routes,
};
