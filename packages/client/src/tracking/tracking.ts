import { invalidParameter, MlflowError, type Run as RunRecord, type RunTag } from '@lazuli/contract';
import type { Client } from '../client.ts';
import { flag } from '../environment.ts';
import { loggedModel } from '../models/log-model.ts';
import { registeredVersion } from '../models/register-model.ts';
import { connect, type Connection, type ConnectOptions } from './connection.ts';
import { addressOf, connectBoth, type DualTrackingUris } from './dual-connection.ts';
import { experimentNamed, experimentOfEnvironment } from './experiments.ts';
import { isStatusForeign } from './job.ts';
import type { Platform } from './platform.ts';
import type { CallOptions } from '../transport.ts';
import type { ParamValue, Run } from './run-handle.ts';
import { openRun } from './run.ts';
import { watchSystem } from './system-metrics.ts';
import type { StartRunOptions, Tracking } from './tracking-functions.ts';

interface Place {
  readonly uri: string | DualTrackingUris;
  readonly options: ConnectOptions;
}

/**
 * The functions that log, with a tracking URI and an experiment of their own; those of the module are one such value. In a
 * browser: `createTracking(browserPlatform())`.
 */
export function createTracking(platform: Platform): Tracking {
  let tracking: Place | undefined;
  let registry: Place | undefined;
  let experimentId: string | undefined;
  /** *MLflow takes the run of the environment once; a later one is a new run.* */
  let isRunOfEnvironmentTaken = false;
  const open = new Set<Run>();
  const connected = new Map<Place['uri'], { options: ConnectOptions; connection: Promise<Connection> }>();

  function placeOf(given: Place | undefined, variable: string): Place | undefined {
    const uri = platform.environment()[variable];
    return given ?? (uri ? { uri, options: {} } : undefined);
  }

  function trackingPlace(): Place {
    const place = placeOf(tracking, 'MLFLOW_TRACKING_URI');
    if (place === undefined) {
      throw invalidParameter('There is no tracking URI. Call setTrackingUri, or set MLFLOW_TRACKING_URI.');
    }
    return place;
  }

  const registryPlace = (): Place => placeOf(registry, 'MLFLOW_REGISTRY_URI') ?? trackingPlace();

  /** Connects once for each place; one that failed is tried again. */
  function connectionTo({ uri, options }: Place): Promise<Connection> {
    const known = connected.get(uri);
    if (known?.options === options) return known.connection;
    const connection = typeof uri === 'string' ? connect(uri, options, platform) : connectBoth(uri, platform);
    connected.set(uri, { options, connection });
    connection.catch(() => connected.delete(uri));
    return connection;
  }

  const connections = {
    tracking: async () => connectionTo(environmentPlaces(trackingPlace())),
    registry: async () => connectionTo(environmentPlaces(registryPlace())),
  };

  /** Places of the environment have one set of options, so that they are connected to once. */
  const noOptions: ConnectOptions = {};
  function environmentPlaces(place: Place): Place {
    return Object.keys(place.options).length === 0 ? { ...place, options: noOptions } : place;
  }

  async function experimentFor(connection: Connection, options: StartRunOptions): Promise<string> {
    if (options.experimentId !== undefined) return options.experimentId;
    if (options.experimentName !== undefined)
      return (await experimentNamed(connection, options.experimentName, callOptions(options))).experiment_id;
    return experimentId ?? experimentOfEnvironment(connection, platform.environment(), callOptions(options));
  }

  async function begin(options: StartRunOptions): Promise<Run> {
    const connection = await connections.tracking();
    const { client } = connection;
    const surrounding = platform.activeRun?.current();
    const runId = options.runId ?? runOfEnvironment(surrounding);
    if (
      surrounding !== undefined &&
      options.nested !== true &&
      options.parentRunId === undefined &&
      options.runId === undefined
    ) {
      throw new MlflowError(
        'INVALID_STATE',
        `The run '${surrounding.runName}' (${surrounding.runId}) surrounds this one. Give { nested: true } to make it a child.`,
      );
    }
    const info =
      runId === undefined
        ? await create(connection, options, surrounding)
        : await resume(client, runId, platform.environment(), callOptions(options));
    const run = openRun(info, connection, platform, () => {
      stopWatching?.();
      open.delete(run);
    });
    open.add(run);
    if (runId !== undefined && options.tags !== undefined) void run.setTags(options.tags);
    const stopWatching = watchSystem(
      run,
      options.systemMetrics ?? flag(platform.environment(), 'MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING', false),
      platform,
    );
    return run;
  }

  function runOfEnvironment(surrounding: Run | undefined): string | undefined {
    if (surrounding !== undefined || isRunOfEnvironmentTaken) return undefined;
    const runId = platform.environment()['MLFLOW_RUN_ID'];
    isRunOfEnvironmentTaken = Boolean(runId);
    return runId || undefined;
  }

  async function create(
    connection: Connection,
    options: StartRunOptions,
    surrounding: Run | undefined,
  ): Promise<RunRecord['info']> {
    const parent = options.parentRunId ?? (options.nested === true ? surrounding?.runId : undefined);
    const tags: Record<string, ParamValue> = {
      // By it a server of Lazuli knows a request that is sent again, and makes one run of both.
      'lazuli.requestId': crypto.randomUUID(),
      ...(await platform.sourceTags?.()),
      ...tagsOfEnvironment(platform.environment()['MLFLOW_RUN_CONTEXT']),
      ...(options.description === undefined ? {} : { 'mlflow.note.content': options.description }),
      ...(parent === undefined ? {} : { 'mlflow.parentRunId': parent }),
      ...options.tags,
    };
    const list: RunTag[] = Object.entries(tags).map(([key, value]) => ({ key, value: String(value) }));
    const { run } = await connection.client.runs.createRun(
      {
        experiment_id: await experimentFor(connection, options),
        start_time: Date.now(),
        tags: list,
        ...(options.runName === undefined ? {} : { run_name: options.runName }),
        ...(tags['mlflow.user'] === undefined ? {} : { user_id: String(tags['mlflow.user']) }),
      },
      callOptions(options),
    );
    return run.info;
  }

  async function within<T>(options: StartRunOptions, work: (run: Run) => Promise<T> | T): Promise<T> {
    const run = await begin(options);
    const act = async (): Promise<T> => work(run);
    let result: T;
    try {
      result = await (platform.activeRun === undefined ? act() : platform.activeRun.within(run, act));
    } catch (error) {
      // What the work threw is what the caller must see; what did not arrive besides is a warning.
      await run.end('FAILED').catch((problem: unknown) => platform.warn(String(problem)));
      throw error;
    }
    await run.end();
    return result;
  }

  function surrounding(): Run {
    const run = platform.activeRun?.current();
    if (run !== undefined) return run;
    throw new MlflowError(
      'INVALID_STATE',
      'No run surrounds this call. Call it within startRun(async (run) => { … }), or call the method of a run: run.logMetric(…).',
    );
  }

  function startRun<T>(
    first: StartRunOptions | ((run: Run) => Promise<T> | T) = {},
    work?: (run: Run) => Promise<T> | T,
  ): Promise<T | Run> {
    if (typeof first === 'function') return within({}, first);
    return work === undefined ? begin(first) : within(first, work);
  }

  return {
    setTrackingUri(uri, options = {}) {
      tracking = { uri, options };
      experimentId = undefined;
    },
    getTrackingUri: () => addressOf(trackingPlace().uri),
    setRegistryUri(uri, options = {}) {
      registry = { uri, options };
    },
    getRegistryUri: () => addressOf(registryPlace().uri),
    getClient: async () => (await connections.tracking()).client,
    getRegistryClient: async () => (await connections.registry()).client,
    async setExperiment(name, options) {
      const experiment = await experimentNamed(await connections.tracking(), name, options);
      experimentId = experiment.experiment_id;
      return experiment;
    },
    startRun,
    activeRun: () => platform.activeRun?.current(),
    logParam: (...given) => surrounding().logParam(...given),
    logParams: (...given) => surrounding().logParams(...given),
    logMetric: (...given) => surrounding().logMetric(...given),
    logMetrics: (...given) => surrounding().logMetrics(...given),
    setTag: (...given) => surrounding().setTag(...given),
    setTags: (...given) => surrounding().setTags(...given),
    logArtifact: (...given) => surrounding().logArtifact(...given),
    logArtifacts: (...given) => surrounding().logArtifacts(...given),
    logText: (...given) => surrounding().logText(...given),
    logDict: (...given) => surrounding().logDict(...given),
    logTable: (...given) => surrounding().logTable(...given),
    logImage: (...given) => surrounding().logImage(...given),
    logFigure: (...given) => surrounding().logFigure(...given),
    async logModel({ run = surrounding(), ...model }) {
      const logged = await loggedModel(model, run, await connections.tracking(), platform);
      if (model.registeredModelName === undefined) return logged;
      const version = await registeredVersion(await connections.registry(), model.registeredModelName, {
        source: logged.source,
        runId: run.runId,
        ...(logged.modelId === undefined ? {} : { modelId: logged.modelId }),
      });
      return { ...logged, registeredVersion: version };
    },
    async registerModel(source, name, options = {}) {
      const ofRun = /^runs:\/([^/]+)\/(.+)$/.exec(source);
      const ofModel = /^models:\/(m-[^/]+)$/.exec(source);
      return registeredVersion(await connections.registry(), name, {
        ...options,
        source,
        ...(ofRun?.[1] === undefined ? {} : { runId: ofRun[1] }),
        ...(ofModel?.[1] === undefined ? {} : { modelId: ofModel[1] }),
      });
    },
    async *searchRuns(options = {}) {
      const connection = await connections.tracking();
      const { client } = connection;
      const named = await Promise.all(
        (options.experimentNames ?? []).map(
          async (experiment_name) =>
            (await client.experiments.getExperimentByName({ experiment_name })).experiment.experiment_id,
        ),
      );
      const given = [...(options.experimentIds ?? []), ...named];
      yield* client.runs.searchRuns.all(
        {
          experiment_ids: given.length > 0 ? given : [await experimentFor(connection, {})],
          max_results: options.pageSize ?? 1_000,
          ...(options.filter === undefined ? {} : { filter: options.filter }),
          ...(options.orderBy === undefined ? {} : { order_by: [...options.orderBy] }),
          ...(options.viewType === undefined ? {} : { run_view_type: options.viewType }),
        },
        callOptions(options),
      );
    },
    async flush() {
      await Promise.all([...open].map((run) => run.wait()));
      for (const { connection } of connected.values()) await (await connection).flush?.();
    },
    connections,
  };
}

async function resume(
  client: Client,
  runId: string,
  environment: ReturnType<Platform['environment']>,
  options: CallOptions,
): Promise<RunRecord['info']> {
  const { run } = await client.runs.getRun({ run_id: runId }, options);
  if (run.info.lifecycle_stage !== 'active') {
    throw new MlflowError('INVALID_STATE', `The run ${runId} is deleted. Restore it to go on with it.`);
  }
  // *The platform of a job keeps the status of its run.*
  if (!isStatusForeign(environment, runId)) await client.runs.updateRun({ run_id: runId, status: 'RUNNING' }, options);
  return run.info;
}

function callOptions({ signal }: CallOptions): CallOptions {
  return signal === undefined ? {} : { signal };
}

/** *MLFLOW_RUN_CONTEXT: a JSON object of tags.* */
function tagsOfEnvironment(text: string | undefined): Record<string, string> {
  if (!text) return {};
  try {
    return Object.fromEntries(Object.entries(JSON.parse(text) as object).map(([key, value]) => [key, String(value)]));
  } catch {
    throw invalidParameter('MLFLOW_RUN_CONTEXT must be a JSON object of tags.');
  }
}
