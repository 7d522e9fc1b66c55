import type { TSchema } from 'typebox';
import { transferRoutes, type Transfer } from './artifacts.ts';
import { routesOf, type Endpoint, type EndpointGroup, type Method, type Route } from './endpoint.ts';
import { errorCodes } from './errors.ts';
import { scrapeMetrics } from './server-info.ts';

/**
 * The contract as an OpenAPI 3.1 document: every method and path that serves an endpoint, the transfers of bytes, and the
 * plain routes beside them. Schemas that have a name become components. What JSON Schema cannot say about protobuf JSON
 * (64-bit integers as strings, camelCase names) stands in the description.
 */
export interface OpenApiParts {
  readonly version: string;
  readonly groups: Readonly<Record<string, EndpointGroup>>;
  readonly transfers: Readonly<Record<string, Transfer>>;
  /** Schemas to be referred to by name, the very objects that endpoints are made of. */
  readonly named: Readonly<Record<string, TSchema>>;
}

export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: Json;
  readonly tags: readonly Json[];
  readonly security: readonly Json[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Json>> } & Json;
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly parameters: readonly Json[];
  readonly responses: Readonly<Record<string, Json>>;
  readonly [key: string]: unknown;
}

type Json = Readonly<Record<string, unknown>>;
type Paths = Record<string, Record<string, Operation>>;

export function openApiDocument({ version, groups, transfers, named }: OpenApiParts): OpenApiDocument {
  const schemaOf = schemaWriter(named);
  const paths: Paths = {};
  for (const [tag, group] of Object.entries(groups)) {
    for (const [name, definition] of Object.entries(group)) {
      routesOf(definition).forEach((route, index) => {
        add(paths, route, endpointOperation({ tag, name, index, route, definition, schemaOf }));
      });
    }
  }
  for (const [name, transfer] of Object.entries(transfers)) {
    transferRoutes(transfer).forEach((route, index) => {
      add(paths, route, transferOperation(transfer, idOf(name, index), route));
    });
  }
  for (const { route, operation } of plainRoutes) add(paths, route, operation);
  return {
    openapi: '3.1.0',
    info: { title: 'Lazuli', version, description, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    tags: [...Object.keys(groups), 'server'].map((name) => ({ name })),
    security: [{}, { token: [] }, { password: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'An API token.' },
        password: { type: 'http', scheme: 'basic', description: 'An API token as the password of any user name.' },
      },
      schemas: {
        ...Object.fromEntries(Object.entries(named).map(([name, schema]) => [name, schemaOf.inFull(schema)])),
        Error: errorSchema,
      },
    },
  };
}

const description = [
  'MLflow tracking, and what Lazuli adds to it. Messages are protobuf JSON: besides what the schemas say, a request may give a',
  'field its camelCase name, a 64-bit integer as a string and an enum as its number; unknown fields are ignored, null is',
  'absent, and an empty string counts as missing where text is required. Answers leave out absent fields and empty lists.',
].join(' ');

function add(paths: Paths, { method, path }: Route, operation: Operation): void {
  const item = (paths[path.replace('{*', '{')] ??= {});
  const verb = method.toLowerCase();
  if (item[verb] !== undefined) throw new TypeError(`${method} ${path} serves two endpoints.`);
  item[verb] = operation;
}

/** The first route has the endpoint's name; an id belongs to one operation alone. */
function idOf(name: string, index: number): string {
  return index === 0 ? name : `${name}Alias${index}`;
}

interface EndpointPlace {
  readonly tag: string;
  readonly name: string;
  readonly index: number;
  readonly route: Route;
  readonly definition: Endpoint;
  readonly schemaOf: SchemaWriter;
}

