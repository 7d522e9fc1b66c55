import type { IncomingMessage } from 'node:http';

/**
 * The requests whose bodies are on their way. One that trickles in for too long is given up, so that slow senders cannot
 * pile up. One timer watches all: one each would cost more than the rest of a small request.
 */
export interface BodyWatch {
  begin(request: IncomingMessage): void;
  end(request: IncomingMessage): void;
  close(): void;
}

export const slowestBodyMs = 60_000;

export function createBodyWatch(): BodyWatch {
  const awaited = new Map<IncomingMessage, number>();
  const timer = setInterval(() => {
    const latestStart = performance.now() - slowestBodyMs;
    for (const [request, start] of awaited) {
      // They are in the order in which they began.
      if (start > latestStart && !request.destroyed) break;
      awaited.delete(request);
      request.destroy();
    }
  }, slowestBodyMs / 6).unref();
  return {
    begin: (request) => void awaited.set(request, performance.now()),
    end: (request) => void awaited.delete(request),
    close: () => clearInterval(timer),
  };
}
