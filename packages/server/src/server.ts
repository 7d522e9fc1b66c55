import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { pino, type Logger } from 'pino';
import type { WorkspaceRef } from './access/caller.ts';
import { tokenHandlers } from './access/token-handlers.ts';
import { directOf } from './artifacts/artifact-folders.ts';
import { artifactHandlers, listFolder } from './artifacts/artifact-handlers.ts';
import { removeFolder, removeWorkspaceFiles } from './artifacts/artifact-folders.ts';
import { artifactTransfers } from './artifacts/artifact-transfers.ts';
import { directTransferHandlers } from './artifacts/direct-transfer-handlers.ts';
import { collectHandlers } from './collector/collect-handlers.ts';
import { openArm } from './azure/arm.ts';
import { clientEnvironmentHandlers } from './azure/client-environment-handlers.ts';
import { showLocations } from './azure/artifact-locations.ts';
import { createBlobCapabilities } from './azure/blob-capability.ts';
import { createBlobTransfers } from './azure/blob-transfers.ts';
import { createBlockStaging } from './azure/block-staging.ts';
import { jobHandlers } from './azure/job-handlers.ts';
import { runHistoryHandlers } from './azure/run-history-handlers.ts';
import { newKey, openCallers } from './callers.ts';
import { createChangeWatch } from './database/change-watch.ts';
import type { Db, Engine } from './database/engine.ts';
import { insertDefaultExperiment } from './experiments/default-experiment.ts';
import { experimentHandlers } from './experiments/experiment-handlers.ts';
import { createApp } from './http/app.ts';
import { createHostGuard } from './http/host-guard.ts';
import { createWelcomePage } from './http/welcome-page.ts';
import { directoryHandlers } from './identity/directory-handlers.ts';
import { loggedModelHandlers } from './logged-models/logged-model-handlers.ts';
import { getModel } from './logged-models/logged-model-store.ts';
import { openMetricStore } from './metric-store/metric-store.ts';
import { historyHandlers } from './model-registry/history-handlers.ts';
import { findVersionFiles, modelVersionHandlers } from './model-registry/model-version-handlers.ts';
import { registeredModelHandlers } from './model-registry/registered-model-handlers.ts';
import { experimentRuns } from './runs/experiment-runs.ts';
import { metricHandlers } from './runs/metric-handlers.ts';
import { createRunHandles } from './runs/run-handles.ts';
import { runHandlers } from './runs/run-handlers.ts';
import { createRunLog } from './runs/run-log.ts';
import { getRun } from './runs/run-store.ts';
import { openEngine } from './open-engine.ts';
import { mlflowVersion, serverInfoHandlers } from './server-info.ts';
import { openSecretKeep } from './secrets/secret-keep.ts';
import type { Settings } from './settings/parse-settings.ts';
import { azureOrigin, clientUrl, tlsOrigin } from './settings/paste-lines.ts';
import { createReadiness, type Readiness } from './telemetry/readiness.ts';
import { createTelemetry, type MetricsSnapshot } from './telemetry/telemetry.ts';
import { version } from './version.ts';
import { openWorkspaceDirectory } from './workspaces/workspace-directory.ts';
import { workspaceHandlers } from './workspaces/workspace-handlers.ts';
import { createWorkspaceLifecycle } from './workspaces/workspace-lifecycle.ts';
import { listPrivateRegions } from './workspaces/workspace-store.ts';
import { openArtifactPlaces } from './artifact-places.ts';
import { modelOrigins } from './model-origins.ts';
import { listenWithTls, type SecureFront } from './secure-front.ts';

export interface Server extends AsyncDisposable {
  /** The app as a function of requests: tests call it without a socket. */
  readonly app: FastifyInstance;
  /** The base URLs for clients, once it listens. */
  readonly urls: readonly string[];
  /** What clients have to trust to come in by HTTPS, in PEM, where the server made its certificate by itself. */
  readonly authority: string | undefined;
  listen(): Promise<void>;
  /** Its metrics, for the other processes behind the same port. */
  metrics(): Promise<MetricsSnapshot>;
  /** Answers what is under way, then lets go of everything. */
  close(): Promise<void>;
}

