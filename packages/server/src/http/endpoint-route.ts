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

/** What an endpoint reads of a request. */
export interface Message {
  readonly method: string;
  readonly url: string;
  /** The body; empty where there is none. */
  readonly text: string;
  /** The fields that stand in the path. */
  readonly params: Readonly<Record<string, string>>;
}

/** From a message to the text of its answer. */
export type Answer = (message: Message, caller: Caller) => Promise<string | Uint8Array>;

/** An answer as it is shown to whoever came by an address of Azure's form. */
export type ShowAnswer = (body: string | Uint8Array, caller: Caller) => string | Uint8Array;

export type AnyHandler = Handler<Endpoint> | TextHandler<Endpoint>;

/** The routes of a group of endpoints: admit the caller, read the input, call the handler, write what it returns. */
export function endpointRoutes<Group extends EndpointGroup, FromText extends keyof Group>(
  app: FastifyInstance,
  group: Group,
  handlers: Handlers<Group, FromText>,
  { admission, showLocations }: { readonly admission: Admission; readonly showLocations: ShowAnswer },
): void {
  for (const name of Object.keys(group)) {
    const definition = group[name] as Endpoint;
    const answer = answerOf(definition, handlers[name] as unknown as AnyHandler);
    const show = showsLocations(definition) ? showLocations : asItIs;
    for (const { method, path } of routesOf(definition)) {
      app.route({
        method: method === 'GET' ? ['GET', 'HEAD'] : method,
        url: routerPath(path),
        onRequest: (request, _reply, done) => {
          checkContentType(request.method, request.headers);
          const admitted = admission.admit(request, definition.actions, definition.scope ?? 'workspace');
          // A hook that waits for nothing saves a promise.
          if (admitted instanceof Promise) admitted.then(() => done(), done);
          else done();
        },
        handler: async (request, reply) => {
          const caller = request.caller as Caller;
          const answered = await answer(messageOf(request), caller);
          const body = request.address === undefined ? answered : show(answered, caller);
          if (definition.status !== undefined) reply.code(definition.status);
          if (definition.status === 204) return reply.send();
          return reply.header('content-type', 'application/json').send(body);
        },
      });
    }
  }
}

export const asItIs: ShowAnswer = (body) => body;

/** Whether an endpoint's answers name places of artifacts, which Azure's clients know by other names. */
export function showsLocations({ output }: Endpoint): boolean {
  return JSON.stringify(output).includes('"artifact_uri"');
}

/** A path of the contract as the router spells it. */
export function routerPath(path: string): string {
  return path.replace(/\{\*\w+\}/, '*').replaceAll(/\{(\w+)\}/g, ':$1');
}

export function answerOf(definition: Endpoint, handler: AnyHandler): Answer {
  const write = compileWriter(definition.output);
  const call = typeof handler === 'function' ? callWithInput(definition, handler) : callWithText(handler);
  return async (message, caller) => {
    const output = await call(message, caller);
    return output instanceof JsonBody ? output.bytes : write(output);
  };
}

function callWithText(handler: TextHandler<Endpoint>) {
  return ({ text }: Message, caller: Caller) => handler.fromText(text, caller);
}

function callWithInput(definition: Endpoint, handler: Handler<Endpoint>) {
  const read = compileReader(definition.input);
  const parameters = [...definition.path.matchAll(/\{(\*?)(\w+)\}/g)].map(([, rest, name]) => ({
    name: name as string,
    param: rest === '*' ? '*' : (name as string),
  }));
  if (parameters.length > 0) {
    return (message: Message, caller: Caller) => {
      const given = { ...otherFields(message) };
      for (const { name, param } of parameters) given[name] = message.params[param];
      return handler(read(given), caller);
    };
  }
  return (message: Message, caller: Caller) => handler(readInput(definition, read, message), caller);
}

/** *MLflow reads GET requests from the query; where that is empty, from a JSON body.* */
function readInput<Input extends Endpoint['input']>(definition: Endpoint, read: ReadInput<Input>, message: Message) {
  const query = message.method === 'GET' || message.method === 'HEAD' ? queryOf(message) : '';
  return query === ''
    ? readJson(read, message.text)
    : readQuery(definition.input as Input, read, new URLSearchParams(query));
}

/** The fields that stand beside those in the path: in the body, or in the query where there is no body. */
function otherFields(message: Message): Record<string, unknown> {
  const parsed = message.text === '' ? undefined : parseJson(message.text);
  const fields = typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  return { ...Object.fromEntries(new URLSearchParams(queryOf(message))), ...fields };
}

function messageOf({ method, body, params, raw: { url = '' } }: FastifyRequest): Message {
  const text = typeof body === 'string' ? body : '';
  return { method, url, text, params: params as Record<string, string> };
}

function queryOf({ url }: Message): string {
  const mark = url.indexOf('?');
  return mark < 0 ? '' : url.slice(mark + 1);
}
