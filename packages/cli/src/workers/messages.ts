import type { MetricsSnapshot } from '@lazuli/server';

/**
 * What the primary and its workers say to each other. Scrapes reach a worker, which knows nobody but the primary: it
 * gathers, the primary asks the others for their snapshots, they report, and what came in time is gathered.
 */
export type FromWorker =
  | { readonly kind: 'listening'; readonly urls: readonly string[] }
  | { readonly kind: 'gather'; readonly question: number }
  | { readonly kind: 'report'; readonly question: number; readonly snapshot: MetricsSnapshot };

export type FromPrimary =
  | { readonly kind: 'report'; readonly question: number }
  | { readonly kind: 'gathered'; readonly question: number; readonly snapshots: readonly MetricsSnapshot[] };
