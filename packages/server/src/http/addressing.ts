import type { IncomingMessage } from 'node:http';

/**
 * Azure's form of an address, in front of what is asked for:
 * `/{service}/{version}/subscriptions/…/resourceGroups/…/providers/Microsoft.MachineLearningServices/workspaces/{name}`.
 * `mlflow` is MLflow's API as it stands behind it; other services (`history`, `artifact`) keep their name and version.
 *
 * It is read before routing and taken off, so that every endpoint is there under it and the hot lane knows its paths
 * again; what it said is remembered beside the request. *Azure compares all of it without regard to case, and some
 * clients send two slashes for one.*
 */
export interface Address {
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly name: string;
}

const pattern =
  /^\/+([a-z]+)\/+v(\d+\.\d+)\/+subscriptions\/+([^/?]+)\/+resourceGroups\/+([^/?]+)\/+providers\/+Microsoft\.MachineLearningServices\/+(?:workspaces|registries)\/+([^/?]+)(?=[/?]|$)/i;

const addresses = new WeakMap<IncomingMessage, Address | undefined>();

/** What the request's address said; undefined for MLflow's plain form. */
export function addressOf(request: IncomingMessage): Address | undefined {
  return addresses.get(request);
}

/** Takes the address off the request's URL, once, and gives what is left. */
export function takeAddress(request: IncomingMessage, staticPrefix: string): string {
  const url = request.url ?? '';
  if (addresses.has(request)) return url;
  const match = pattern.exec(url);
  const address = match === null ? undefined : readAddress(match);
  addresses.set(request, address);
  if (match === null || address === undefined) return url;
  const [prefix, service = '', version] = match;
  const rest = url.slice(prefix.length).replace(/^\/*/, '/');
  const name = service.toLowerCase();
  if (name === 'mlflow' && (version === '1.0' || version === '2.0')) request.url = staticPrefix + rest;
  else request.url = `${staticPrefix}/${name}/v${version}${rest}`;
  return request.url;
}

function readAddress([, , , subscriptionId = '', resourceGroup = '', name = '']: RegExpExecArray): Address | undefined {
  try {
    return {
      subscriptionId: decodeURIComponent(subscriptionId),
      resourceGroup: decodeURIComponent(resourceGroup),
      name: decodeURIComponent(name),
    };
  } catch {
    // Percent signs that stand for nothing name no workspace; the router says so.
    return undefined;
  }
}