export interface ServerOptions {
  readonly logger?: Logger;
  /** The metrics of the other processes behind the same port; a scrape of this one then answers for all of them. */
  readonly otherMetrics?: () => Promise<readonly MetricsSnapshot[]>;
  /** Where the credentials of object stores are looked for; default: the environment of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Puts a server together: opens what lives, builds the handlers, returns what can listen. Whoever creates it closes it. */
export async function createServer(settings: Settings, options: ServerOptions = {}): Promise<Server> {
  const logger =
    options.logger ??
    pino(
      { level: settings.logLevel },
      pino.destination({ dest: 2, sync: false, minLength: 4096, periodicFlush: 1_000 }),
    );
  const now = Date.now;
  const engine = await openEngine(settings);
  const telemetry = createTelemetry({ version, mlflowVersion, others: options.otherMetrics });
  try {
    const metricStore = await openMetricStore(engine);
    const handles = createRunHandles();
    const { environment = process.env } = options;
    const { places, checkArtifactRoot, locationFor } = await openArtifactPlaces(settings, environment, now);
    const furnish = (db: Db, workspace: WorkspaceRef): Promise<void> =>
      insertDefaultExperiment(db, workspace, { now, locationFor });
    const directory = await openWorkspaceDirectory(engine, now, furnish);
    let secure: SecureFront | undefined;
    const origin = (): string =>
      azureOrigin(settings, { http: portOf(app), https: settings.tls === 'on' ? (secure?.port ?? 0) : undefined });
    const authorityUrl = (): string =>
      settings.publicUrl === undefined ? origin() + settings.staticPrefix : clientUrl(settings, portOf(app));
    const secrets = await openSecretKeep(engine, settings);
    const callers = await openCallers({ engine, settings, now, logger, secrets, authorityUrl });
    const { authenticator, decider, roles, tenant } = callers;
    const capabilities = createBlobCapabilities(await secrets.get('signed-urls', newKey), now);
    const changes = createChangeWatch(engine, () => {
      directory.forget();
      callers.forget();
    });
    const catchUp = (): Promise<void> | undefined => {
      const behind = changes.catchUp();
      return behind === undefined ? roles.load() : behind.then(() => roles.load());
    };
    const log = createRunLog(engine, handles, metricStore, telemetry.commits);
    telemetry.watchCommitQueue(log);
    const readiness = databaseReadiness(engine, logger);
    const artifactRoom = {
      ...places,
      findRun: (workspace: WorkspaceRef, runId: string) => getRun(engine.db, workspace.workspaceId, runId),
      findModel: (workspace: WorkspaceRef, modelId: string) =>
        getModel(engine.db, workspace.workspaceId, { modelId, deleted: 'hidden' }),
      findVersion: (workspace: WorkspaceRef, name: string, version: string) =>
        findVersionFiles(engine, workspace.workspaceId, { name, version }),
    };

    const transfers = artifactTransfers(artifactRoom);

    const registry = { engine, now, ...modelOrigins };
    const lifecycle = createWorkspaceLifecycle({
      engine,
      directory,
      furnish,
      forget({ workspaceId }) {
        handles.forgetWorkspace(workspaceId);
        metricStore.forgetWorkspace(workspaceId);
        callers.forget();
      },
      removeFiles: (workspace, locations) => removeWorkspaceFiles(places, workspace, locations),
    });
    const experiments = experimentHandlers({ engine, now, locationFor, runsOf: experimentRuns(handles) });
    const runs = runHandlers({ engine, now, handles, log, metricStore });
    const registeredModels = registeredModelHandlers(registry);
    const modelVersions = modelVersionHandlers(registry);
    const arm = openArm({
      engine,
      now,
      roles,
      decider,
      lifecycle,
      surroundings: () => ({ origin: origin(), tenantId: tenant.tenant_id }),
      searchExperiments: experiments.searchExperiments,
      getExperiment: experiments.getExperiment,
      runs,
      models: registeredModels,
      versions: modelVersions,
    });

    const { app, listenerFor } = await createApp({
      arm,
      handlers: {
        experiments,
        runs,
        metrics: metricHandlers({ engine, metricStore }),
        loggedModels: loggedModelHandlers({
          engine,
          now,
          listFolder: (query) => listFolder(places, query),
        }),
        registeredModels,
        modelVersions,
        registryHistory: historyHandlers(registry),
        artifacts: artifactHandlers(artifactRoom),
        directTransfers: directTransferHandlers(artifactRoom),
        runHistory: runHistoryHandlers({ ...artifactRoom, capabilities, now, origin }),
        workspaces: workspaceHandlers({ engine, now, lifecycle, mayRead: decider.mayRead, checkArtifactRoot }),
        serverInfo: serverInfoHandlers({ isDirect: directOf(places, places.store) !== undefined }),
        jobs: jobHandlers({ ...artifactRoom, engine, now, tokens: callers.jobTokens }),
        clientEnvironment: clientEnvironmentHandlers({
          engine,
          origin,
          plainUrl: () => clientUrl(settings, portOf(app)),
          isOnlyAuthority: settings.oidcIssuers.length === 0,
          authority: () => secure?.authority,
        }),
        apiTokens: tokenHandlers({ engine, now, authenticator }),
        directory: directoryHandlers({ engine, now, tenant, authenticator }),
        collections: collectHandlers({
          engine,
          now,
          removeFolder: (workspace, uri) => removeFolder(places, workspace, uri),
          forgetRuns(workspaceId, runs) {
            for (const { run_id } of runs) handles.forget(workspaceId, run_id);
            metricStore.forgetRuns(runs.map(({ run_key }) => run_key));
          },
          forgetExperiment: (workspaceId, experimentId) => handles.forgetExperiment(workspaceId, experimentId),
        }),
      },
      authority: callers.authority,
      transfers,
      blobs: createBlobTransfers({
        ...artifactRoom,
        capabilities,
        staging: createBlockStaging(places.store, now),
        revival: callers.revival,
        decider,
        catchUp,
        findWorkspace: (guid) => directory.byGuid(guid),
      }),
      showLocations: (body, caller) => showLocations(body, caller, { places, origin }),
      authenticator,
      workspaces: directory,
      decider,
      catchUp,
      hostGuard: createHostGuard(settings),
      welcomePage: () =>
        createWelcomePage({
          version,
          url: clientUrl(settings, portOf(app)),
          auth: settings.auth,
          dataDir: settings.dataDir,
        }),
      readiness,
      telemetry,
      logger,
      version: mlflowVersion,
      staticPrefix: settings.staticPrefix,
      maxBodySize: settings.maxBodySize,
    });

    const stop = async (): Promise<void> => {
      const start = performance.now();
      readiness.stop();
      if (app.server.listening) {
        logger.info({ drainDelay: settings.drainDelay }, 'server is stopping');
        if (settings.drainDelay > 0) await wait(settings.drainDelay * 1000);
      }
      await app.close();
      await metricStore.close();
      await engine.close();
      telemetry.close();
      logger.info({ ms: Math.round(performance.now() - start) }, 'server has stopped');
      logger.flush();
    };
    let stopped: Promise<void> | undefined;
    const close = (): Promise<void> => (stopped ??= stop());
    const urls = (): string[] => [
      clientUrl(settings, portOf(app)),
      ...(secure === undefined ? [] : [tlsOrigin(settings, secure.port)]),
    ];

    return {
      app,
      get urls() {
        return urls();
      },
      get authority() {
        return secure?.authority;
      },
      async listen() {
        if (settings.tls === 'on') {
          const regions = (): Promise<string[]> => listPrivateRegions(engine.db);
          secure = await listenWithTls(settings, { listenerFor, secrets, regions, now, logger });
          app.server.once('close', secure.stop);
        }
        await app.listen({ host: settings.host, port: settings.port, backlog: 1024 });
        const { auth, database, artifactsDestination } = settings;
        logger.info(
          { version, urls: urls(), auth, database: database.kind, artifacts: artifactsDestination },
          'server has started',
        );
      },
      metrics: () => telemetry.snapshot(),
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    telemetry.close();
    await engine.close();
    throw error;
  }
}

/** Any row will do: it is found where connection, schema and disk are well. */
function databaseReadiness({ db }: Engine, logger: Logger): Readiness {
  return createReadiness({
    probe: () => db.selectFrom('workspaces').select('workspace_id').limit(1).execute(),
    onChange(cause) {
      if (cause === undefined) logger.info('server is ready again');
      else logger.warn({ err: cause }, 'server is not ready');
    },
  });
}

function portOf(app: FastifyInstance): number {
  return (app.server.address() as AddressInfo | null)?.port ?? 0;
}
