import { createServer, type Server as TlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import type { Connections } from './connections.ts';

/**
 * HTTPS beside HTTP: a second listener in front of the same app. What it receives is handed over to the app's own server as
 * if it had come in there, so that hot lane, hooks, log and counters are the same for both.
 */
export interface TlsListener {
  /** 0 while it does not listen. */
  readonly port: number;
  listen(host: string, port: number): Promise<void>;
  /** For the connections that come from now on. */
  use(credentials: Credentials): void;
  /** Takes no more connections; settles when the last one has ended. */
  close(): Promise<void>;
}

/** What the listener answers with. */
export interface ListenerCredentials {
  readonly current: Credentials;
  /** Other credentials, which the name of a client's choice needs; undefined where the current ones will do. */
  readonly forName: (name: string) => Promise<Credentials | undefined>;
}

export interface Credentials {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
}

const handshakeMs = 10_000;

export function createTlsListener(
  app: FastifyInstance,
  connections: Connections,
  { current: { certificate, key }, forName }: ListenerCredentials,
  { connectionTimeout, ...options }: ServerOptions & { readonly connectionTimeout: number },
): TlsListener {
  const server: TlsServer = createServer({
    ...options,
    cert: certificate,
    key,
    minVersion: 'TLSv1.2',
    handshakeTimeout: handshakeMs,
    SNICallback(name, done) {
      forName(name).then(
        (other) =>
          done(null, other && createSecureContext({ cert: other.certificate, key: other.key, minVersion: 'TLSv1.2' })),
        (error: unknown) => {
          app.log.warn({ err: error, name }, 'no certificate could be made for a name');
          done(null);
        },
      );
    },
  });
  server.setTimeout(connectionTimeout);
  // *A client that has said all it wants to say still gets its answer*, as over HTTP.
  (server as TlsServer & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
  connections.watch(server, 'secureConnection');
  server.on('request', (request, response) => void app.server.emit('request', request, response));
  server.on('clientError', (error: Error & { readonly code?: string }, socket: Socket) => {
    connections.refuse(error, socket);
  });
  // Whoever breaks off while keys are agreed on has sent no request that could be answered.
  server.on('tlsClientError', (error, socket) => {
    app.log.debug({ err: error }, 'a TLS connection came to nothing');
    socket.destroy();
  });
  server.closeIdleConnections = () => connections.end();
  return {
    get port() {
      return (server.address() as AddressInfo | null)?.port ?? 0;
    },
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host, port, backlog: 1024 }, () => {
          server.off('error', reject);
          resolve();
        });
      }),
    use: (credentials) => server.setSecureContext({ cert: credentials.certificate, key: credentials.key }),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
