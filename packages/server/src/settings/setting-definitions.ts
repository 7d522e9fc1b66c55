import { readBackendStore, readPostgresUrl, withoutPassword } from './database-location.ts';
import { readArtifactDestination, readArtifactRoot, readArtifactRoots, readFolder } from './locations.ts';
import {
  oneOf,
  readAllowedHosts,
  readAudiences,
  readHost,
  readIssuers,
  readNames,
  readPort,
  readPublicUrl,
  readSeconds,
  readSize,
  readStaticPrefix,
  wholeNumber,
  type Rule,
} from './setting-rules.ts';

/**
 * The settings of the server, once: the command's options, the environment, the file's keys, the checks and the reference
 * page all follow from this table.
 */
export interface SettingDefinition<Value = unknown> {
  /** Its option and its key in the file; the environment name is this in capitals after `LAZULI_`. */
  readonly name: string;
  /** One sentence. */
  readonly sentence: string;
  /** What stands for the value in help: `--port <number>`. */
  readonly placeholder: string;
  /** What holds when nobody says anything, as a person would write it. */
  readonly defaultText?: string;
  /** What holds when nobody says anything, where that is a sentence and no text. */
  readonly otherwise?: string;
  /** MLflow's name for the same in the environment; the name that begins with `LAZULI_` goes before it. */
  readonly mlflowVariable?: string;
  readonly shortOption?: string;
  /** A list: in the file it may be a YAML list, elsewhere it is separated by commas. */
  readonly list?: true;
  readonly read: Rule<Value>;
  /** The text as an error may show it, where it can hold a secret. */
  readonly shown?: (text: string) => string;
}

