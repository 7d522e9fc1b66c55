import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Lets a server that closes finish what is under way and nothing else. Node's own way has two gaps: an answer that is
 * written but still on its way to a slow reader counts as idle and is cut off, and a connection whose request is answered
 * while the server closes stays open until its keep-alive ends, which can take longer than a stop may.
 */
export function drainOnClose(server: Server): void {
  const newest = new Map<Socket, ServerResponse | undefined>();
  server.on('connection', (socket) => {
    newest.set(socket, undefined);
    socket.once('close', () => newest.delete(socket));
  });
  server.on('request', (request, response) => {
    newest.set(request.socket, response);
  });
  // What Node and the framework call when they close.
  server.closeIdleConnections = () => {
    for (const [socket, response] of newest) {
      if (response === undefined || response.writableFinished) {
        socket.destroySoon();
        continue;
      }
      if (!response.headersSent) response.setHeader('connection', 'close');
      response.once('finish', () => socket.destroySoon());
    }
  };
}
