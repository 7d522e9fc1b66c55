import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import tls from 'node:tls';
import type { Environment, TlsFiles } from '../environment.ts';
import { proxyFor } from './proxy.ts';
import { usualAuthorities } from './usual-authorities.ts';

/**
 * `fetch` through a proxy, with authorities and certificates of one's own. The runtime's own `fetch` takes neither without
 * the library that it is made of; `node:https` does, so requests go that way where one of these is asked for, and only
 * there.
 */
export function fetchWith(files: TlsFiles, environment: Environment): typeof fetch {
  const hasOwnTls = files.isInsecure || files.authorities !== undefined || files.clientCertificate !== undefined;
  let viaSockets: typeof fetch | undefined;
  return (input, init) => {
    const target = new URL(input instanceof Request ? input.url : input);
    if (!hasOwnTls && proxyFor(target, environment) === undefined) return globalThis.fetch(input, init);
    viaSockets ??= socketFetch(secureContext(files, environment), (url) => proxyFor(url, environment));
    return viaSockets(input, init);
  };
}

function secureContext(
  { authorities, clientCertificate, isInsecure }: TlsFiles,
  environment: Environment,
): tls.SecureContextOptions & { rejectUnauthorized: boolean } {
  const pem = clientCertificate === undefined ? undefined : readFileSync(clientCertificate, 'utf8');
  return {
    rejectUnauthorized: !isInsecure,
    ...(authorities === undefined ? {} : { ca: [...usualAuthorities(environment), readFileSync(authorities, 'utf8')] }),
    ...(pem === undefined ? {} : { cert: pem, key: pem }),
  };
}

type Secure = ReturnType<typeof secureContext>;

function socketFetch(secure: Secure, proxyOf: (target: URL) => URL | undefined): typeof fetch {
  const plain = new http.Agent({ keepAlive: true });
  const direct = new https.Agent({ keepAlive: true, ...secure });
  const tunnels = new Map<string, https.Agent>();
  const tunnelThrough = (proxy: URL): https.Agent => {
    let agent = tunnels.get(proxy.href);
    if (agent === undefined) tunnels.set(proxy.href, (agent = tunnelAgent(proxy, secure)));
    return agent;
  };

  const send = async (target: URL, init: RequestInit, redirects: number): Promise<Response> => {
    const { body, length, type } = payloadOf(init.body);
    const headers = new Headers(init.headers);
    if (length !== undefined) headers.set('content-length', String(length));
    if (type !== '' && !headers.has('content-type')) headers.set('content-type', type);
    const proxy = proxyOf(target);
    const isSecure = target.protocol === 'https:';
    if (proxy !== undefined && !isSecure) withProxyAuthorization(proxy, (name, value) => headers.set(name, value));
    const to = proxy !== undefined && !isSecure ? proxy : target;
    const options: https.RequestOptions = {
      method: init.method ?? 'GET',
      headers: { host: target.host, ...Object.fromEntries(headers) },
      hostname: to.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: to.port,
      path: to === proxy ? target.href : target.pathname + target.search,
      ...(init.signal ? { signal: init.signal } : {}),
      agent: !isSecure
        ? to.protocol === 'https:'
          ? direct
          : plain
        : proxy === undefined
          ? direct
          : tunnelThrough(proxy),
    };
    const incoming = await exchange(to.protocol === 'https:' ? https.request(options) : http.request(options), body);
    const status = incoming.statusCode ?? 0;
    const { location } = incoming.headers;
    if (location !== undefined && [301, 302, 303, 307, 308].includes(status) && init.redirect !== 'manual') {
      incoming.resume();
      if (redirects === 0) throw new TypeError('redirect count exceeded');
      const next = new URL(location, target);
      if (next.origin !== target.origin) headers.delete('authorization');
      const keepsMethod = status >= 307 || ['GET', 'HEAD'].includes(options.method ?? '');
      if (!keepsMethod) for (const name of ['content-length', 'content-type']) headers.delete(name);
      return send(next, { ...init, headers, ...(keepsMethod ? {} : { method: 'GET', body: null }) }, redirects - 1);
    }
    const answer = Object.entries(incoming.headers).flatMap(([name, values]) =>
      [values ?? []].flat().map((value): [string, string] => [name, value]),
    );
    const isEmpty = [204, 205, 304].includes(status) || options.method === 'HEAD';
    if (isEmpty) incoming.resume();
    return new Response(isEmpty ? null : (Readable.toWeb(incoming) as ReadableStream<Uint8Array<ArrayBuffer>>), {
      status,
      statusText: incoming.statusMessage ?? '',
      headers: answer,
    });
  };
  return async (input, init = {}) => {
    if (input instanceof Request) {
      throw new TypeError('Through a proxy, or with certificates of your own, give a URL instead of a Request.');
    }
    return send(new URL(input), init, 20);
  };
}

interface Payload {
  readonly body: Readable | Uint8Array | string | undefined;
  /** Bytes; absent where only the end will tell. */
  readonly length?: number;
  readonly type: string;
}

function payloadOf(body: RequestInit['body']): Payload {
  if (body === undefined || body === null) return { body: undefined, type: '' };
  if (typeof body === 'string') return { body, length: Buffer.byteLength(body), type: 'text/plain;charset=UTF-8' };
  if (body instanceof URLSearchParams) {
    const text = body.toString();
    return { body: text, length: text.length, type: 'application/x-www-form-urlencoded;charset=UTF-8' };
  }
  if (body instanceof Uint8Array) return { body, length: body.byteLength, type: '' };
  if (body instanceof Blob) {
    return { body: Readable.fromWeb(body.stream() as never), length: body.size, type: body.type };
  }
  throw new TypeError('Through a proxy, or with certificates of your own, a body is text, bytes or a Blob.');
}

function exchange(request: http.ClientRequest, body: Payload['body']): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject);
    if (body instanceof Readable) pipeline(body, request).catch(reject);
    else request.end(body);
  });
}

function withProxyAuthorization(proxy: URL, set: (name: string, value: string) => void): void {
  if (proxy.username === '') return;
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  set('proxy-authorization', `Basic ${Buffer.from(credentials).toString('base64')}`);
}

/** An agent whose connections lead through a proxy: it asks for a tunnel and speaks TLS with the server within. */
function tunnelAgent(proxy: URL, secure: Secure): https.Agent {
  const agent = new https.Agent({ keepAlive: true });
  agent.createConnection = (options, callback) => {
    const { host, port, servername } = options as { host?: string; port?: number | string; servername?: string };
    const target = `${host?.includes(':') ? `[${host}]` : (host ?? '')}:${port || 443}`;
    const headers: Record<string, string> = { host: target };
    withProxyAuthorization(proxy, (name, value) => (headers[name] = value));
    const { request } = proxy.protocol === 'https:' ? https : http;
    const asking = request({
      method: 'CONNECT',
      hostname: proxy.hostname,
      port: proxy.port,
      path: target,
      headers,
      agent: false,
      ...(proxy.protocol === 'https:' ? secure : {}),
    });
    const done = callback as (error: Error | null, socket?: Duplex) => void;
    asking.on('error', done);
    asking.on('connect', ({ statusCode = 0 }, socket) => {
      if (statusCode !== 200) {
        socket.destroy();
        done(new Error(`the proxy ${proxy.host} answered ${statusCode} to CONNECT`));
        return;
      }
      done(null, tls.connect({ ...secure, socket, ...(servername ? { servername } : { host: host ?? '' }) }));
    });
    asking.end();
    return undefined;
  };
  return agent;
}
