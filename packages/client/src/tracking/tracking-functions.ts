import type { Experiment, ModelVersion, Run as RunRecord } from '@lazuli/contract';
import type { Client } from '../client.ts';
import type { LoggedModelHandle, ModelToLog } from '../models/log-model.ts';
import type { RegisterOptions } from '../models/register-model.ts';
import type { Connection, ConnectOptions } from './connection.ts';
import type { DualTrackingUris } from './dual-connection.ts';
import type { MetricOptions, ParamValue, Run } from './run-handle.ts';
import type { CallOptions } from '../transport.ts';
import type { SystemMetricsOptions } from './system-metrics.ts';

export interface StartRunOptions extends CallOptions {
  /** Default: a name that the server makes up. */
  readonly runName?: string;
  /** Default: that of `setExperiment`, else that of the environment, else `Default`. */
  readonly experimentName?: string;
  readonly experimentId?: string;
  /** Goes on with a run that exists. */
  readonly runId?: string;
  /** Makes it a child of the run that surrounds it. */
  readonly nested?: boolean;
  /** Makes it a child of this run. */
  readonly parentRunId?: string;
  readonly tags?: Readonly<Record<string, ParamValue>>;
  readonly description?: string;
  /** Samples CPU, memory, disk, network and GPUs while the run lives; default: MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING. */
  readonly systemMetrics?: boolean | SystemMetricsOptions;
}

export interface SearchRunsOptions {
  readonly experimentIds?: readonly string[];
  readonly experimentNames?: readonly string[];
  /** `metrics.loss < 0.1 and params.optimizer = 'adam'` */
  readonly filter?: string;
  /** `['metrics.loss ASC']`; newest first without it. */
  readonly orderBy?: readonly string[];
  readonly viewType?: 'ACTIVE_ONLY' | 'DELETED_ONLY' | 'ALL';
  /** Runs of one request; default 1000. */
  readonly pageSize?: number;
  readonly signal?: AbortSignal;
}

/**
 * Starts a run, around some work or to be handed around.
 *
 * @example
 * ```ts
 * const loss = await startRun({ runName: 'first', tags: { team: 'research' } }, async (run) => {
 *   await run.logMetric('loss', 0.25);
 *   return 0.25;
 * });
 * const run = await startRun({ runName: 'by hand' });
 * await run.logMetric('loss', loss);
 * await run.end('FAILED');
 * ```
 */
export interface StartRun {
  /**
   * Runs `work` within a run, which ends with it: FINISHED, FAILED where it throws, KILLED by a signal. Only the code within
   * sees the run as the active one, however many others run beside it.
   */
  <T>(work: (run: Run) => Promise<T> | T): Promise<T>;
  <T>(options: StartRunOptions, work: (run: Run) => Promise<T> | T): Promise<T>;
  /** Starts a run that is handed around: `await using run = await startRun()` ends it as FINISHED at the end of the block. */
  (options?: StartRunOptions): Promise<Run>;
}

