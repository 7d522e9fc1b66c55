import { scrapeMetrics } from '@lazuli/contract';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Readiness } from '../telemetry/readiness.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Admission } from './admission.ts';

/** What machines ask about the server itself: balancers, clients that look for its version, monitoring systems. */
export interface ProbeRouteOptions {
  readonly version: string;
  readonly readiness: Pick<Readiness, 'hindrance'>;
  readonly telemetry: Pick<Telemetry, 'exposition'>;
  readonly admission: Admission;
}

/** Live as long as it answers, whatever the state of the database: restarting a server would not mend that. */
const livePaths = ['/health', '/health/live'];
const readyPath = '/health/ready';
const versionPath = '/version';

/** The paths that tell so little that anybody may ask, by any name of the server. */
export const openProbes: readonly string[] = [...livePaths, readyPath, versionPath];

export async function probeRoutes(app: FastifyInstance, options: ProbeRouteOptions): Promise<void> {
  const { version, readiness, telemetry, admission } = options;
  for (const path of livePaths) app.get(path, async (_request, reply) => sendText(reply, 'OK'));
  app.get(readyPath, async (_request, reply) => {
    const hindrance = await readiness.hindrance();
    return hindrance === undefined ? sendText(reply, 'OK') : sendText(reply.code(503), hindrance);
  });
  app.get(versionPath, async (_request, reply) => sendText(reply, version));
  app.get(scrapeMetrics.path, async (request, reply) => {
    await admission.admit(request, scrapeMetrics.actions, scrapeMetrics.scope);
    const { contentType, text } = await telemetry.exposition();
    return reply.type(contentType).send(text);
  });
}

function sendText(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('text/plain; charset=utf-8').send(text);
}
