import http from 'node:http';
import https from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { objectOf, type JsonAnswer } from './authority.ts';

/**
 * Requests to services of this machine. They go past every proxy, because a proxy would ask its own machine, and may go
 * to a server whose certificate is known by its thumbprint alone.
 */
export interface DirectRequest {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** SHA-1 thumbprint that the server's certificate has to have, in place of a trusted issuer. */
  readonly thumbprint?: string | undefined;
}

export interface DirectAnswer extends JsonAnswer {
  readonly headers: http.IncomingHttpHeaders;
}

export async function requestDirectly(url: URL, request: DirectRequest): Promise<DirectAnswer> {
  const { method = 'GET', headers = {}, form, signal, thumbprint } = request;
  const socket = thumbprint === undefined ? undefined : await socketOf(url, thumbprint, signal);
  const payload = form === undefined ? undefined : new URLSearchParams(form).toString();
  return await new Promise((resolve, reject) => {
    const { Agent, request: send } = url.protocol === 'https:' ? https : http;
    const sent = send(url, {
      method,
      headers: {
        ...headers,
        ...(payload === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      signal,
      // One of its own: the global one may lead through a proxy.
      agent: new Agent(),
      ...(socket === undefined ? {} : { createConnection: () => socket }),
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const body = objectOf(Buffer.concat(chunks).toString('utf8'));
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    });
    sent.end(payload);
  });
}

/** A connection to exactly that server, before anything secret is sent. */
async function socketOf(url: URL, thumbprint: string, signal: AbortSignal): Promise<TLSSocket> {
  return await new Promise((resolve, reject) => {
    const socket = connect({
      host: url.hostname,
      port: url.port === '' ? 443 : Number(url.port),
      rejectUnauthorized: false,
    });
    signal.addEventListener('abort', () => socket.destroy(signal.reason as Error), { once: true });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      const presented = socket.getPeerCertificate().fingerprint.replaceAll(':', '');
      if (presented.toLowerCase() === thumbprint.toLowerCase()) resolve(socket);
      else socket.destroy(new Error(`its certificate has the thumbprint ${presented}`));
    });
  });
}