/** What people write training loops with. State, such as the tracking URI, belongs to one value of it. */
export interface Tracking {
  /**
   * Says where runs go; sends nothing. The environment's MLFLOW_TRACKING_URI stands in for it. `{ primary, secondary,
   * onSecondaryFailure }` has them go to two places at once.
   *
   * @example
   * ```ts
   * setTrackingUri('http://127.0.0.1:5000');
   * setTrackingUri('databricks');
   * setTrackingUri({ primary: 'databricks', secondary: 'http://127.0.0.1:5000', onSecondaryFailure: 'queue' });
   * console.log(getTrackingUri()); // databricks
   * ```
   */
  readonly setTrackingUri: (uri: string | DualTrackingUris, options?: ConnectOptions) => void;
  /** The URI that runs go to; throws where there is none. */
  readonly getTrackingUri: () => string;
  /** Says where registered models are, if not where the runs are (or MLFLOW_REGISTRY_URI). */
  readonly setRegistryUri: (uri: string, options?: ConnectOptions) => void;
  readonly getRegistryUri: () => string;
  /**
   * The client of the tracking URI, with a method for every endpoint.
   *
   * @example
   * ```ts
   * const client = await getClient();
   * const { experiment } = await client.experiments.getExperiment({ experiment_id: '0' });
   * console.log(experiment.name); // Default
   * for await (const { name } of client.experiments.searchExperiments.all({ max_results: 100 })) console.log(name);
   * ```
   */
  readonly getClient: () => Promise<Client>;
  readonly getRegistryClient: () => Promise<Client>;
  /**
   * Chooses the experiment of the runs to come, by name; makes it where it is not there.
   *
   * @example
   * ```ts
   * const { experiment_id } = await setExperiment('iris');
   * await startRun((run) => console.log(run.experimentId === experiment_id)); // true
   * ```
   */
  readonly setExperiment: (name: string, options?: CallOptions) => Promise<Experiment>;
  readonly startRun: StartRun;
  /**
   * The run that surrounds the code that asks.
   *
   * @example
   * ```ts
   * await startRun({ runName: 'outer' }, async () => {
   *   console.log(activeRun()?.runName); // outer
   * });
   * ```
   */
  readonly activeRun: () => Run | undefined;
  /**
   * Logs a param of the surrounding run, which is written once. Values are logged as text.
   *
   * @example
   * ```ts
   * await startRun(() => logParam('rate', 0.1));
   * ```
   */
  readonly logParam: (name: string, value: ParamValue) => Promise<void>;
  /**
   * Logs params of the surrounding run.
   *
   * @example
   * ```ts
   * await startRun(() => logParams({ rate: 0.1, layers: 3, shuffle: true }));
   * ```
   */
  readonly logParams: (params: Readonly<Record<string, ParamValue>>) => Promise<void>;
  /**
   * Logs a point of a metric of the surrounding run. It waits in a queue and is sent in the background, in order.
   *
   * @example
   * ```ts
   * await startRun(async (run) => {
   *   for (let epoch = 0; epoch < 100; epoch++) await logMetric('loss', 1 / (epoch + 1), { step: epoch });
   *   await run.wait(); // all of them are on the server now
   * });
   * ```
   */
  readonly logMetric: (name: string, value: number, options?: MetricOptions) => Promise<void>;
  /**
   * Logs points of several metrics of the surrounding run, of one time and step.
   *
   * @example
   * ```ts
   * await startRun(() => logMetrics({ loss: 0.2, accuracy: 0.9 }, { step: 7 }));
   * ```
   */
  readonly logMetrics: (metrics: Readonly<Record<string, number>>, options?: MetricOptions) => Promise<void>;
  /**
   * Sets a tag of the surrounding run.
   *
   * @example
   * ```ts
   * await startRun(() => setTag('team', 'research'));
   * ```
   */
  readonly setTag: (name: string, value: ParamValue) => Promise<void>;
  /**
   * Sets tags of the surrounding run.
   *
   * @example
   * ```ts
   * await startRun(() => setTags({ team: 'research', reviewed: false }));
   * ```
   */
  readonly setTags: (tags: Readonly<Record<string, ParamValue>>) => Promise<void>;
  /**
   * Uploads a file to the surrounding run: a path, or content with the name that `folder` gives it.
   *
   * @example
   * ```ts
   * await startRun(async () => {
   *   await logArtifact('./model.bin', 'models'); // models/model.bin
   *   await logArtifact(new Blob(['{}']), 'settings.json');
   * });
   * ```
   */
  readonly logArtifact: Run['logArtifact'];
  /**
   * Uploads the files of a local folder to the surrounding run, several at once.
   *
   * @example
   * ```ts
   * await startRun(() => logArtifacts('./out', 'plots', { parallel: 8, onProgress: ({ path }) => console.log(path) }));
   * ```
   */
  readonly logArtifacts: Run['logArtifacts'];
  /**
   * Uploads text to the surrounding run.
   *
   * @example
   * ```ts
   * await startRun(() => logText('all went well', 'notes/today.txt'));
   * ```
   */
  readonly logText: Run['logText'];
  /**
   * Uploads a value as JSON, or as YAML where the path ends in .yaml or .yml.
   *
   * @example
   * ```ts
   * await startRun(() => logDict({ layers: [64, 32] }, 'network.yaml'));
   * ```
   */
  readonly logDict: Run['logDict'];
  /**
   * Uploads rows as a table that MLflow shows; rows for a path that has a table already are added to it.
   *
   * @example
   * ```ts
   * await startRun(async () => {
   *   await logTable([{ input: 'a', score: 0.5 }], 'scores.json');
   *   await logTable({ input: ['b', 'c'], score: [0.75, 1] }, 'scores.json');
   * });
   * ```
   */
  readonly logTable: Run['logTable'];
  /**
   * Uploads an image under a path, or as one of a series that MLflow shows by `key` and `step`: pixels, PNG bytes or a path.
   *
   * @example
   * ```ts
   * const data = Uint8Array.of(255, 0, 0, 0, 0, 255); // a red and a blue pixel
   * await startRun(() => logImage({ width: 2, height: 1, data }, { key: 'samples', step: 3 }));
   * ```
   */
  readonly logImage: Run['logImage'];
  /**
   * Uploads a figure: SVG or HTML as text, an image as bytes, or a Plotly figure, as a page or .json.
   *
   * @example
   * ```ts
   * await startRun(() => logFigure({ data: [{ y: [3, 1, 2] }], layout: { title: 'loss' } }, 'loss.html'));
   * ```
   */
  readonly logFigure: Run['logFigure'];
  /**
   * Logs a model of the active run, or of `model.run`; registers it where `registeredModelName` says so.
   *
   * @example
   * ```ts
   * const { source, registeredVersion } = await startRun(() =>
   *   logModel({
   *     name: 'classifier',
   *     onnx: './model.bin', // or files: './folder', or files: { 'model.json': '…' } with flavors
   *     signature: { inputs: [{ name: 'x', dtype: 'float32', shape: [-1, 4] }] },
   *     inputExample: [[5.1, 3.5, 1.4, 0.2]],
   *     registeredModelName: 'iris',
   *   }),
   * );
   * console.log(source, registeredVersion?.version); // models:/m-… 1
   * ```
   */
  readonly logModel: (model: ModelToLog & { readonly run?: Run }) => Promise<LoggedModelHandle>;
  /**
   * Registers a model, `runs:/{run}/{path}` or `models:/{model id}`, as the next version of a name, which it makes if need be.
   *
   * @example
   * ```ts
   * const { source } = await startRun(() => logModel({ name: 'net', onnx: './model.bin' }));
   * const { version } = await registerModel(source, 'flowers', { description: 'the first', tags: { team: 'research' } });
   * console.log(version); // 1
   * ```
   */
  readonly registerModel: (source: string, name: string, options?: RegisterOptions) => Promise<ModelVersion>;
  /**
   * All runs that match, fetched page by page as they are asked for; of the current experiment where none is named.
   *
   * @example
   * ```ts
   * for await (const { info, data } of searchRuns({ filter: 'metrics.loss < 0.1', orderBy: ['metrics.loss ASC'] }))
   *   console.log(info.run_name, data.metrics);
   * ```
   */
  readonly searchRuns: (options?: SearchRunsOptions) => AsyncGenerator<RunRecord, void, undefined>;
  /**
   * Sends what waits in the queues of all open runs, and what a second store has still to be told.
   *
   * @example
   * ```ts
   * const run = await startRun();
   * run.logMetric('loss', 0.5);
   * await flush();
   * await run.end();
   * ```
   */
  readonly flush: () => Promise<void>;
  /** The connections, for what is built on top of this. */
  readonly connections: { readonly tracking: () => Promise<Connection>; readonly registry: () => Promise<Connection> };
}
