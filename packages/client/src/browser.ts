/**
 * The client for browsers, and for runtimes without files and processes: every endpoint, and runs that are handed around.
 * `const { setTrackingUri, startRun } = createTracking(browserPlatform())`.
 */
import { loadedModel, type LoadedModel, type LoadOptions } from './models/load-model.ts';
import type { Platform } from './tracking/platform.ts';
import { createTracking } from './tracking/tracking.ts';

export * from './surface.ts';

/** Nothing but `fetch`: no environment, no files, no run that surrounds a call. */
export function browserPlatform(): Platform {
  return { environment: () => ({}), warn: (message) => console.warn(message) };
}

const tracking = createTracking(browserPlatform());

export const {
  setTrackingUri,
  getTrackingUri,
  setRegistryUri,
  getRegistryUri,
  getClient,
  getRegistryClient,
  setExperiment,
  startRun,
  logModel,
  registerModel,
  searchRuns,
  flush,
} = tracking;

/** Loads an ONNX model; `options.runtime` is `await import('onnxruntime-web')`. */
export function loadModel(uri: string, options: LoadOptions): Promise<LoadedModel> {
  return loadedModel(uri, tracking.connections, options, undefined);
}
