import {
  compileReader,
  compileWriter,
  parseJson,
  readJson,
  readQuery,
  routesOf,
  type Endpoint,
  type EndpointGroup,
  type ReadInput,
} from '@lazuli/contract';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { JsonBody, type Caller, type Handler, type Handlers, type TextHandler } from '../access/caller.ts';
import type { Admission } from './admission.ts';
import { checkContentType } from './json-text.ts';

/** The routes of a group of endpoints: admit the caller, read the input, call the handler, write what it returns. */
export function endpointRoutes<Group extends EndpointGroup, FromText extends keyof Group>(
  app: FastifyInstance,
  group: Group,
  handlers: Handlers<Group, FromText>,
  admission: Admission,
): void {
  for (const name of Object.keys(group)) {
    const definition = group[name] as Endpoint;
    const answer = answerer(definition, handlers[name] as unknown as Handler<Endpoint> | TextHandler<Endpoint>);
    for (const { method, path } of routesOf(definition)) {
      app.route({
        method: method === 'GET' ? ['GET', 'HEAD'] : method,
        url: path.replace(/\{\*\w+\}/, '*').replaceAll(/\{(\w+)\}/g, ':$1'),
        onRequest: (request, _reply, done) => {
          checkContentType(request);
          const admitted = admission.admit(request, definition.actions, definition.scope ?? 'workspace');
          // A hook that waits for nothing saves a promise.
          if (admitted instanceof Promise) admitted.then(() => done(), done);
          else done();
        },
        handler: async (request, reply) => {
          const body = await answer(request, request.caller as Caller);
          if (definition.status !== undefined) reply.code(definition.status);
          if (definition.status === 204) return reply.send();
          return reply.header('content-type', 'application/json').send(body);
        },
      });
    }
  }
}

function answerer(definition: Endpoint, handler: Handler<Endpoint> | TextHandler<Endpoint>) {
  const write = compileWriter(definition.output);
  const call = typeof handler === 'function' ? callWithInput(definition, handler) : callWithText(handler);
  return async (request: FastifyRequest, caller: Caller): Promise<string | Uint8Array> => {
    const output = await call(request, caller);
    return output instanceof JsonBody ? output.bytes : write(output);
  };
}

function callWithText(handler: TextHandler<Endpoint>) {
  return (request: FastifyRequest, caller: Caller) => handler.fromText(bodyOf(request), caller);
}

function callWithInput(definition: Endpoint, handler: Handler<Endpoint>) {
  const read = compileReader(definition.input);
  const parameters = [...definition.path.matchAll(/\{(\*?)(\w+)\}/g)].map(([, rest, name]) => ({
    name: name as string,
    param: rest === '*' ? '*' : (name as string),
  }));
  if (parameters.length > 0) {
    return (request: FastifyRequest, caller: Caller) => {
      const path = request.params as Record<string, string>;
      const given = { ...otherFields(request) };
      for (const { name, param } of parameters) given[name] = path[param];
      return handler(read(given), caller);
    };
  }
  return (request: FastifyRequest, caller: Caller) => handler(readInput(definition, read, request), caller);
}

/** *MLflow reads GET requests from the query; where that is empty, from a JSON body.* */
function readInput<Input extends Endpoint['input']>(
  definition: Endpoint,
  read: ReadInput<Input>,
  request: FastifyRequest,
) {
  const query = request.method === 'GET' || request.method === 'HEAD' ? queryOf(request) : '';
  return query === ''
    ? readJson(read, bodyOf(request))
    : readQuery(definition.input as Input, read, new URLSearchParams(query));
}

/** The fields that stand beside those in the path: in the body, or in the query where there is no body. */
function otherFields(request: FastifyRequest): Record<string, unknown> {
  const body = bodyOf(request);
  const parsed = body === '' ? undefined : parseJson(body);
  const fields = typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  return { ...Object.fromEntries(new URLSearchParams(queryOf(request))), ...fields };
}

function bodyOf({ body }: FastifyRequest): string {
  return typeof body === 'string' ? body : '';
}

function queryOf({ raw: { url = '' } }: FastifyRequest): string {
  const mark = url.indexOf('?');
  return mark < 0 ? '' : url.slice(mark + 1);
}
