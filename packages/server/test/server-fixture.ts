import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client } from '@lazuli/client';
import { createServer, parseSettings, type Server, type Settings } from '@lazuli/server';
import { pino } from 'pino';
import { inject, test } from 'vitest';
import { databaseOnSharedPostgres } from './postgres/test-databases.ts';

/** A server of a test's own, and clients that come in by its front door. */
export interface TestServer extends AsyncDisposable {
  readonly server: Server;
  readonly dataDir: string;
  /** Calls the server without a socket. */
  readonly client: Client;
  /** Another client of the same server. */
  readonly clientFor: (options: { token?: string; workspace?: string }) => Client;
  /** Sends a request as it stands, without a socket. */
  readonly request: (
    method: string,
    url: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<TestResponse>;
}

export interface TestResponse {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
  readonly json: unknown;
}

declare module 'vitest' {
  export interface ProvidedContext {
    /** The engine under test. */
    engine: 'sqlite' | 'postgres';
  }
}

/** What names the database that belongs to a data directory: nothing for SQLite, which has it there. */
export async function databaseFlags(dataDir: string): Promise<Record<string, string>> {
  if (inject('engine') === 'sqlite') return {};
  return {
    'database-url': await databaseOnSharedPostgres(dataDir),
    'database-pool-size': '4',
    'database-prepared-statements': process.env['LAZULI_TEST_STATEMENTS'] ?? 'on',
  };
}

/** The settings of a server on a data directory, on the engine under test. */
export async function settingsFor(dataDir: string, flags: Record<string, string> = {}): Promise<Settings> {
  const usual = { 'data-dir': dataDir, port: '0', 'log-level': 'silent', ...(await databaseFlags(dataDir)) };
  return parseSettings({ flags: { ...usual, ...flags }, env: {}, workingDir: dataDir, readFile: () => '' });
}

export async function startServer(
  flags: Record<string, string> = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<TestServer> {
  await using undo = new AsyncDisposableStack();
  const dataDir = flags['data-dir'] ?? (await mkdtemp(join(tmpdir(), 'lazuli-test-')));
  if (flags['data-dir'] === undefined) undo.defer(() => rm(dataDir, { recursive: true, force: true }));
  const settings = await settingsFor(dataDir, flags);
  const server = await createServer(settings, { logger: pino({ level: 'silent' }), environment });
  undo.defer(() => server.close());
  await server.app.ready();
  const started = undo.move();
  const fetch = injectingFetch(server);
  const clientFor = (options: { token?: string; workspace?: string }): Client =>
    createClient({ url: 'http://127.0.0.1', fetch, retries: { maxRetries: 0 }, ...options });
  return {
    server,
    dataDir,
    client: clientFor({}),
    clientFor,
    async request(method, url, body, headers = {}) {
      const isText = typeof body === 'string' || body === undefined;
      const response = await server.app.inject({
        method: method as 'GET',
        url,
        headers: {
          host: '127.0.0.1',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: isText ? body : JSON.stringify(body) }),
      });
      return {
        status: response.statusCode,
        headers: response.headers,
        text: response.body,
        get json(): unknown {
          return JSON.parse(response.body) as unknown;
        },
      };
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** `fetch` over Fastify's injection: the whole server but its socket. */
function injectingFetch({ app }: Server): typeof fetch {
  return async (url, { method = 'GET', headers, body } = {}) => {
    const { pathname, search } = new URL(url);
    const response = await app.inject({
      method: method as 'GET',
      url: pathname + search,
      headers: { host: '127.0.0.1', ...(headers as Record<string, string>) },
      ...(body === undefined || body === null ? {} : { payload: body as string }),
    });
    const empty = [204, 304].includes(response.statusCode);
    return new Response(empty ? null : response.body, {
      status: response.statusCode,
      headers: Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
    });
  };
}

/** A test with a server of its own. Tests of behaviour run once for each engine; see vitest.config.ts. */
export function onEveryEngine(name: string, body: (server: TestServer) => Promise<void>): void {
  test(name, async () => {
    await using server = await startServer();
    await body(server);
  });
}

let counter = 0;

/** A new run in an experiment of its own; gives both ids. */
export async function aRun(client: Client): Promise<{ run_id: string; experiment_id: string }> {
  const { experiment_id } = await client.experiments.createExperiment({ name: `experiment ${++counter}` });
  const { run } = await client.runs.createRun({ experiment_id, start_time: 1 });
  return { run_id: run.info.run_id, experiment_id };
}
