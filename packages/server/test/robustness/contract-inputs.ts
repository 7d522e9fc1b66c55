import fc from 'fast-check';
import type { Endpoint } from '@lazuli/contract';
import { hostileBodies, hostileTexts, hostileValue } from './hostile-values.ts';

/**
 * Requests for any endpoint, made from its schema: right ones that name what is there, wrong ones that differ from a right
 * one in a place or two, and bodies that have nothing to do with either. A right one alone would never find a missing
 * check, a wild one alone would never get past the first.
 */
export interface Generated {
  readonly endpoint: Endpoint;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly body: string | Buffer | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** What is there to be named. */
export interface LiveNames {
  readonly runIds: readonly string[];
  readonly experimentIds: readonly string[];
  readonly experimentNames: readonly string[];
  readonly workspaceNames: readonly string[];
  readonly tokenIds: readonly string[];
  readonly modelIds: readonly string[];
  /** Each has the versions 1 and 2, and the alias champion. */
  readonly modelNames: readonly string[];
  /** A user and a service principal. */
  readonly objectNames: readonly string[];
  readonly groupNames: readonly string[];
  readonly credentialIds: readonly string[];
  readonly jobIds: readonly string[];
  /** PEM. */
  readonly certificate: string;
}

interface Schema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly numbers?: Readonly<Record<string, number>>;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

const filters = [
  '',
  'metrics.loss > 0.5',
  "params.p = '1' AND tags.t LIKE '%a%'",
  "status = 'RUNNING'",
  'attributes.start_time > 1 OR NOT (tags.`a b` IS NULL)',
  'metrics.loss = NaN',
  "name LIKE 'exp%'",
  '((((((((((metrics.loss > 1))))))))))',
  "params.p IN ('a', 'b')",
];
const orders = [
  'metrics.loss DESC',
  'start_time',
  'params.p ASC',
  'name',
  'tags.`t` DESC',
  'experiment_id ASC',
  'creation_time',
];
const keys = ['loss', 'acc/train', 'p', 't', 'mlflow.runName', 'k 1', 'ключ'];

/** A name is that of a model for most endpoints of the registry, and a new one for the others. */
interface Live extends LiveNames {
  readonly ofModels: boolean;
}

/** A right value for a field, by its name where that says what it is about. */
function rightValue(name: string, schema: Schema, live: Live): fc.Arbitrary<unknown> {
  if (schema.type === 'object') return rightObject(schema, live);
  if (schema.type === 'array') {
    const item = rightValue(name, schema.items ?? {}, live);
    return fc.array(item, { minLength: 1, maxLength: 3 });
  }
  if (schema.enum !== undefined)
    return fc.constantFrom<unknown>(...schema.enum, ...Object.values(schema.numbers ?? {}));
  if (schema.type === 'boolean') return fc.boolean();
  if (schema.type === 'number')
    return fc.oneof(fc.double({ noNaN: true }), fc.constantFrom<unknown>('NaN', 'Infinity', '1.5', 3));
  if (schema.type === 'integer') {
    if (name === 'max_results') return fc.constantFrom<unknown>(1, 2, '5', 100);
    if (name === 'expiry_time') return fc.constant(4_102_444_800_000);
    return fc.oneof(fc.nat(1_000_000), fc.constantFrom<unknown>('17', 0));
  }
  switch (name) {
    case 'run_id':
    case 'run_ids':
    case 'run_uuid':
      return fc.constantFrom(...live.runIds);
    case 'experiment_id':
    case 'experiment_ids':
      return fc.constantFrom(...live.experimentIds);
    case 'experiment_name':
      return fc.constantFrom(...live.experimentNames);
    case 'workspace_name':
    case 'workspace':
      return fc.constantFrom(...live.workspaceNames);
    case 'name':
      return live.ofModels ? fc.constantFrom(...live.modelNames) : fc.uuid().map((id) => `n${id}`);
    case 'version':
      return fc.constantFrom('1', '2');
    case 'alias':
      return fc.constant('champion');
    case 'stage':
    case 'stages':
      return fc.constantFrom('None', 'staging', 'Production');
    case 'source':
      return fc.constantFrom('s3://bucket/x', 'models:/fuzzed/1');
    case 'new_name':
      return fc.uuid().map((id) => `n${id}`);
    case 'filter':
      if (live.ofModels)
        return fc.constantFrom('', "name LIKE 'f%' AND NOT tags.t = 'a'", 'last_updated_timestamp > 1');
      return fc.constantFrom(...filters);
    case 'order_by':
      if (live.ofModels) return fc.constantFrom('name', 'last_updated_timestamp DESC', 'creation_timestamp');
      return fc.constantFrom(...orders);
    case 'key':
    case 'metric_key':
      return fc.constantFrom(...keys);
    case 'token_id':
      return fc.constantFrom(...live.tokenIds);
    case 'object':
    case 'member':
      return fc.constantFrom(...live.objectNames);
    case 'group':
      return fc.constantFrom(...live.groupNames);
    case 'job_id':
      return fc.constantFrom(...live.jobIds);
    case 'origin':
      return fc.constant('LocalUpload');
    case 'container':
      return fc.constant('fuzzed');
    case 'experiment':
      return fc.constantFrom(...live.experimentIds);
    case 'credential_id':
      return fc.constantFrom(...live.credentialIds);
    case 'certificate':
      return fc.constant(live.certificate);
    case 'issuer':
      return fc.constant('https://issuer.example.org');
    case 'user_name':
      return fc.uuid().map((id) => `${id}@example.org`);
    case 'password':
      return fc.constant('a password of the fuzzer');
    case 'redirect_uris':
      return fc.constantFrom('https://app.example.org/back', 'http://localhost');
    case 'model_id':
      return fc.constantFrom('', 'm-1', ...live.modelIds, ...live.modelIds);
    case 'tag_key':
      return fc.constantFrom('t', 'u');
    case 'field_name':
      return fc.constantFrom('name', 'creation_timestamp', 'metrics.loss', 'params.p');
    case 'model_json':
      return fc.constantFrom('{}', '{"run_id":"r","artifact_path":"p","utc_time_created":"t","flavors":{}}');
    case 'page_token':
    case 'default_artifact_root':
    case 'artifact_location':
      return fc.constant('');
    case 'path':
    case 'artifact_path':
    case 'artifact_directory_path':
      return fc.constantFrom('a', 'model/MLmodel');
    case 'mode':
      return fc.constantFrom('RESTRICT', 'CASCADE');
    case 'digest':
      return fc.constantFrom('d1', 'd2');
    default:
      return fc.string({ minLength: 1, maxLength: 20 });
  }
}

function rightObject(schema: Schema, live: Live): fc.Arbitrary<Record<string, unknown>> {
  const fields = Object.entries(schema.properties ?? {}).map(
    ([name, property]) => [name, rightValue(name, property, live)] as const,
  );
  // Either name of a run will do; one of them is nearly always meant to be there.
  const needed = [...(schema.required ?? []), ...('run_id' in (schema.properties ?? {}) ? ['run_id'] : [])];
  return fc.record(Object.fromEntries(fields), { requiredKeys: needed, noNullPrototype: true });
}

/** Puts a hostile value, key or spelling somewhere into a message. */
function damaged(message: Record<string, unknown>): fc.Arbitrary<Record<string, unknown>> {
  const names = Object.keys(message);
  const added = fc
    .tuple(fc.constantFrom('__proto__', 'constructor', 'unknown', 'runId', 'experimentId', 'toString'), hostileValue)
    .map(([name, value]) => withOwn(message, name, value));
  if (names.length === 0) return added;
  const replaced = fc.tuple(fc.constantFrom(...names), hostileValue).map(([name, value]) => {
    const old = message[name];
    // Half of the time inside a list, where there is one.
    const inside =
      Array.isArray(old) && old.length > 0 && typeof value !== 'string'
        ? [...(old as unknown[]).slice(1), value]
        : value;
    return withOwn(message, name, inside);
  });
  const doubled = fc.constantFrom(...names).map((name) => withOwn(message, camelCase(name), message[name]));
  const lost = fc
    .constantFrom(...names)
    .map((gone) => Object.fromEntries(Object.entries(message).filter(([name]) => name !== gone)));
  return fc.oneof({ weight: 4, arbitrary: replaced }, added, doubled, lost);
}

function withOwn(message: Record<string, unknown>, name: string, value: unknown): Record<string, unknown> {
  const copy: Record<string, unknown> = Object.assign(Object.create(null) as object, message);
  copy[name] = value;
  return copy;
}

function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

export function generatedRequest(
  routes: readonly { readonly endpoint: Endpoint; readonly method: string; readonly path: string }[],
  live: LiveNames,
): fc.Arbitrary<Generated> {
  // By endpoint first: one that is served by a single path is asked as often as any other.
  const ways = [...Map.groupBy(routes, ({ endpoint }) => endpoint).values()];
  const way = fc.constantFrom(...ways).chain((of) => fc.constantFrom(...of));
  return way.chain(({ endpoint, method, path }) => {
    const ofModels = /\/(?:registered-models\/(?!create)|model-versions\/|model-registry\/)/.test(path);
    const right = rightObject(endpoint.input, { ...live, ofModels });
    const camel = right.map((message) =>
      Object.fromEntries(Object.entries(message).map(([name, value]) => [camelCase(name), value])),
    );
    const message = fc.oneof(
      { weight: 5, arbitrary: right },
      { weight: 1, arbitrary: camel },
      { weight: 3, arbitrary: right.chain(damaged) },
      { weight: 1, arbitrary: right.chain(damaged).chain(damaged) },
    );
    const framing = fc.record({
      hostileBody: fc.oneof({ weight: 10, arbitrary: fc.constant(undefined) }, fc.constantFrom(...hostileBodies)),
      asBody: fc.integer({ min: 0, max: 3 }).map((draw) => draw === 0),
      type: fc.oneof(
        { weight: 12, arbitrary: fc.constant('application/json') },
        fc.constantFrom('', 'text/plain', 'application/json; charset=utf-16', 'a'.repeat(2_000)),
      ),
      workspace: fc.oneof(
        { weight: 15, arbitrary: fc.constant('') },
        fc.constantFrom('default', 'nowhere', 'A_b', '%00', 'x'.repeat(500)),
      ),
      rawQuery: fc.oneof({ weight: 12, arbitrary: fc.constant(undefined) }, fc.constantFrom(...hostileTexts)),
    });
    return fc.tuple(message, framing).map(([given, { hostileBody, asBody, type, workspace, rawQuery }]): Generated => {
      const inPath = new Set([...path.matchAll(/\{\*?(\w+)\}/g)].map(([, name]) => name));
      const rest = Object.fromEntries(Object.entries(given).filter(([name]) => !inPath.has(name)));
      const filled = path.replaceAll(/\{\*?(\w+)\}/g, (_, name: string) => {
        const value = given[name];
        return typeof value === 'string' ? encodeURIComponent(value.toWellFormed()) || '%20' : 'x';
      });
      const isRead = method === 'GET' || method === 'HEAD' || (method === 'DELETE' && inPath.size > 0);
      const inQuery = isRead && !asBody;
      const body = inQuery ? undefined : (hostileBody ?? JSON.stringify(rest));
      return {
        endpoint,
        method,
        path: filled,
        query: inQuery ? (rawQuery === undefined ? queryOf(rest) : encodeURI(rawQuery.toWellFormed())) : '',
        body,
        headers: {
          ...(body === undefined || type === '' ? {} : { 'content-type': type }),
          ...(workspace === '' ? {} : { 'x-mlflow-workspace': workspace }),
        },
      };
    });
  });
}

function queryOf(message: Record<string, unknown>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(message)) {
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) {
      query.append(name, typeof item === 'string' ? item.toWellFormed() : JSON.stringify(item));
    }
  }
  return query.toString();
}
