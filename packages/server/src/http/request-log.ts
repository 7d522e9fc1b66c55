import type { FastifyBaseLogger } from 'fastify';
import type { Caller } from '../access/caller.ts';

export interface AnsweredRequest {
  readonly id: string;
  readonly method: string;
  /** As it was asked for; its query is left out, for it may hold what a user typed. */
  readonly url: string;
  readonly status: number;
  readonly ms: number;
  readonly caller: Caller | undefined;
}

/** One structured line a request. */
export function logRequest(logger: FastifyBaseLogger, { id, method, url, status, ms, caller }: AnsweredRequest): void {
  const query = url.indexOf('?');
  logger.info({
    reqId: id,
    method,
    path: query < 0 ? url : url.slice(0, query),
    status,
    ms: Math.round(ms * 100) / 100,
    principal: caller?.principal.name,
    workspace: caller?.workspace.name,
  });
}
