import { invalidParameter, MlflowError } from '@lazuli/contract';
import { postForm, readTokenAnswer, refusal } from '../credentials/authority.ts';
import { azureCliCredential, azureCredential, clientSecretCredential } from '../credentials/azure-credential.ts';
import { cachedCredential } from '../credentials/cached-credential.ts';
import { resolveCloud } from '../credentials/clouds.ts';
import type { TokenCredential } from '../credentials/credential.ts';
import { createSignInContext, type SignInContext, type SignInOptions } from '../credentials/sign-in-context.ts';
import { parseTrackingUri } from '../tracking-uri.ts';
import type { AuthorizationSource } from '../transport.ts';
import { databricksSettings, type DatabricksSettings } from './databricks-settings.ts';

/** A workspace of Databricks as options of `createClient`: its address and what proves who calls. */
export interface DatabricksConnection {
  readonly url: string;
  readonly authorization: AuthorizationSource;
}

/**
 * Finds out which workspace `databricks` or `databricks://{profile}` means, from the environment and `~/.databrickscfg`.
 * Sends nothing: a token is asked for with the first request, and goes to that workspace alone.
 */
export async function connectDatabricks(
  uri = 'databricks',
  options: SignInOptions = {},
): Promise<DatabricksConnection> {
  const parsed = parseTrackingUri(uri);
  if (parsed.kind !== 'databricks') throw invalidParameter(`'${uri}' is not databricks or databricks://{profile}.`);
  if (parsed.unityCatalog) {
    throw invalidParameter(
      `Unity Catalog's registry ('${uri}') has an interface of its own, which this client does not speak. Use the registry of the workspace: databricks.`,
    );
  }
  const context = createSignInContext(options);
  const settings = await databricksSettings(parsed.profile, context.environment);
  const header = headerOf(settings, options, context);
  return {
    url: settings.host,
    authorization: {
      async header(target, { signal }) {
        if (target.origin !== settings.host)
          throw new MlflowError(
            'PERMISSION_DENIED',
            `What signs in to ${settings.host} is not sent to ${target.host}.`,
          );
        return await header(signal);
      },
    },
  };
}

type Header = (signal: AbortSignal | undefined) => Promise<string>;

/** *Databricks tries a token, OAuth, a password, and then Azure's ways.* */
function headerOf(settings: DatabricksSettings, options: SignInOptions, context: SignInContext): Header {
  const { token, clientId, clientSecret, username, password, azure, authType, host } = settings;
  const isWanted = (type: string): boolean => authType === undefined || authType === type;
  if (token !== undefined && isWanted('pat')) {
    context.log.hide(token);
    return async () => `Bearer ${token}`;
  }
  if (clientId !== undefined && clientSecret !== undefined && isWanted('oauth-m2m'))
    return bearer(machineCredential(host, { clientId, clientSecret }, context), 'all-apis');
  if (username !== undefined && password !== undefined && isWanted('basic')) {
    const proof = Buffer.from(`${username}:${password}`).toString('base64');
    context.log.hide(proof);
    return async () => `Basic ${proof}`;
  }
  const { tenantId } = azure;
  if (
    azure.clientId !== undefined &&
    azure.clientSecret !== undefined &&
    tenantId !== undefined &&
    isWanted('azure-client-secret')
  ) {
    const application = { tenantId, clientId: azure.clientId, clientSecret: azure.clientSecret };
    return azureBearer(
      async (authorityHost) => clientSecretCredential({ ...options, ...application, authorityHost }),
      context,
    );
  }
  if (authType === 'azure-cli') return azureBearer(async () => azureCliCredential({ ...options, tenantId }), context);
  if (authType === undefined && isOfAzure(host)) return azureBearer(async () => azureCredential(options), context);
  const asked = authType === undefined ? '' : ` by ${authType}`;
  throw new MlflowError(
    'UNAUTHENTICATED',
    `Nothing signs in to ${host}${asked}: set DATABRICKS_TOKEN, or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET, or give the profile token, or client_id and client_secret.`,
  );
}

/** *OAuth machine-to-machine: the service principal's secret travels as Basic.* */
function machineCredential(
  host: string,
  { clientId, clientSecret }: { clientId: string; clientSecret: string },
  context: SignInContext,
): TokenCredential {
  const proof = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString('base64');
  for (const secret of [clientSecret, proof]) context.log.hide(secret);
  const url = `${host}/oidc/v1/token`;
  return cachedCredential(
    async (scope, signal) => {
      context.log.debug(`POST ${url} for ${clientId}`);
      const headers = { authorization: `Basic ${proof}` };
      const answer = await postForm(url, { grant_type: 'client_credentials', scope }, context, signal, headers);
      if (answer.status !== 200) throw refusal(url, answer, context);
      return readTokenAnswer(url, answer.body, context);
    },
    context,
    { key: `databricks ${host} ${clientId}` },
  );
}

/** *Microsoft: the application that is Databricks, the same in every cloud.* */
const databricksScope = '2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default';

function azureBearer(
  create: (authorityHost: string) => Promise<TokenCredential>,
  { environment, fetch }: SignInContext,
): Header {
  let header: Promise<Header> | undefined;
  const open = async (): Promise<Header> => {
    const { login } = await resolveCloud({ environment, fetch });
    return bearer(await create(environment['AZURE_AUTHORITY_HOST'] ?? login), databricksScope);
  };
  return async (signal) => {
    header ??= open();
    return await (
      await header
    )(signal);
  };
}

function bearer(credential: TokenCredential, scope: string): Header {
  return async (signal) => {
    const token = await credential.getToken(scope, signal === undefined ? {} : { abortSignal: signal });
    if (token === null) throw new MlflowError('UNAUTHENTICATED', `The credential has no token for ${scope}.`);
    return `Bearer ${token.token}`;
  };
}

function isOfAzure(host: string): boolean {
  return /\.(azuredatabricks\.net|databricks\.azure\.(us|cn))$/.test(new URL(host).hostname);
}
