import { invalidParameter } from '@lazuli/contract';
import type { TrackingUri } from '../tracking-uri.ts';
import type { Transport } from '../transport.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { azureStore } from './azure-store.ts';
import { proxiedStore, type TransferSettings } from './proxied-store.ts';

/** The store that an artifact URI names, as the server of `tracking` gives access to it. */
export function storeFor(
  uri: string,
  tracking: TrackingUri,
  transport: Transport,
  settings: TransferSettings,
  localStore?: (uri: string) => ArtifactStore,
): ArtifactStore {
  if (/^azureml:/i.test(uri)) {
    if (tracking.kind === 'azureml') return azureStore(transport, tracking, uri, settings.digestOf);
    throw invalidParameter(
      `The artifacts at '${uri}' belong to an Azure ML workspace; set its tracking URI to reach them.`,
    );
  }
  const path = proxiedPath(uri, transport.url);
  if (path !== undefined) return proxiedStore(transport, path, settings);
  if (isLocal(uri)) {
    if (localStore !== undefined) return localStore(uri);
    throw invalidParameter(`The artifacts at '${uri}' are files, and there are none here.`);
  }
  throw invalidParameter(
    `The server does not serve the artifacts at '${uri}' itself. Start it with --serve-artifacts, or give the experiment an artifact location that begins with mlflow-artifacts:.`,
  );
}

/** A `file:` URI, or a path: a scheme has more than the one letter of a drive. */
function isLocal(uri: string): boolean {
  return /^file:/i.test(uri) || !/^[a-z][a-z\d+.-]+:/i.test(uri);
}

/** The path below the proxy, for `mlflow-artifacts:/…` and for the proxy's own http(s) address. */
function proxiedPath(uri: string, base: string): string | undefined {
  const proxied = /^mlflow-artifacts:(?:\/\/([^/]*))?\/?(.*)$/i.exec(uri);
  if (proxied !== null) {
    const [, host = '', path = ''] = proxied;
    if (host !== '' && host !== new URL(base).host) {
      throw invalidParameter(
        `The artifacts at '${uri}' are served by another host than ${base}; it gets no credentials.`,
      );
    }
    return path.replace(/\/+$/, '');
  }
  const before = `${base}/api/2.0/mlflow-artifacts/artifacts/`;
  return uri.startsWith(before) ? uri.slice(before.length) : undefined;
}