function endpointOperation({ tag, name, index, route, definition, schemaOf }: EndpointPlace): Operation {
  const inPath = pathParameters(route.path);
  const properties = Object.entries(definition.input.properties as Record<string, TSchema>);
  const required = new Set(definition.input.required as readonly string[] | undefined);
  const others = properties.filter(([field]) => !inPath.includes(field));
  const inQuery = route.method === 'GET' || route.method === 'DELETE';
  const queryParameters = others.map(([field, schema]) => ({
    name: field,
    in: 'query',
    ...(required.has(field) ? { required: true } : {}),
    schema: schemaOf.reference(schema),
  }));
  const body = {
    type: 'object',
    ...listed(
      'required',
      [...required].filter((field) => !inPath.includes(field)),
    ),
    properties: Object.fromEntries(others.map(([field, schema]) => [field, schemaOf.reference(schema)])),
  };
  return {
    operationId: idOf(name, index),
    summary: definition.summary,
    tags: [tag],
    'x-actions': definition.actions,
    parameters: [
      ...inPath.map(pathParameter),
      ...(inQuery ? queryParameters : []),
      ...(definition.scope === 'server' ? [] : [workspaceHeader]),
    ],
    ...(inQuery ? {} : { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: answers(String(definition.status ?? 200), schemaOf.reference(definition.output)),
  };
}

function transferOperation(transfer: Transfer, operationId: string, route: Route): Operation {
  const bytes = { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } };
  const isUpload = transfer.method !== 'GET';
  const query = (transfer.query ?? []).map((name) => ({ name, in: 'query', schema: { type: 'string' } }));
  return {
    operationId,
    summary: transfer.summary,
    tags: ['artifacts'],
    'x-actions': transfer.actions,
    parameters: [...pathParameters(route.path).map(pathParameter), ...query, workspaceHeader],
    ...(isUpload ? { requestBody: { required: true, content: bytes } } : {}),
    responses: isUpload
      ? { '200': { description: 'The file is stored.' }, default: errorAnswer }
      : {
          '200': { description: 'The file.', content: bytes },
          '206': { description: 'A part of it.' },
          default: errorAnswer,
        },
  };
}

function answers(status: string, schema: Json): Record<string, Json> {
  const success =
    status === '204'
      ? { description: 'Done.' }
      : { description: 'Success.', content: { 'application/json': { schema } } };
  return { [status]: success, default: errorAnswer };
}

const errorSchema: Json = {
  type: 'object',
  required: ['error_code', 'message'],
  properties: {
    error_code: { type: 'string', enum: Object.keys(errorCodes) },
    message: { type: 'string' },
    sqlstate: { type: 'string' },
    error_class: { type: 'string' },
  },
};

const errorAnswer: Json = {
  description: 'A failure; the status follows from the code.',
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
};

const workspaceHeader: Json = {
  name: 'X-MLFLOW-WORKSPACE',
  in: 'header',
  description: 'The workspace that is addressed; without it, the default one.',
  schema: { type: 'string' },
};

function pathParameters(path: string): string[] {
  return [...path.matchAll(/\{\*?(\w+)\}/g)].map(([, name]) => name as string);
}

function pathParameter(name: string): Json {
  return { name, in: 'path', required: true, schema: { type: 'string' } };
}

interface SchemaWriter {
  /** A schema, or a reference where it has a name. */
  reference(schema: TSchema): Json;
  inFull(schema: TSchema): Json;
}

interface AnySchema {
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly items?: TSchema;
  readonly properties?: Readonly<Record<string, TSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly description?: string;
  readonly default?: unknown;
}

function schemaWriter(named: Readonly<Record<string, TSchema>>): SchemaWriter {
  const names = new Map<TSchema, string>(Object.entries(named).map(([name, schema]) => [schema, name]));

  function reference(schema: TSchema): Json {
    const name = names.get(schema);
    return name === undefined ? inFull(schema) : { $ref: `#/components/schemas/${name}` };
  }

  function inFull(schema: TSchema): Json {
    const { type, format, items, properties, required, additionalProperties, ...rest } = schema as AnySchema;
    const notes = {
      ...(rest.description === undefined ? {} : { description: rest.description }),
      ...(rest.default === undefined ? {} : { default: rest.default }),
    };
    if (type === 'number') return { ...notes, oneOf: [{ type, format }, { enum: ['NaN', 'Infinity', '-Infinity'] }] };
    if (type === 'array') return { ...notes, type, items: reference(items as TSchema) };
    if (type === 'object') {
      return {
        ...notes,
        type,
        ...(additionalProperties === undefined ? {} : { additionalProperties }),
        ...listed('required', required ?? []),
        ...(properties === undefined
          ? {}
          : {
              properties: Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, reference(value)])),
            }),
      };
    }
    return {
      ...notes,
      type,
      ...(format === undefined ? {} : { format }),
      ...(rest.enum === undefined ? {} : { enum: rest.enum }),
    };
  }

  return { reference, inFull };
}

function listed(key: string, values: readonly string[]): Json {
  return values.length === 0 ? {} : { [key]: values };
}

export interface PlainRoute {
  readonly route: Route;
  readonly operation: Operation;
}

function plainText(operationId: string, path: string, summary: string): PlainRoute {
  const responses = { '200': textAnswer('Success.') };
  const method: Method = 'GET';
  return {
    route: { method, path },
    operation: { operationId, summary, tags: ['server'], security: [{}], parameters: [], responses },
  };
}

function readyRoute(): PlainRoute {
  const summary = 'Says OK when the server can serve; else why it cannot.';
  const { route, operation } = plainText('getReady', '/health/ready', summary);
  const responses = { ...operation.responses, '503': textAnswer('It cannot serve now.') };
  return { route, operation: { ...operation, responses } };
}

function textAnswer(description: string): Json {
  return { description, content: { 'text/plain': { schema: { type: 'string' } } } };
}

/** Routes that are no endpoints of the contract: probes, and the address under which MLflow's pages load a file of a run. */
export const plainRoutes: readonly PlainRoute[] = [
  plainText('getHealth', '/health', 'Says OK as long as the server answers.'),
  plainText('getLive', '/health/live', 'The same as /health, by the name that tells it from /health/ready.'),
  readyRoute(),
  plainText('getVersion', '/version', 'The MLflow release whose interface this server follows.'),
  {
    route: { method: scrapeMetrics.method, path: scrapeMetrics.path },
    operation: {
      operationId: 'getMetrics',
      summary: scrapeMetrics.summary,
      tags: ['server'],
      'x-actions': scrapeMetrics.actions,
      parameters: [],
      responses: { '200': textAnswer('The metrics.'), default: errorAnswer },
    },
  },
];
