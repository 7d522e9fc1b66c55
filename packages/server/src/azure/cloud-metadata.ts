import { ArmError } from './arm-error.ts';
import { route, type ArmRoute } from './arm-route.ts';

/**
 * The document by which clients learn a cloud's addresses. They ask it before they sign in, about ten times for one
 * `MLClient`, so it is made from the origin alone.
 */
export function cloudMetadataRoutes(origin: () => string): ArmRoute[] {
  return [
    route('GET', '/metadata/endpoints', 'anonymous', ({ query }) => ({
      body: cloudMetadata(origin(), query.get('api-version') ?? ''),
    })),
    route('GET', '/discovery', 'anonymous', () => ({
      body: Object.fromEntries(services.map((name) => [name, origin()])),
    })),
  ];
}

export const cloudName = 'LazuliCloud';

const services = ['api', 'history', 'experimentation', 'artifact', 'modelmanagement', 'modelregistry'] as const;

/** *Azure: one cloud in a list from 2019-05-01 to 2020-06-01, alone from 2022-09-01 on, and an older form before.* */
export function cloudMetadata(origin: string, version: string): unknown {
  if (version === '1.0' || version < '2019-05-01') {
    return {
      galleryEndpoint: origin,
      graphEndpoint: origin,
      portalEndpoint: portal,
      authentication: { loginEndpoint: origin, audiences: [origin] },
    };
  }
  if (version >= '2022-09-01') return cloud(origin, origin);
  if (version <= '2020-06-01') return [cloud(origin, passableLogin(origin))];
  throw new ArmError(
    400,
    'InvalidApiVersionParameter',
    `The api-version '${version}' is not one of this document's; 2019-05-01 and 2022-09-01 are.`,
  );
}

/** *azure-ai-ml makes a resource id of what follows the second dot of this host, so it has three labels.* */
const portal = 'https://portal.azure.local/';

function cloud(origin: string, loginEndpoint: string) {
  return {
    name: cloudName,
    portal,
    resourceManager: origin,
    authentication: { loginEndpoint, audiences: [origin], tenant: 'common', identityProvider: 'AAD' },
    graph: origin,
    graphAudience: origin,
    microsoftGraphResourceId: `${origin}/graph/`,
    gallery: origin,
    batch: origin,
    media: origin,
    sqlManagement: origin,
    vmImageAliasDoc: `${origin}/aliases.json`,
    activeDirectoryDataLake: origin,
    suffixes: {
      storage: 'core.local',
      keyVaultDns: 'vault.local',
      acrLoginServer: 'azurecr.local',
      sqlServerHostname: 'database.local',
      azureDataLakeStoreFileSystem: 'dls.local',
      azureDataLakeAnalyticsCatalogAndJob: 'dla.local',
      azureFrontDoorEndpointSuffix: 'fd.local',
    },
  };
}

/**
 * *azureml-mlflow drops the scheme and hands `host:port` to azure-identity, which reads a name before a colon as a
 * scheme.* With something before an `@` it is read as a host again.
 */
function passableLogin(origin: string): string {
  const { hostname, port } = new URL(origin);
  return port !== '' && /^[a-z]/i.test(hostname) ? origin.replace('://', '://x@') : origin;
}
