import { compileAnswerReader, compileWriter, MlflowError, readJson, routesOf, type Endpoint } from '@lazuli/contract';
import type { CallOptions, Transport } from './transport.ts';

/** The function that calls an endpoint: input to request, answer to output. */
export function callOf(
  definition: Endpoint,
  transport: Transport,
): (input: unknown, options?: CallOptions) => Promise<unknown> {
  const route = routesOf(definition)[0];
  if (route === undefined) throw new TypeError('An endpoint has at least one route.');
  const write = compileWriter(definition.input);
  const read = compileAnswerReader(definition.output);
  const inPath = new Set([...route.path.matchAll(/\{\*?(\w+)\}/g)].map(([, name]) => name));

  // *MLflow reads a DELETE whose path names nothing from its body.*
  const isInQuery = route.method === 'GET' || (route.method === 'DELETE' && inPath.size > 0);

  return async (input, options) => {
    const given = input as Record<string, unknown>;
    const path = route.path.replaceAll(/\{(\*?)(\w+)\}/g, (_, rest: string, name: string) =>
      rest === '*'
        ? String(given[name]).split('/').map(encodeURIComponent).join('/')
        : encodeURIComponent(String(given[name])),
    );
    const text = isInQuery
      ? await transport.send(route.method, path + queryOf(given, inPath), undefined, options)
      : // *MLflow's server reads a field from the body also where the path names it (PATCH logged-models/{model_id}).*
        await transport.send(route.method, path, write(given), options);
    if (/^\s*([{[]|$)/.test(text)) return readJson(read, text);
    throw new MlflowError(
      'INTERNAL_ERROR',
      `${transport.url} answered with no JSON, so it is hardly an MLflow server; look at the tracking URI. It began: ${text.slice(0, 100)}`,
    );
  };
}

function textOf(value: string | number | bigint | boolean): string {
  return String(value);
}

function queryOf(fields: Record<string, unknown>, inPath: ReadonlySet<string | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (inPath.has(name)) continue;
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (item !== undefined) query.append(name, textOf(item as string | number | bigint | boolean));
    }
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}
