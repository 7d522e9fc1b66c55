import { limits } from '@lazuli/contract';
import { page, table } from './markdown.ts';

const characters = 'characters';

/** What each limit bounds; a new limit does not compile without its words. */
const meanings: Readonly<Record<keyof typeof limits, readonly [what: string, unit: string, beyond: string]>> = {
  key: ['key of a metric, param, run tag or experiment tag', characters, 'refused'],
  paramValue: ['value of a param', characters, 'cut'],
  runTagValue: ['value of a run tag', characters, 'cut'],
  experimentName: ['name of an experiment', characters, 'refused'],
  experimentTagValue: ['value of an experiment tag', characters, 'refused'],
  batchMetrics: ['metrics of one log-batch', 'points', 'refused'],
  batchParams: ['params of one log-batch', 'params', 'refused'],
  batchTags: ['tags of one log-batch', 'tags', 'refused'],
  batchTotal: ['metrics, params and tags of one log-batch together', 'items', 'refused'],
  datasetName: ['name of a dataset', characters, 'refused'],
  datasetDigest: ['digest of a dataset', characters, 'refused'],
  datasetSource: ['source of a dataset', characters, 'refused'],
  datasetSchema: ['schema of a dataset', characters, 'refused'],
  datasetProfile: ['profile of a dataset', characters, 'refused'],
  inputTagKey: ['key of a tag of a dataset input', characters, 'refused'],
  inputTagValue: ['value of a tag of a dataset input', characters, 'refused'],
  searchResults: ['`max_results` of a search', 'runs or experiments', 'refused'],
  bulkRuns: ['runs of one bulk history', 'runs', 'refused'],
  bulkPoints: ['points of one bulk history', 'points', 'cut'],
  intervalPoints: ['points of a run in one sampled history', 'points', 'refused'],
  searchDatasetExperiments: ['experiments of one search for datasets', 'experiments', 'refused'],
  searchDatasetSummaries: ['answers of one search for datasets', 'datasets', 'cut'],
  artifactLocation: ['location of artifacts that a client names', characters, 'refused'],
  loggedModelName: ['name of a logged model', characters, 'refused'],
  loggedModelType: ['type of a logged model', characters, 'refused'],
  loggedModelText: ['value of a param or tag of a logged model', characters, 'refused'],
  loggedModelTexts: ['params, or tags, of a logged model in one request', 'items', 'refused'],
  logModelHistory: ['tag `mlflow.log-model.history`, to which `runs/log-model` adds', characters, 'refused'],
  modelName: ['name of a registered model', characters, 'refused'],
  modelTagValue: ['value of a tag of a registered model or version', characters, 'refused'],
  modelAlias: ['alias of a version', characters, 'refused'],
  searchRegisteredModels: ['`max_results` of a search for registered models', 'models', 'refused'],
  searchModelVersions: ['`max_results` of a search for versions', 'versions', 'refused'],
  registryChanges: ['`max_results` of a list of registry changes', 'changes', 'refused'],
};

const intro = `Limits of one request, as MLflow 3.17 has them. Characters are Unicode code points. What is refused is answered with 400
\`INVALID_PARAMETER_VALUE\`; what is cut is stored or answered up to the limit.`;

const more = `A JSON body is bounded by [\`--max-body-size\`](settings.md); uploads of files are not. Limits of filters are in the
[guide to searching](../guides/search.md#mistakes).`;

export function limitsPage(): string {
  const rows = (Object.keys(limits) as (keyof typeof limits)[]).map((name) => {
    const [what, unit, beyond] = meanings[name];
    return [what, `${limits[name].toLocaleString('en-US')} ${unit}`, beyond];
  });
  return page('Limits', intro, table(['what', 'at most', 'beyond it'], rows), more);
}
