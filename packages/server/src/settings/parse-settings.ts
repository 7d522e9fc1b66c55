import { join } from 'node:path';
import type { DatabaseLocation } from './database-location.ts';
import { isLoopback } from './loopback.ts';
import { settingTable, type SettingDefinition, type SettingKey, type SettingTable } from './setting-definitions.ts';
import { BrokenRule } from './setting-rules.ts';
import { gatherSettings, type Given, type Mistake, type SettingSources } from './setting-sources.ts';

/** The settings that a server starts with: each checked, every path absolute. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly tls: 'on' | 'off';
  readonly tlsPort: number;
  /** Both or none: absolute paths. */
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  /** In small letters. */
  readonly tlsNames: readonly string[];
  readonly dataDir: string;
  /** Processes behind the port. */
  readonly workers: number;
  /** Without a slash at its end. */
  readonly publicUrl: string | undefined;
  /** In small letters. */
  readonly allowedHosts: readonly string[];
  /** Empty, or a path such as `/mlflow`. */
  readonly staticPrefix: string;
  readonly auth: 'none' | 'token' | 'entra';
  /** As their tokens name them. */
  readonly oidcIssuers: readonly string[];
  readonly tokenAudiences: readonly string[];
  readonly encryptionKeyFile: string;
  readonly imds: 'on' | 'off';
  readonly database: DatabaseLocation;
  /** Connections to PostgreSQL of each process. */
  readonly databasePoolSize: number;
  readonly databasePreparedStatements: 'on' | 'off';
  readonly defaultArtifactRoot: string;
  readonly artifactsDestination: string;
  /** Beside the default root. */
  readonly artifactRoots: readonly string[];
  readonly directTransfers: 'on' | 'off';
  /** Bytes. */
  readonly maxBodySize: number;
  /** Seconds. */
  readonly drainDelay: number;
  /** Seconds. */
  readonly jobTokenLife: number;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  /** What was not wrong but is worth a line in the log. */
  readonly warnings: readonly string[];
}

/** Every mistake at once, so that nobody has to start a server five times to find five. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly mistakes: readonly Mistake[];

  constructor(mistakes: readonly Mistake[]) {
    super(
      mistakes.length === 1 ? mistakes.join() : `${mistakes.length} settings are wrong:\n- ${mistakes.join('\n- ')}`,
    );
    this.mistakes = mistakes;
  }
}

type Values = { readonly [Key in SettingKey]?: ReturnType<SettingTable[Key]['read']> };

export function parseSettings(sources: SettingSources): Settings {
  const { given, mistakes, warnings } = gatherSettings(sources);
  const found: Mistake[] = [...mistakes];
  const values = readValues(given, sources.workingDir, found);
  found.push(...mistakesTogether(values, given));
  if (found.length > 0) throw new SettingsError(found);
  // Each setting with a default has a value here: what is absent was a mistake, and mistakes have been thrown.
  const checked = values as Values & Required<Pick<Values, DefaultedKey>>;
  const { dataDir, backendStoreUri, databaseUrl, artifactsDestination, publicUrl } = checked;
  const { allowedHosts = [], artifactRoots = [], staticPrefix = '', tlsNames = [], tlsCert, tlsKey } = checked;
  const database: DatabaseLocation =
    databaseUrl === undefined
      ? (backendStoreUri ?? { kind: 'sqlite', path: join(dataDir, 'lazuli.db') })
      : { kind: 'postgres', url: databaseUrl };
  return {
    host: checked.host,
    port: checked.port,
    tls: checked.tls,
    tlsPort: checked.tlsPort ?? tlsPortBeside(checked.port),
    tlsCert,
    tlsKey,
    tlsNames,
    dataDir,
    workers: checked.workers,
    publicUrl,
    allowedHosts,
    staticPrefix,
    auth: checked.auth,
    oidcIssuers: checked.oidcIssuer ?? [],
    tokenAudiences: checked.tokenAudience ?? [],
    encryptionKeyFile: checked.encryptionKeyFile ?? join(dataDir, 'identity', 'encryption.key'),
    imds: checked.imds,
    database,
    databasePoolSize: checked.databasePoolSize,
    databasePreparedStatements: checked.databasePreparedStatements,
    defaultArtifactRoot: checked.defaultArtifactRoot,
    artifactsDestination: artifactsDestination ?? join(dataDir, 'artifacts'),
    artifactRoots,
    directTransfers: checked.directTransfers,
    maxBodySize: checked.maxBodySize,
    drainDelay: checked.drainDelay,
    jobTokenLife: checked.jobTokenLife,
    logLevel: checked.logLevel,
    warnings: [...warnings, ...warningsTogether({ ...checked, database })],
  };
}

type DefaultedKey = {
  [Key in SettingKey]: SettingTable[Key] extends { readonly defaultText: string } ? Key : never;
}[SettingKey];

function readValues(given: ReadonlyMap<string, Given>, workingDir: string, mistakes: Mistake[]): Values {
  const values: Record<string, unknown> = {};
  for (const [key, definition] of Object.entries<SettingDefinition>(settingTable)) {
    const { name, defaultText, read, shown = (text: string) => text } = definition;
    const written = given.get(name);
    const text = written?.text ?? defaultText;
    if (text === undefined) continue;
    try {
      values[key] = read(text, written?.base ?? workingDir);
    } catch (error) {
      if (!(error instanceof BrokenRule)) throw error;
      mistakes.push(
        `${name}: ${JSON.stringify(shown(text))} ${error.message} (from ${written?.source ?? 'the default'})`,
      );
    }
  }
  return values;
}

function mistakesTogether(values: Values, given: ReadonlyMap<string, Given>): Mistake[] {
  return [
    ...databaseMistakes(values, given),
    ...workerMistakes(values, given),
    ...tlsMistakes(values, given),
    ...exposureMistakes(values, given),
  ];
}

/** *5443 is to 5000 what 443 is to nothing*: servers beside each other get ports of HTTPS beside each other. */
function tlsPortBeside(port: number): number {
  return port === 0 || port + 443 > 65_535 ? 0 : port + 443;
}