export const settingTable = {
  host: {
    name: 'host',
    sentence: 'The address to listen on; another than loopback needs authentication.',
    placeholder: 'address',
    defaultText: '127.0.0.1',
    mlflowVariable: 'MLFLOW_HOST',
    shortOption: 'h',
    read: readHost,
  },
  port: {
    name: 'port',
    sentence: 'The port to listen on; 0 takes any free one.',
    placeholder: 'number',
    defaultText: '5000',
    mlflowVariable: 'MLFLOW_PORT',
    shortOption: 'p',
    read: readPort,
  },
  tls: {
    name: 'tls',
    sentence: 'Whether the server listens with HTTPS as well, which azureml:// and Azure clients need.',
    placeholder: 'on|off',
    defaultText: 'on',
    read: oneOf(['on', 'off']),
  },
  tlsPort: {
    name: 'tls-port',
    sentence: 'The port of HTTPS; 0 takes any free one.',
    placeholder: 'number',
    otherwise: '443 above the port, so 5443; any free one where the port is 0',
    read: readPort,
  },
  tlsCert: {
    name: 'tls-cert',
    sentence: 'A file with the certificate of the server and those above it, in PEM; read again when it changes.',
    placeholder: 'file',
    otherwise: 'one that the server makes by itself',
    read: readFolder,
  },
  tlsKey: {
    name: 'tls-key',
    sentence: 'The file with the key of that certificate, in PEM.',
    placeholder: 'file',
    otherwise: 'none',
    read: readFolder,
  },
  tlsNames: {
    name: 'tls-names',
    sentence:
      'Further names and addresses that the certificate of the server is good for, where it makes it by itself.',
    placeholder: 'names',
    otherwise: 'localhost, the address listened on, and the hosts of the public URL and of allowed-hosts',
    list: true,
    read: readNames,
  },
  dataDir: {
    name: 'data-dir',
    sentence: 'The folder of the database and of the artifacts, where nothing else is said about them.',
    placeholder: 'folder',
    defaultText: './lazuli-data',
    read: readFolder,
  },
  workers: {
    name: 'workers',
    sentence: 'How many processes serve behind the port; more than one needs PostgreSQL.',
    placeholder: 'number',
    defaultText: '1',
    mlflowVariable: 'MLFLOW_WORKERS',
    shortOption: 'w',
    read: wholeNumber(1, 256),
  },
  publicUrl: {
    name: 'public-url',
    sentence:
      'The URL at which clients reach the server, where a proxy stands before it; with https, also what azureml:// addresses and signed URLs name.',
    placeholder: 'url',
    otherwise: 'where the server listens',
    read: readPublicUrl,
  },
  allowedHosts: {
    name: 'allowed-hosts',
    sentence:
      'Further names that a Host header may carry, with or without a port, with * as wildcard; a request under another name is refused.',
    placeholder: 'hosts',
    otherwise:
      'localhost, the address listened on and the host of the public URL; with authentication private addresses too',
    mlflowVariable: 'MLFLOW_SERVER_ALLOWED_HOSTS',
    list: true,
    read: readAllowedHosts,
  },
  staticPrefix: {
    name: 'static-prefix',
    sentence: 'A path before every path of the server, such as /mlflow.',
    placeholder: 'path',
    otherwise: 'none',
    mlflowVariable: 'MLFLOW_STATIC_PREFIX',
    read: readStaticPrefix,
  },
  auth: {
    name: 'auth',
    sentence:
      'Who may call: anybody on this machine (none), who has an API token (token), or who has an access token of the built-in authority or of an oidc-issuer, or an API token (entra).',
    placeholder: 'mode',
    defaultText: 'none',
    read: oneOf(['none', 'token', 'entra']),
  },
  oidcIssuer: {
    name: 'oidc-issuer',
    sentence:
      'Issuers elsewhere whose access tokens are taken: a tenant of Entra ID, as https://login.microsoftonline.com/<tenant id>/v2.0, or any other that speaks OpenID Connect.',
    placeholder: 'urls',
    otherwise: 'the built-in authority alone',
    list: true,
    read: readIssuers,
  },
  tokenAudience: {
    name: 'token-audience',
    sentence:
      "Further audiences that an access token may be meant for, such as the id URI of an application; its own URL and Azure's resource managers are always taken.",
    placeholder: 'audiences',
    otherwise: 'none',
    list: true,
    read: readAudiences,
  },
  encryptionKeyFile: {
    name: 'encryption-key-file',
    sentence:
      'The file with the key that private keys and the TLS authority are encrypted with in the database, 32 bytes in base64; made where it is absent. Servers on one PostgreSQL share it.',
    placeholder: 'file',
    otherwise: 'identity/encryption.key in the data directory',
    read: readFolder,
  },
  imds: {
    name: 'imds',
    sentence:
      'Whether programs of this machine get a token of the managed identity at /metadata/identity/oauth2/token, as on a virtual machine, without a secret.',
    placeholder: 'on|off',
    defaultText: 'off',
    read: oneOf(['on', 'off']),
  },
  backendStoreUri: {
    name: 'backend-store-uri',
    sentence:
      'The database, as MLflow names it: sqlite:///relative/path.db, sqlite:////absolute/path.db or postgresql://….',
    placeholder: 'uri',
    otherwise: 'lazuli.db in the data directory',
    mlflowVariable: 'MLFLOW_BACKEND_STORE_URI',
    read: readBackendStore,
    shown: withoutPassword,
  },
  databaseUrl: {
    name: 'database-url',
    sentence:
      'A PostgreSQL database, 14 or newer, that any number of servers share: postgres://user:password@host:5432/database, with sslmode, sslrootcert, sslcert and sslkey as libpq means them.',
    placeholder: 'url',
    otherwise: 'the database of backend-store-uri',
    read: readPostgresUrl,
    shown: withoutPassword,
  },
  databasePoolSize: {
    name: 'database-pool-size',
    sentence: 'How many connections to PostgreSQL each process may open.',
    placeholder: 'number',
    defaultText: '10',
    read: wholeNumber(2, 1_000),
  },
  databasePreparedStatements: {
    name: 'database-prepared-statements',
    sentence:
      'Whether PostgreSQL keeps plans of statements by name; off behind a pooler in transaction mode that does not carry them over.',
    placeholder: 'on|off',
    defaultText: 'on',
    read: oneOf(['on', 'off']),
  },
  defaultArtifactRoot: {
    name: 'default-artifact-root',
    sentence:
      'Where new experiments keep their artifacts: behind this server, or in a folder or an object store that the clients reach themselves.',
    placeholder: 'uri',
    defaultText: 'mlflow-artifacts:/',
    mlflowVariable: 'MLFLOW_DEFAULT_ARTIFACT_ROOT',
    read: readArtifactRoot,
  },
  artifactsDestination: {
    name: 'artifacts-destination',
    sentence:
      'Where the server keeps the artifacts that go through it: a path or a file: URI, or s3://, wasbs://, abfss:// or https://…blob… in an object store.',
    placeholder: 'uri',
    otherwise: 'artifacts in the data directory',
    mlflowVariable: 'MLFLOW_ARTIFACTS_DESTINATION',
    read: readArtifactDestination,
  },
  artifactRoots: {
    name: 'artifact-roots',
    sentence:
      'Further places, in the forms of artifacts-destination, below which the artifact roots of workspaces may lie; the server reaches them with its own credentials.',
    placeholder: 'uris',
    otherwise: 'none',
    list: true,
    read: readArtifactRoots,
  },
  directTransfers: {
    name: 'direct-transfers',
    sentence:
      'Whether clients are sent to the object store itself with signed URLs, where they or their settings ask for it; off where they cannot reach it.',
    placeholder: 'on|off',
    defaultText: 'on',
    read: oneOf(['on', 'off']),
  },
  maxBodySize: {
    name: 'max-body-size',
    sentence:
      'The largest JSON body that is read, in bytes or with KiB, MiB or GiB; uploads of files are not bounded by it.',
    placeholder: 'size',
    defaultText: '32MiB',
    read: readSize,
  },
  drainDelay: {
    name: 'drain-delay',
    sentence:
      'How long a server that is asked to stop still takes requests, in seconds, while /health/ready says 503: time for a balancer to notice.',
    placeholder: 'seconds',
    defaultText: '0',
    read: readSeconds,
  },
  jobTokenLife: {
    name: 'job-token-life',
    sentence:
      "How long the token of a job lasts before it has to be refreshed, in seconds. *Azure's plugin looks every half minute*, and east of Greenwich refreshes the first one up to 14 hours late.",
    placeholder: 'seconds',
    defaultText: '86400',
    read: wholeNumber(1, 604_800),
  },
  logLevel: {
    name: 'log-level',
    sentence: 'The least level that is logged: trace, debug, info, warn, error, fatal or silent.',
    placeholder: 'level',
    defaultText: 'info',
    read: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
  },
} as const satisfies Record<string, SettingDefinition>;

export type SettingTable = typeof settingTable;
export type SettingKey = keyof SettingTable;

/** The file of settings is named by an option or the environment; it is no setting that a file could hold. */
export const configOption = {
  name: 'config',
  sentence: 'A YAML file of settings, each under its name; options and the environment go before it.',
  placeholder: 'file',
  variable: 'LAZULI_CONFIG',
} as const;

/** The settings in the order of the reference page. */
export const settingDefinitions: readonly SettingDefinition[] = Object.values(settingTable);

/** The names in the environment that a setting is read from; the first one that is set counts. */
export function variablesOf({ name, mlflowVariable }: SettingDefinition): string[] {
  const own = `LAZULI_${name.toUpperCase().replaceAll('-', '_')}`;
  return mlflowVariable === undefined ? [own] : [own, mlflowVariable];
}
