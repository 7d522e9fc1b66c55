import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Server } from '@lazuli/client';
import { connect, hintForNobody, serverUrl } from './connection.ts';
import { CommandError } from './output.ts';
import type { Surroundings } from './surroundings.ts';
import { writeTrustFiles } from './trust-files.ts';

/** What a program needs in its environment to work with a workspace by `azureml://`, or by Azure's own clients. */
export interface ServerOptions {
  readonly url?: string;
  readonly workspaceName?: string;
  readonly dataDir?: string;
}

export interface ClientVariables {
  readonly server: Server;
  readonly variables: Readonly<Record<string, string>>;
  /** Whether a managed identity is among them. */
  readonly hasIdentity: boolean;
}

export async function readClientVariables(
  options: ServerOptions,
  surroundings: Surroundings,
): Promise<ClientVariables> {
  const server = await connect(options, surroundings);
  try {
    const found = await server.client.clientEnvironment.getClientEnvironment({});
    const secret = identitySecret(options, surroundings);
    const trust =
      found.ca_certificate === undefined
        ? undefined
        : writeTrustFiles(found.ca_certificate, serverUrl(options, surroundings), surroundings);
    return {
      server,
      hasIdentity: secret !== undefined,
      variables: {
        MLFLOW_TRACKING_URI: found.tracking_uri,
        AZUREML_CURRENT_CLOUD: found.cloud,
        ARM_CLOUD_METADATA_URL: found.cloud_metadata_url,
        ...(found.authority_host === undefined ? {} : { AZURE_AUTHORITY_HOST: found.authority_host }),
        ...(secret === undefined ? {} : { IDENTITY_ENDPOINT: found.identity_endpoint, IDENTITY_HEADER: secret }),
        ...(trust === undefined
          ? {}
          : { REQUESTS_CA_BUNDLE: trust.bundle, SSL_CERT_FILE: trust.bundle, NODE_EXTRA_CA_CERTS: trust.authority }),
      },
    };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const url = serverUrl(options, surroundings);
    const message = `${url} did not say how it is reached: ${error.message}${hintForNobody(error)}`;
    throw new CommandError(1, message, { cause: error });
  }
}

/** Whoever can read the data directory of a server on this machine may use its managed identity. */
function identitySecret(
  { dataDir = './lazuli-data' }: ServerOptions,
  { workingDir }: Surroundings,
): string | undefined {
  try {
    return readFileSync(join(resolve(workingDir, dataDir), 'identity', 'managed-identity.secret'), 'utf8').trim();
  } catch {
    return undefined;
  }
}
