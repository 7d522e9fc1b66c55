import { dualTracking, type DualTrackingOptions } from '../dual-tracking/dual-tracking.ts';
import { connect, type Connection, type ConnectOptions } from './connection.ts';
import type { Platform } from './platform.ts';

/** A store by its tracking URI, with options where it needs some. */
export type StoreAddress = string | (ConnectOptions & { readonly uri: string });

/** Two tracking URIs in place of one; see `dualTracking`. */
export interface DualTrackingUris extends Pick<DualTrackingOptions, 'onSecondaryFailure' | 'registry'> {
  /** Answers come from here: `databricks`. */
  readonly primary: StoreAddress;
  /** `azureml://…` */
  readonly secondary: StoreAddress;
}

const secondsAtExit = 60;

/** Connects to both; sends nothing but what signing in needs. */
export async function connectBoth(uris: DualTrackingUris, platform: Platform): Promise<Connection> {
  const [primary, secondary] = await Promise.all([
    connectTo(uris.primary, platform),
    connectTo(uris.secondary, platform),
  ]);
  const dual = dualTracking({ ...uris, primary, secondary, warn: platform.warn });
  if (uris.onSecondaryFailure === 'queue') {
    const flushWithin = (seconds: number): Promise<void> => dual.flush(AbortSignal.timeout(seconds * 1000));
    const forget = platform.atExit?.({
      finish: () => flushWithin(secondsAtExit).finally(() => forget?.()),
      kill: () => flushWithin(4),
      abandon: () => (dual.pending() > 0 ? `${dual.pending()} calls did not reach ${secondary.address}.` : undefined),
    });
  }
  return {
    ...primary,
    client: dual.client,
    artifactsAt: dual.artifactsAt,
    // Each store is told its own.
    experimentName: (name) => name,
    flush: (signal) => dual.flush(signal),
  };
}

function connectTo(store: StoreAddress, platform: Platform): Promise<Connection> {
  const { uri, ...options } = typeof store === 'string' ? { uri: store } : store;
  return connect(uri, options, platform);
}

/** The URI that stands for a place: of two, the one that answers. */
export function addressOf(place: string | DualTrackingUris): string {
  if (typeof place === 'string') return place;
  return typeof place.primary === 'string' ? place.primary : place.primary.uri;
}
