import type { Registry } from 'prom-client';
import { createCountedHistogram, type Series } from './counted-histogram.ts';

/**
 * How long requests took, by method, route and status. A route is the template of a path and never the path itself, so
 * that nobody can make the number of series grow by what they ask for.
 */
export interface RequestMeter {
  /** The same meter for the same method and template; `undefined` stands for every path that is no route. */
  route(method: string, template: string | undefined): RouteMeter;
}

export interface RouteMeter {
  answered(status: number, milliseconds: number): void;
}

export const requestSeconds = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 120,
] as const satisfies readonly number[];

/** What stands for the paths that are no route. */
export const unmatched = 'unmatched';

const knownMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

export function createRequestMeter(registry: Registry): RequestMeter {
  const histogram = createCountedHistogram(registry, {
    name: 'lazuli_http_request_duration_seconds',
    help: 'Time from the head of a request until its answer is written, by method, route and status.',
    buckets: requestSeconds,
  });
  const byTemplate = new Map<string | undefined, Map<string, RouteMeter>>();

  function newRoute(method: string, route: string): RouteMeter {
    const byStatus = new Map<number, Series>();
    return {
      answered(status, milliseconds) {
        let series = byStatus.get(status);
        if (series === undefined) {
          series = histogram.series({ method, route, status: String(status) });
          byStatus.set(status, series);
        }
        series.observe(milliseconds / 1000);
      },
    };
  }

  return {
    route(method, template) {
      let byMethod = byTemplate.get(template);
      if (byMethod === undefined) byTemplate.set(template, (byMethod = new Map<string, RouteMeter>()));
      const label = knownMethods.has(method) ? method : 'other';
      let route = byMethod.get(label);
      if (route === undefined) byMethod.set(label, (route = newRoute(label, template ?? unmatched)));
      return route;
    },
  };
}
