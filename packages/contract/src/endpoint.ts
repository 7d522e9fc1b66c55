import type { Static, TObject } from 'typebox';

/**
 * An endpoint of the wire, defined once: the server's routes, validation and access, the client's typed methods, OpenAPI
 * and the reference pages all follow from this value.
 */
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Where an endpoint is served: under both of MLflow's prefixes, under the web UI's alone, or at the path as it stands. */
export type Prefix = 'api' | 'ajax-api' | 'none';

export interface Endpoint<Input extends TObject = TObject, Output extends TObject = TObject> {
  /** One sentence for the reference. */
  readonly summary: string;
  readonly method: Method | readonly Method[];
  /** Below the prefix, with `{name}` for a segment that is a field of the input: `/2.0/mlflow/runs/delete`. */
  readonly path: string;
  /** Further paths that MLflow serves the same endpoint under. */
  readonly aliases?: readonly { readonly path: string; readonly prefixes?: readonly Prefix[] }[];
  /** Default: `['api', 'ajax-api']`. */
  readonly prefixes?: readonly Prefix[];
  /** Azure's names for the right to call it; any one of them suffices. */
  readonly actions: readonly [string, ...string[]];
  /** What the right is held on: the addressed workspace (default), or the server as a whole. */
  readonly scope?: 'workspace' | 'server';
  readonly input: Input;
  readonly output: Output;
  /** HTTP status of success; default 200. 204 has no body. */
  readonly status?: 200 | 201 | 204;
}

export type EndpointGroup = Readonly<Record<string, Endpoint>>;

export type InputOf<E extends Endpoint> = Static<E['input']>;
export type OutputOf<E extends Endpoint> = Static<E['output']>;

/** Gives an endpoint value its exact type. */
export function endpoint<Input extends TObject, Output extends TObject>(
  definition: Endpoint<Input, Output>,
): Endpoint<Input, Output> {
  return definition;
}

export interface Route {
  readonly method: Method;
  /** The full path with `{name}` parameters, without a static prefix. */
  readonly path: string;
}

/** Every method and path that serves an endpoint, the first being the one that a client should use. */
export function routesOf(definition: Endpoint): Route[] {
  const methods = typeof definition.method === 'string' ? [definition.method] : definition.method;
  const places = [{ path: definition.path, prefixes: definition.prefixes }, ...(definition.aliases ?? [])];
  return places.flatMap(({ path, prefixes = ['api', 'ajax-api'] as const }) =>
    prefixes.flatMap((prefix) =>
      methods.map((method) => ({ method, path: prefix === 'none' ? path : `/${prefix}${path}` })),
    ),
  );
}
