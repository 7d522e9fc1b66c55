import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSettings, SettingsError, type Settings } from './parse-settings.ts';
import { settingDefinitions, variablesOf } from './setting-definitions.ts';

interface Written {
  readonly flags?: Record<string, string>;
  readonly env?: Record<string, string>;
  readonly file?: string;
}

describe('settings', () => {
  test('have defaults for everything', () => {
    expect(parse({})).toEqual({
      host: '127.0.0.1',
      port: 5000,
      tls: 'on',
      tlsPort: 5443,
      tlsCert: undefined,
      tlsKey: undefined,
      tlsNames: [],
      dataDir: '/home/ann/lazuli-data',
      publicUrl: undefined,
      allowedHosts: [],
      staticPrefix: '',
      auth: 'none',
      oidcIssuers: [],
      tokenAudiences: [],
      encryptionKeyFile: '/home/ann/lazuli-data/identity/encryption.key',
      imds: 'off',
      database: { kind: 'sqlite', path: '/home/ann/lazuli-data/lazuli.db' },
      databasePoolSize: 10,
      workers: 1,
      databasePreparedStatements: 'on',
      defaultArtifactRoot: 'mlflow-artifacts:/',
      artifactsDestination: '/home/ann/lazuli-data/artifacts',
      artifactRoots: [],
      directTransfers: 'on',
      maxBodySize: 32 * 1024 * 1024,
      drainDelay: 0,
      jobTokenLife: 86_400,
      logLevel: 'info',
      warnings: [],
    });
  });

  test('are taken from the option before the environment, from there before the file', () => {
    const file = 'port: 1003';
    expect(parse({ file }).port).toBe(1003);
    expect(parse({ file, env: { MLFLOW_PORT: '1002' } }).port).toBe(1002);
    expect(parse({ file, env: { LAZULI_PORT: '1001', MLFLOW_PORT: '1002' } }).port).toBe(1001);
    expect(parse({ file, env: { LAZULI_PORT: '1001' }, flags: { port: '1000' } }).port).toBe(1000);
  });

  test.each(settingDefinitions.map((definition) => [definition.name, definition] as const))(
    '%s means the same by option, by environment and in the file',
    (name, definition) => {
      const text = samples[name] ?? '';
      const byOption = parse({ flags: { ...without(name), [name]: text } });
      expect(byOption).not.toEqual(parse({ flags: Object.hasOwn(needed, name) ? allowRemote : without(name) }));
      for (const variable of variablesOf(definition)) {
        expect(parse({ flags: without(name), env: { [variable]: text } }), variable).toEqual(byOption);
      }
      // The file lies in the working directory, so relative paths count from the same folder.
      expect(parse({ flags: without(name), file: `${name}: ${JSON.stringify(text)}` })).toEqual(byOption);
    },
  );

  test('name issuers by https, and of Entra ID each tenant by its id', () => {
    const issuers = (text: string) => parse({ flags: { 'oidc-issuer': text } }).oidcIssuers;
    expect(issuers('http://127.0.0.1:8080, https://sso.example.org/')).toEqual([
      'http://127.0.0.1:8080',
      'https://sso.example.org/',
    ]);
    const wrong = [
      'http://sso.example.org',
      'sso.example.org',
      'https://u:p@sso.example.org',
      'https://sso.example.org?x=1',
      'https://a.b,',
    ];
    for (const text of wrong)
      expect(mistakesOf({ flags: { 'oidc-issuer': text } })[0]).toContain('is not an https URL');
    for (const tenant of ['common', 'organizations', 'consumers', 'example.org', '']) {
      const text = `https://login.microsoftonline.com/${tenant}/v2.0`;
      expect(mistakesOf({ flags: { 'oidc-issuer': text } })[0]).toContain('each tenant is named by its id');
    }
  });

  test('are named in the environment as MLflow names them', () => {
    expect(settingDefinitions.flatMap(variablesOf).filter((name) => name.startsWith('MLFLOW_'))).toEqual([
      'MLFLOW_HOST',
      'MLFLOW_PORT',
      'MLFLOW_WORKERS',
      'MLFLOW_SERVER_ALLOWED_HOSTS',
      'MLFLOW_STATIC_PREFIX',
      'MLFLOW_BACKEND_STORE_URI',
      'MLFLOW_DEFAULT_ARTIFACT_ROOT',
      'MLFLOW_ARTIFACTS_DESTINATION',
    ]);
  });

  test('that the environment leaves empty count as not said', () => {
    expect(parse({ env: { LAZULI_PORT: '', MLFLOW_PORT: '7000', LAZULI_HOST: '' } })).toMatchObject({
      port: 7000,
      host: '127.0.0.1',
    });
  });

  test('may be numbers, lists and nothing in the file, and relative paths count from its folder', () => {
    const file = 'port: 5001\nallowed-hosts:\n  - a.example.org\n  - b.example.org\npublic-url:\ndata-dir: data\n';
    const settings = parse({ flags: { config: '/etc/lazuli/settings.yaml' }, file });
    expect(settings).toMatchObject({
      port: 5001,
      allowedHosts: ['a.example.org', 'b.example.org'],
      publicUrl: undefined,
    });
    expect(settings.dataDir).toBe('/etc/lazuli/data');
  });

  test('that are wrong are all reported at once, each with its value, its rule and where it came from', () => {
    const mistakes = mistakesOf({
      flags: { port: '99999', 'log-level': 'loud' },
      env: { LAZULI_PUBLIC_URL: 'ftp://x', MLFLOW_BACKEND_STORE_URI: 'mysql://h/db' },
      file: 'prot: 1\nhost: [a]\nstatic-prefix: mlflow/\nallowed-hosts: [1]',
    });
    expect(mistakes).toEqual([
      'prot: is no setting (from settings.yaml)',
      'host: must be a text or a number (from settings.yaml)',
      'allowed-hosts: must be a text or a list of texts (from settings.yaml)',
      'port: "99999" must be a whole number from 0 to 65535 (0: any free port) (from --port)',
      'public-url: "ftp://x" must be an http or https URL without user, query and fragment, such as https://mlflow.example.org (from LAZULI_PUBLIC_URL)',
      `static-prefix: "mlflow/" must begin with '/', not end with it, and have only letters, digits and . _ ~ - between slashes (from settings.yaml)`,
      'backend-store-uri: "mysql://h/db" is no database that this server can use; supported are sqlite:///relative/path.db, sqlite:////absolute/path.db and postgresql://user:password@host:5432/database (from MLFLOW_BACKEND_STORE_URI)',
      'log-level: "loud" must be one of trace, debug, info, warn, error, fatal, silent (from --log-level)',
    ]);
  });

  test.each([
    ['is not there', undefined, 'cannot be read: no such file'],
    ['is no YAML', 'a: [', 'is not YAML'],
    ['is a list', '- a', 'must be a mapping'],
    ['says a thing twice', 'port: 1\nport: 2', 'is not YAML: Map keys must be unique'],
    ['has aliases', 'host: &a [x]\nport: *a', 'must not contain aliases'],
  ])('are refused with a sentence when the file %s', (_case, file, sentence) => {
    const [mistake, ...others] = mistakesOf(file === undefined ? { flags: { config: 'settings.yaml' } } : { file });
    expect(mistake).toContain(`config: "settings.yaml" ${sentence}`);
    expect(others).toEqual([]);
  });

  test('may come from an empty file', () => {
    expect(parse({ file: '# nothing yet\n' })).toEqual(parse({}));
  });

  test('of the environment that nobody knows give a warning', () => {
    const env = { LAZULI_PROT: '1', LAZULI_TOKEN: 'x', LAZULI_URL: 'x', LAZULI_CONFIG: '', MLFLOW_TRACKING_URI: 'x' };
    expect(parse({ env }).warnings).toEqual([
      'LAZULI_PROT is set in the environment and is no setting of this server.',
    ]);
  });

  test('never fail otherwise than with a list of mistakes', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.webUrl(),
      fc.domain(),
      fc.constantFrom(...Object.values(samples)),
    );
    const name = fc.constantFrom(...settingDefinitions.map((definition) => definition.name), 'config', '__proto__');
    fc.assert(
      fc.property(fc.dictionary(name, text), fc.string(), (flags, file) => {
        try {
          parse({ flags, file });
        } catch (error) {
          expect(error).toBeInstanceOf(SettingsError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('without authentication', () => {
  test.each(['127.0.0.1', '127.8.8.8', '::1', '[::1]', 'localhost', 'LOCALHOST'])(
    'the server may listen on %s',
    (host) => {
      expect(parse({ flags: { host } }).auth).toBe('none');
    },
  );

  test.each([
    '0.0.0.0',
    '::',
    '192.168.1.5',
    '10.0.0.1',
    'example.org',
    'localhost.example.org',
    '127.0.0.1.example.org',
    '128.0.0.1',
  ])('the server does not listen on %s and says what to do', (host) => {
    const [mistake, ...others] = mistakesOf({ flags: { host, 'data-dir': './my data' } });
    expect(others).toEqual([]);
    expect(mistake).toContain(`host: "${host}" can be reached from other machines`);
    expect(mistake).toContain(
      "`lazuli token create --data-dir './my data' --role Owner` and start with `--auth token`",
    );
    expect(mistake).toContain('(from --host)');
    expect(parse({ flags: { host, auth: 'token' } }).host).toBe(host);
  });

  test('a wildcard for every host gives a warning', () => {
    expect(parse({ flags: { 'allowed-hosts': '*' } }).warnings).toHaveLength(1);
    expect(parse({ flags: { 'allowed-hosts': '*', auth: 'token' } }).warnings).toEqual([]);
    expect(parse({ flags: { 'allowed-hosts': '*.example.org' } }).warnings).toEqual([]);
  });
});

describe('one setting', () => {
  test.each([
    ['port', '0', 'port', 0],
    ['public-url', 'https://Example.ORG:443/', 'publicUrl', 'https://example.org'],
    ['public-url', 'http://h:8080/mlflow/', 'publicUrl', 'http://h:8080/mlflow'],
    [
      'allowed-hosts',
      'A.example.org, *.b.org:5000,[fd00::1],10.*',
      'allowedHosts',
      ['a.example.org', '*.b.org:5000', '[fd00::1]', '10.*'],
    ],
    ['static-prefix', '/a/b-c', 'staticPrefix', '/a/b-c'],
    ['max-body-size', '1048576', 'maxBodySize', 1_048_576],
    ['max-body-size', '512KiB', 'maxBodySize', 524_288],
    ['log-level', 'DEBUG', 'logLevel', 'debug'],
    ['data-dir', '../x', 'dataDir', '/home/x'],
    ['backend-store-uri', 'sqlite:///mlflow.db', 'database', { kind: 'sqlite', path: '/home/ann/mlflow.db' }],
    ['backend-store-uri', 'sqlite:////srv/a b%20.db', 'database', { kind: 'sqlite', path: '/srv/a b%20.db' }],
    [
      'backend-store-uri',
      'postgresql+psycopg2://u:p@h/db?sslmode=require',
      'database',
      { kind: 'postgres', url: 'postgres://u:p@h/db?sslmode=require' },
    ],
    ['database-url', 'postgres:///lazuli', 'database', { kind: 'postgres', url: 'postgres:///lazuli' }],
    ['default-artifact-root', 'mlflow-artifacts:', 'defaultArtifactRoot', 'mlflow-artifacts:/'],
    ['default-artifact-root', 'mlflow-artifacts:/team', 'defaultArtifactRoot', 'mlflow-artifacts:/team'],
    ['default-artifact-root', './mlruns', 'defaultArtifactRoot', '/home/ann/mlruns'],
    ['default-artifact-root', 's3://bucket/path', 'defaultArtifactRoot', 's3://bucket/path'],
    [
      'default-artifact-root',
      'https://account.blob.core.windows.net/box/path',
      'defaultArtifactRoot',
      'wasbs://box@account.blob.core.windows.net/path',
    ],
    ['artifact-roots', 's3://bucket, ./local,', 'artifactRoots', ['s3://bucket', '/home/ann/local']],
    ['default-artifact-root', 'file:mlruns', 'defaultArtifactRoot', 'file:///home/ann/mlruns'],
    ['artifacts-destination', 'file:///srv/a%20b', 'artifactsDestination', '/srv/a b'],
    ['artifacts-destination', 'mlartifacts', 'artifactsDestination', '/home/ann/mlartifacts'],
    ['artifacts-destination', 's3://bucket/path', 'artifactsDestination', 's3://bucket/path'],
    ...[
      'wasbs://models@account.blob.core.windows.net/team',
      'abfss://models@account.dfs.core.windows.net',
      'https://account.blob.core.windows.net/models/team',
    ].map((uri) => ['artifacts-destination', uri, 'artifactsDestination', uri] as const),
  ] as const)('%s takes %s', (name, text, key, value) => {
    expect(parse({ flags: { [name]: text } })[key]).toEqual(value);
  });

  test.each([
    ['host', ''],
    ['host', 'http://localhost'],
    ['host', 'localhost:5000'],
    ['host', 'a b'],
    ['port', ''],
    ['port', '-1'],
    ['port', '65536'],
    ['port', '0x10'],
    ['port', '1e3'],
    ['public-url', 'mlflow.example.org'],
    ['public-url', 'https://user:secret@example.org'],
    ['public-url', 'https://example.org/?'],
    ['public-url', 'https://example.org/#x'],
    ['allowed-hosts', ''],
    ['allowed-hosts', 'a,,b'],
    ['allowed-hosts', 'http://a'],
    ['allowed-hosts', 'a:99999'],
    ['allowed-hosts', '[::g]'],
    ['static-prefix', '/'],
    ['static-prefix', '/a/'],
    ['static-prefix', '//a'],
    ['static-prefix', '/a/../b'],
    ['static-prefix', '/a b'],
    ['static-prefix', '/{a}'],
    ['auth', 'basic'],
    ['max-body-size', '0'],
    ['max-body-size', '2GiB'],
    ['max-body-size', '1.5MiB'],
    ['max-body-size', '1MB'],
    ['data-dir', 'a\0b'],
    ['backend-store-uri', 'sqlite://'],
    ['backend-store-uri', 'sqlite:///'],
    ['backend-store-uri', 'sqlite:///:memory:'],
    ['backend-store-uri', 'sqlite:///a.db?mode=ro'],
    ['backend-store-uri', 'sqlite:///folder/'],
    ['backend-store-uri', './mlruns'],
    ['backend-store-uri', 'mysql://h/db'],
    ['database-url', 'mysql://h/db'],
    ['database-url', 'postgres://h'],
    ['database-url', 'postgres://h/db?sslmode=strict'],
    ['database-url', 'postgres://h/db?target_session_attrs=any'],
    ['database-pool-size', '1'],
    ['workers', '0'],
    ['workers', '257'],
    ['workers', 'auto'],
    ['database-prepared-statements', 'maybe'],
    ['default-artifact-root', 'gs://bucket/path'],
    ['artifact-roots', 'gs://bucket'],
    ['direct-transfers', 'maybe'],
    ['default-artifact-root', 'mlflow-artifacts://host/path'],
    ['default-artifact-root', 'mlflow-artifacts:/a/../b'],
    ['default-artifact-root', 'mlflow-artifacts:/%2e%2e'],
    ['artifacts-destination', 's3://'],
    ['artifacts-destination', 's3://bucket/a/../b'],
    ['artifacts-destination', 's3://bucket/a?b'],
    ['artifacts-destination', 'gs://bucket'],
    ['artifacts-destination', 'wasbs://account.blob.core.windows.net/path'],
    ['artifacts-destination', 'https://example.com/container'],
    ['artifacts-destination', 'file://host/path'],
    ['artifacts-destination', 'file:///a%2Fb'],
    ['artifacts-destination', 'mlflow-artifacts:/'],
  ])('%s refuses %j', (name, text) => {
    const [mistake, ...others] = mistakesOf({ flags: { [name]: text } });
    expect(mistake).toMatch(new RegExp(`^${name}: `));
    expect(mistake).toContain(JSON.stringify(text));
    expect(mistake).toContain(`(from --${name})`);
    expect(others).toEqual([]);
  });
});

test('a password in the address of a database is in no error', () => {
  const [mistake] = mistakesOf({ flags: { 'database-url': 'postgres://ann:secret@h:99999999/db' } });
  expect(mistake).toContain('postgres://ann:***@h');
  expect(mistake).not.toContain('secret');
});

test('a shared database with artifacts in one data directory is worth a warning', () => {
  const flags = { 'database-url': 'postgres://h/db' };
  expect(parse({ flags }).warnings).toEqual([expect.stringContaining('artifacts-destination')]);
  expect(parse({ flags: { ...flags, 'artifacts-destination': '/srv/artifacts' } }).warnings).toEqual([]);
});

test('two databases at once are refused, without showing either', () => {
  const flags = { 'database-url': 'postgres://ann:secret@h/a', 'backend-store-uri': 'sqlite:///b.db' };
  expect(mistakesOf({ flags })).toEqual([
    'database-url: it names one database and backend-store-uri another; give one of them (from --database-url and --backend-store-uri)',
  ]);
});

test('several workers on SQLite are refused; on PostgreSQL, however it is named, they are not', () => {
  for (const flags of [{ workers: '2' }, { workers: '2', 'backend-store-uri': 'sqlite:///a.db' }]) {
    expect(mistakesOf({ flags })).toEqual([
      'workers: 2 processes cannot share a SQLite database, which belongs to one; name a PostgreSQL with --database-url, or start one process (from --workers)',
    ]);
  }
  expect(mistakesOf({ env: { MLFLOW_WORKERS: '4' } })).toEqual([expect.stringContaining('(from MLFLOW_WORKERS)')]);
  for (const name of ['database-url', 'backend-store-uri']) {
    expect(parse({ flags: { workers: '2', [name]: 'postgresql:///lazuli' } }).workers).toBe(2);
    // What is wrong with its name is the only mistake.
    expect(mistakesOf({ flags: { workers: '2', [name]: 'postgresql:' } })).toEqual([
      expect.stringMatching(new RegExp(`^${name}: `)),
    ]);
  }
  expect(parse({ flags: { workers: '1' } }).database.kind).toBe('sqlite');
});

const samples: Readonly<Record<string, string>> = {
  host: '0.0.0.0',
  port: '5001',
  tls: 'off',
  'tls-port': '5999',
  'tls-cert': './cert.pem',
  'tls-key': './key.pem',
  'tls-names': 'lazuli.example.org,10.0.0.5',
  'data-dir': './elsewhere',
  workers: '4',
  'public-url': 'https://mlflow.example.org',
  'allowed-hosts': 'a.example.org,*.b.example.org:5000',
  'static-prefix': '/mlflow',
  auth: 'token',
  'oidc-issuer':
    'https://sso.example.org/realms/lab,https://login.microsoftonline.com/5b1e4f0c-0000-4000-8000-000000000001/v2.0',
  'token-audience': 'api://lazuli,https://lab.example.org',
  'encryption-key-file': './keys/lazuli.key',
  imds: 'on',
  'job-token-life': '600',
  'backend-store-uri': 'sqlite:///mlflow.db',
  'database-url': 'postgres://ann:secret@db.example.org/lazuli',
  'database-pool-size': '20',
  'database-prepared-statements': 'off',
  'default-artifact-root': './mlruns',
  'artifacts-destination': './mlartifacts',
  'artifact-roots': 's3://bucket/team',
  'direct-transfers': 'off',
  'max-body-size': '1MiB',
  'drain-delay': '2.5',
  'log-level': 'debug',
};

/** Lets `host` be anything. */
const allowRemote = { host: '127.0.0.2', auth: 'token' };

/** Several workers need a database that they can share, and a certificate its key. */
const needed: Readonly<Record<string, Record<string, string>>> = {
  workers: { 'database-url': 'postgres:///lazuli' },
  'tls-cert': { 'tls-key': './other.pem' },
  'tls-key': { 'tls-cert': './other.pem' },
};

function without(name: string): Record<string, string> {
  const beside = { ...allowRemote, ...needed[name] };
  return Object.fromEntries(Object.entries(beside).filter(([key]) => key !== name));
}

function parse({ flags = {}, env = {}, file }: Written): Settings {
  return parseSettings({
    flags: file === undefined ? flags : { config: 'settings.yaml', ...flags },
    env,
    workingDir: '/home/ann',
    readFile: () => {
      if (file === undefined) throw new Error('no such file');
      return file;
    },
  });
}

function mistakesOf(written: Written): readonly string[] {
  try {
    parse(written);
  } catch (error) {
    if (error instanceof SettingsError) return error.mistakes;
    throw error;
  }
  return [];
}
