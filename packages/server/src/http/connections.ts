import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { MlflowError } from '@lazuli/contract';
import type { ConnectionCounts } from '../telemetry/telemetry.ts';

/**
 * What happens on a connection outside of a request: its end when the server closes, and bytes that are no request.
 *
 * A server that closes finishes what is under way and nothing else. Node's own way has two gaps: an answer that is written
 * but still on its way to a slow reader counts as idle and is cut off, and a connection whose request is answered while
 * the server closes stays open until its keep-alive ends, which is longer than a stop may take.
 */
export interface Connections {
  /** Ends those on which nothing is under way, and the others as soon as their answer is out. */
  end(): void;
  /** Answers what cannot be read as a request, and closes: nobody knows where the next request would begin. */
  refuse(error: Error & { readonly code?: string }, socket: Socket): void;
  count(): ConnectionCounts;
  /** Has an eye on the connections of one more server. */
  watch(server: Server | TlsServer, event: 'connection' | 'secureConnection'): void;
}

/** Sent with every answer. *MLflow sends the same two.* */
export const safetyHeaders = { 'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN' } as const;

export function watchConnections(server: Server): Connections {
  const newest = new Map<Socket, ServerResponse | undefined>();
  /** Bytes of connections that are closed. */
  const gone = { received: 0, sent: 0 };
  function watch(watched: Server | TlsServer, event: 'connection' | 'secureConnection'): void {
    watched.on(event, (socket: Socket) => {
      newest.set(socket, undefined);
      socket.once('close', () => {
        newest.delete(socket);
        gone.received += socket.bytesRead;
        gone.sent += socket.bytesWritten;
      });
    });
  }
  watch(server, 'connection');
  server.on('request', (request: IncomingMessage, response) => {
    newest.set(request.socket, response);
  });

  function underWay(socket: Socket): ServerResponse | undefined {
    const response = newest.get(socket);
    return response?.writableFinished === false ? response : undefined;
  }

  return {
    watch,

    end() {
      for (const socket of newest.keys()) {
        const response = underWay(socket);
        if (response === undefined) {
          socket.destroySoon();
          continue;
        }
        if (!response.headersSent) response.setHeader('connection', 'close');
        response.once('finish', () => socket.destroySoon());
      }
    },

    refuse({ code }, socket) {
      const response = underWay(socket);
      if (response?.req.complete === true) {
        // The fault lies behind a request that is whole: its answer comes first.
        response.once('finish', () => socket.destroySoon());
        return;
      }
      if (code !== 'ECONNRESET' && socket.writable && response?.headersSent !== true) socket.write(refusalOf(code));
      socket.destroySoon();
    },

    count() {
      let answering = 0;
      let { received, sent } = gone;
      for (const socket of newest.keys()) {
        if (underWay(socket) !== undefined) answering += 1;
        received += socket.bytesRead;
        sent += socket.bytesWritten;
      }
      return { open: newest.size, answering, received, sent };
    },
  };
}

function refusalOf(code: string | undefined): string {
  const [status, message] = reasons[code ?? ''] ?? [400, 'The request is not HTTP as this server reads it.'];
  const body = JSON.stringify(new MlflowError('BAD_REQUEST', message, { status }));
  const headers = Object.entries({
    ...safetyHeaders,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${headers.join('')}\r\n${body}`;
}

const reasons: Readonly<Record<string, readonly [status: number, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'The path and the headers of the request are longer than this server takes.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request came too slowly.'],
};
