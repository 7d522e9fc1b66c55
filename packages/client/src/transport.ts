import { errorFromResponse, MlflowError } from '@lazuli/contract';

export interface TransportOptions {
  /** The server's base URL, with its static prefix where it has one: `http://127.0.0.1:5000`. */
  readonly url: string;
  /** An API token, sent as Bearer. */
  readonly token?: string;
  /** The workspace to address; without it, the server's default one. */
  readonly workspace?: string;
  /** What sends requests; default: the runtime's own `fetch`. */
  readonly fetch?: typeof fetch;
}

export interface Transport {
  /** Sends a request and gives the text of its answer. Rejects with an `MlflowError` for any status but 2xx. */
  send(method: string, pathAndQuery: string, body: string | undefined): Promise<string>;
}

export function createTransport({ url, token, workspace, fetch = globalThis.fetch }: TransportOptions): Transport {
  const base = url.replace(/\/+$/, '');
  const headers: Record<string, string> = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(workspace === undefined ? {} : { 'x-mlflow-workspace': workspace }),
  };
  return {
    async send(method, pathAndQuery, body) {
      let response: Response;
      try {
        response = await fetch(base + pathAndQuery, {
          method,
          headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
          ...(body === undefined ? {} : { body }),
        });
      } catch (cause) {
        throw new MlflowError('TEMPORARILY_UNAVAILABLE', `No answer from ${base}: ${reasonOf(cause)}`, { cause });
      }
      const text = await response.text();
      if (!response.ok)
        throw errorFromResponse(response.status, text, response.headers.get('x-request-id') ?? undefined);
      return text;
    },
  };
}

/** What kept a request from being answered: `fetch` hides it in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}
