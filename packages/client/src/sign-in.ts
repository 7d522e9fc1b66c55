import { azureAuthorization } from './credentials/azure-authorization.ts';
import { connectDatabricks } from './databricks/databricks-connection.ts';
import type { Environment } from './environment.ts';
import type { SignedIn } from './tracking/platform.ts';
import type { AzureMlTrackingUri, DatabricksTrackingUri } from './tracking-uri.ts';

/** Who signs in where a tracking URI names a service and nothing else is said; sends nothing before the first request. */
export async function signIn(
  uri: AzureMlTrackingUri | DatabricksTrackingUri,
  environment: Environment,
  fetch: typeof globalThis.fetch,
): Promise<SignedIn> {
  if (uri.kind === 'azureml') return { authorization: azureAuthorization({ environment, fetch }) };
  const scheme = uri.unityCatalog ? 'databricks-uc' : 'databricks';
  return await connectDatabricks(uri.profile === undefined ? scheme : `${scheme}://${uri.profile}`, {
    environment,
    fetch,
  });
}