function tlsMistakes({ tlsCert, tlsKey }: Values, given: ReadonlyMap<string, Given>): Mistake[] {
  if ((tlsCert === undefined) === (tlsKey === undefined)) return [];
  const [there, absent] = tlsCert === undefined ? ['tls-key', 'tls-cert'] : ['tls-cert', 'tls-key'];
  return [`${there}: it needs ${absent} beside it (from ${given.get(there)?.source ?? 'the default'})`];
}

function databaseMistakes({ backendStoreUri, databaseUrl }: Values, given: ReadonlyMap<string, Given>): Mistake[] {
  if (databaseUrl === undefined || backendStoreUri === undefined) return [];
  if (backendStoreUri.kind === 'postgres' && backendStoreUri.url === databaseUrl) return [];
  return [
    `database-url: it names one database and backend-store-uri another; give one of them (from ${given.get('database-url')?.source} and ${given.get('backend-store-uri')?.source})`,
  ];
}

function workerMistakes(
  { workers = 1, backendStoreUri, databaseUrl }: Values,
  given: ReadonlyMap<string, Given>,
): Mistake[] {
  if (workers === 1 || databaseUrl !== undefined || backendStoreUri?.kind === 'postgres') return [];
  // A database that is named wrongly has been told; which engine was meant is not known.
  if (given.has('database-url') || (given.has('backend-store-uri') && backendStoreUri === undefined)) return [];
  return [
    `workers: ${workers} processes cannot share a SQLite database, which belongs to one; name a PostgreSQL with --database-url, or start one process (from ${given.get('workers')?.source ?? 'the default'})`,
  ];
}

function exposureMistakes({ host, auth, dataDir }: Values, given: ReadonlyMap<string, Given>): Mistake[] {
  if (host === undefined || isLoopback(host) || auth !== 'none') return [];
  const folder = given.get('data-dir')?.text ?? settingTable.dataDir.defaultText;
  const makeToken = `lazuli token create --data-dir ${dataDir === undefined ? '…' : shellWord(folder)} --role Owner`;
  return [
    `host: ${JSON.stringify(host)} can be reached from other machines, and without authentication anybody there would own the server: ` +
      `make a token with \`${makeToken}\` and start with \`--auth token\`, or listen on 127.0.0.1 (from ${given.get('host')?.source ?? 'the default'})`,
  ];
}

function warningsTogether({ allowedHosts = [], auth, database, artifactsDestination }: Together): string[] {
  const warnings: string[] = [];
  if (auth === 'none' && allowedHosts.some((entry) => /^\*(:|$)/.test(entry))) {
    warnings.push(
      'allowed-hosts contains * and there is no authentication: any web page that is open here can reach this server.',
    );
  }
  if (database.kind === 'postgres' && artifactsDestination === undefined) {
    warnings.push(
      'artifacts lie in the data directory, and the database may be shared: give all servers on it the same artifacts-destination.',
    );
  }
  return warnings;
}

type Together = Values & { readonly database: DatabaseLocation };

function shellWord(text: string): string {
  return /^[\w./~:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
