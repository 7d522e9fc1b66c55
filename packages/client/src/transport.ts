import { errorFromResponse, MlflowError } from '@lazuli/contract';
import { isLoopback } from './loopback.ts';
import { failureCode, isTransientFailure, isTransientStatus, waitBefore, type RetryPolicy } from './retry-policy.ts';

/** Where the `Authorization` header comes from: asked before each request, so it caches what is expensive to get. */
export interface AuthorizationSource {
  /** The header's value for a request to `target`, or nothing where none is meant for that address. */
  header(target: URL, options: { readonly signal?: AbortSignal }): Promise<string | undefined>;
}

export interface CallOptions {
  /** Gives the call up, with its repetitions; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface TransportOptions {
  /** The server's base URL, with its static prefix where it has one: `http://127.0.0.1:5000`. */
  readonly url: string;
  /** An API token, sent as Bearer. */
  readonly token?: string;
  /** What proves who calls, where it is not a fixed token. */
  readonly authorization?: AuthorizationSource;
  /** The workspace to address; without it, the server's default one. */
  readonly workspace?: string;
  /** What sends requests; default: the runtime's own `fetch`. */
  readonly fetch?: typeof fetch;
  /** When a failed request is sent again; default: as MLflow's client does, for about four minutes. */
  readonly retries?: RetryPolicy;
  /** Seconds that one try may take; default 120. */
  readonly timeout?: number;
  /**
   * Whether long bodies of JSON go compressed. `offered`, the default: once the server has said that it takes them so (RFC 9110
   * section 12.5.3), and unless it is on this machine, where nothing would be gained. `never`: as they are.
   */
  readonly compression?: 'offered' | 'never';
}

export interface ExchangeOptions extends CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Blob | Uint8Array<ArrayBuffer>;
  /** Statuses beside 2xx that the caller knows how to take. */
  readonly accept?: readonly number[];
  /** Signed URLs carry their proof: they get no `Authorization`. */
  readonly signed?: 'by URL';
}

export interface Transport {
  /** The base URL, without a slash at its end. */
  readonly url: string;
  /** Sends a request and gives the text of its answer. Rejects with an `MlflowError` for any status but 2xx. */
  send(method: string, pathAndQuery: string, body: string | undefined, options?: CallOptions): Promise<string>;
  /**
   * Sends a request to a whole URL and gives the answer, whose body the caller reads; the time limit ends with the answer's
   * head. Rejects with an `MlflowError` for any status but 2xx.
   */
  exchange(method: string, url: string, options?: ExchangeOptions): Promise<Response>;
}

export function createTransport(options: TransportOptions): Transport {
  const { token, workspace, retries = {}, timeout = 120, compression = 'offered' } = options;
  const url = options.url.replace(/\/+$/, '');
  const authorization = options.authorization ?? (token === undefined ? undefined : bearer(token));
  const common = workspace === undefined ? {} : { 'x-mlflow-workspace': workspace };
  let takesGzip = false;

  /** One try: the answer, or the error that it stands for and whether another try may help. */
  async function attempt<T>(
    method: string,
    target: URL,
    { headers, body, accept = [], signed, signal }: ExchangeOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<{ answer: T } | Failure> {
    const given =
      signed === undefined ? await authorization?.header(target, signal === undefined ? {} : { signal }) : undefined;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(new DOMException('late', 'TimeoutError')), timeout * 1000);
    try {
      const response = await (options.fetch ?? globalThis.fetch)(target.href, {
        method,
        headers: {
          ...(signed === undefined ? common : {}),
          ...(given === undefined ? {} : { authorization: given }),
          ...headers,
        },
        ...(body === undefined ? {} : { body }),
        signal: signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]),
      });
      if (compression === 'offered') takesGzip ||= offersGzip(response, target);
      if (response.ok || accept.includes(response.status)) return { answer: await read(response) };
      const requestId = response.headers.get('x-request-id') ?? response.headers.get('x-ms-request-id') ?? undefined;
      return {
        error: errorFromResponse(response.status, await response.text(), requestId),
        isTransient: isTransientStatus(response.status),
        retryAfter: response.headers.get('retry-after') ?? undefined,
      };
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof MlflowError) throw cause;
      const why = limit.signal.aborted ? `nothing came within ${timeout} s` : reasonOf(cause);
      const message = `No answer from ${target.origin}: ${why}`;
      return {
        error: new MlflowError('TEMPORARILY_UNAVAILABLE', message + adviceOn(cause), { cause }),
        isTransient: isTransientFailure(cause),
        retryAfter: undefined,
      };
    } finally {
      clearTimeout(timer);
    }
  }

  async function withRepetitions<T>(
    method: string,
    target: string,
    exchange: ExchangeOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const { maxRetries = 7 } = retries;
    const { signal } = exchange;
    for (let repetition = 1; ; repetition++) {
      signal?.throwIfAborted();
      const result = await attempt(method, new URL(target), exchange, read);
      if ('answer' in result) return result.answer;
      if (!result.isTransient || repetition > maxRetries) throw result.error;
      await pause(waitBefore(repetition, retries, result.retryAfter), signal);
    }
  }

  return {
    url,
    async send(method, pathAndQuery, body, callOptions) {
      const send = (given: ExchangeOptions): Promise<string> =>
        withRepetitions(method, url + pathAndQuery, { ...given, ...callOptions }, (response) => response.text());
      if (body === undefined) return send({});
      const headers = { 'content-type': 'application/json' };
      if (takesGzip && body.length >= compressedFrom) {
        try {
          return await send({ body: await gzip(body), headers: { ...headers, 'content-encoding': 'gzip' } });
        } catch (error) {
          if (!(error instanceof MlflowError && (error.status === 400 || error.status === 415))) throw error;
          // Another server may have taken the place of the one that offered it: what it refuses plain is refused.
          takesGzip = false;
        }
      }
      return send({ body, headers });
    },
    exchange: (method, target, exchange = {}) =>
      withRepetitions(method, target, exchange, (response) => Promise.resolve(response)),
  };
}

interface Failure {
  readonly error: MlflowError;
  readonly isTransient: boolean;
  readonly retryAfter: string | undefined;
}

/** Characters. */
const compressedFrom = 16 * 1024;

function offersGzip({ ok, headers }: Response, { hostname }: URL): boolean {
  const isOffered = ok && /\bgzip\b/i.test(headers.get('accept-encoding') ?? '');
  return isOffered && !isLoopback(hostname) && typeof CompressionStream === 'function';
}

async function gzip(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const compressed = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(compressed).arrayBuffer());
}

function bearer(token: string): AuthorizationSource {
  return { header: async () => `Bearer ${token}` };
}

/** Waits, unless the call is given up. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', end);
      resolve();
    }, ms);
    signal?.addEventListener('abort', end, { once: true });
  });
}

/** What kept a request from being answered: `fetch` hides it in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}

function adviceOn(error: unknown): string {
  const code = failureCode(error) ?? '';
  if (/SELF_SIGNED|UNABLE_TO_(?:GET_ISSUER|VERIFY)/.test(code)) {
    return '. Give the certificate of its authority in MLFLOW_TRACKING_SERVER_CERT_PATH or NODE_EXTRA_CA_CERTS.';
  }
  if (code === 'ENOTFOUND') return '. Look at the host in the tracking URI.';
  return '';
}
