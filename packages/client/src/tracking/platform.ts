import type { ArtifactStore } from '../artifacts/artifact-store.ts';
import type { DigestOf } from '../artifacts/content-digest.ts';
import type { WatchTransfer } from '../artifacts/watched-transfer.ts';
import type { ConnectionSettings, Environment } from '../environment.ts';
import type { AzureMlTrackingUri, DatabricksTrackingUri } from '../tracking-uri.ts';
import type { AuthorizationSource } from '../transport.ts';
import type { FinalStatus, Run } from './run-handle.ts';

/** What a runtime has, and the browser has not. The client itself asks for nothing else of where it runs. */
export interface Platform {
  readonly environment: () => Environment;
  readonly fetchFor?: (settings: ConnectionSettings, environment: Environment) => typeof fetch;
  /** Who runs what from where: `mlflow.user`, `mlflow.source.name`, … */
  readonly sourceTags?: () => Promise<Readonly<Record<string, string>>>;
  readonly files?: Files;
  /** Hashes content without holding it. */
  readonly digestOf?: DigestOf;
  /** The files at a `file:` URI or a path, which a server gives that does not serve them. */
  readonly localStore?: (uri: string) => ArtifactStore;
  /** Shows how a transfer of so many files goes on, where somebody looks. */
  readonly watchTransfer?: WatchTransfer;
  /** The run that surrounds the code which asks. */
  readonly activeRun?: ActiveRun;
  /** Ends or flushes runs where the process ends; gives a function that forgets them. */
  readonly atExit?: (run: ExitingRun) => () => void;
  /** Keeps lines of unsent work for a run; says where. */
  readonly keep?: (runId: string, lines: readonly string[]) => string | undefined;
  /** One sample of the machine's load. */
  readonly systemMetrics?: () => Promise<Readonly<Record<string, number>>>;
  /** Signs in where a tracking URI names a service of Azure or Databricks and no authorization is given. */
  readonly signIn?: (uri: AzureMlTrackingUri | DatabricksTrackingUri, environment: Environment) => Promise<SignedIn>;
  readonly warn: (message: string) => void;
}

export interface SignedIn {
  /** The base URL, where the tracking URI does not hold it (Databricks). */
  readonly url?: string;
  readonly authorization: AuthorizationSource;
}

export interface Files {
  /** The content of a file, read when it is sent. */
  readonly open: (path: string) => Promise<Blob>;
  /** The files below a folder, with their paths relative to it, `/` between names. */
  readonly below: (folder: string) => Promise<readonly { readonly path: string; readonly file: string }[]>;
  readonly nameOf: (path: string) => string;
}

export interface ActiveRun {
  readonly current: () => Run | undefined;
  readonly within: <T>(run: Run, work: () => Promise<T>) => Promise<T>;
}

export interface ExitingRun {
  /** The process ends by itself. */
  readonly finish: () => Promise<void>;
  /** A signal ends the process. */
  readonly kill: () => Promise<void>;
  /** Nothing can be waited for any more; says what did not arrive, and where it is kept. */
  readonly abandon: (status: FinalStatus) => string | undefined;
}
