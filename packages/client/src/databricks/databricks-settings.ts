import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { invalidParameter, MlflowError } from '@lazuli/contract';
import { secureUrl } from '../credentials/authority.ts';
import type { Environment } from '../credentials/sign-in-context.ts';
import { parseConfigFile, type Profile } from './config-file.ts';

/** A workspace of Databricks and what is known of who signs in there. */
export interface DatabricksSettings {
  /** `https://adb-1.2.azuredatabricks.net`, without a slash at its end. */
  readonly host: string;
  readonly token?: string | undefined;
  readonly clientId?: string | undefined;
  readonly clientSecret?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly azure: {
    readonly tenantId?: string | undefined;
    readonly clientId?: string | undefined;
    readonly clientSecret?: string | undefined;
  };
  /** *Which of the ways it has to be, where more than one would do: pat, oauth-m2m, basic, azure-client-secret, azure-cli.* */
  readonly authType?: string | undefined;
}

/**
 * *Databricks: without a profile in the URI the environment comes first, then the profile that DATABRICKS_CONFIG_PROFILE
 * names, then DEFAULT. A profile that is named skips the environment.*
 */
export async function databricksSettings(
  profile: string | undefined,
  environment: Environment,
): Promise<DatabricksSettings> {
  if (profile?.includes(':') === true) {
    throw invalidParameter(
      `'databricks://${profile}' names a secret scope, which only Databricks' own notebooks can read. Use databricks://{profile}, or databricks with DATABRICKS_HOST and DATABRICKS_TOKEN.`,
    );
  }
  if (profile === undefined && environment['DATABRICKS_HOST']) return ofEnvironment(environment);
  const name = profile ?? (environment['DATABRICKS_CONFIG_PROFILE'] || 'DEFAULT');
  const file = configFileOf(environment);
  const found = parseConfigFile(await readConfigFile(file)).get(name);
  if (found?.['host']) return ofProfile(found);
  const what = found === undefined ? `has no profile '${name}'` : `names no host in the profile '${name}'`;
  throw new MlflowError(
    'UNAUTHENTICATED',
    `${file} ${what}. Run 'databricks configure --profile ${name}'${profile === undefined ? ', or set DATABRICKS_HOST and DATABRICKS_TOKEN' : ''}.`,
  );
}

function configFileOf(environment: Environment): string {
  const home = environment['HOME'] ?? environment['USERPROFILE'] ?? homedir();
  const named = environment['DATABRICKS_CONFIG_FILE'];
  return named ? named.replace(/^~(?=[/\\])/, home) : join(home, '.databrickscfg');
}

async function readConfigFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw new MlflowError('UNAUTHENTICATED', `${file} cannot be read: ${String(cause)}`, { cause });
  }
}

function ofEnvironment(environment: Environment): DatabricksSettings {
  const of = (name: string): string | undefined => environment[name] || undefined;
  return {
    host: hostOf(environment['DATABRICKS_HOST'] ?? ''),
    token: of('DATABRICKS_TOKEN'),
    clientId: of('DATABRICKS_CLIENT_ID'),
    clientSecret: of('DATABRICKS_CLIENT_SECRET'),
    username: of('DATABRICKS_USERNAME'),
    password: of('DATABRICKS_PASSWORD'),
    azure: {
      tenantId: of('ARM_TENANT_ID'),
      clientId: of('ARM_CLIENT_ID'),
      clientSecret: of('ARM_CLIENT_SECRET'),
    },
    authType: of('DATABRICKS_AUTH_TYPE'),
  };
}

function ofProfile(profile: Profile): DatabricksSettings {
  const of = (name: string): string | undefined => profile[name] || undefined;
  return {
    host: hostOf(profile['host'] ?? ''),
    token: of('token'),
    clientId: of('client_id'),
    clientSecret: of('client_secret'),
    username: of('username'),
    password: of('password'),
    azure: {
      tenantId: of('azure_tenant_id'),
      clientId: of('azure_client_id'),
      clientSecret: of('azure_client_secret'),
    },
    authType: of('auth_type'),
  };
}

/** *Databricks: a host may lack its scheme; what follows it in an address copied from a browser does not count.* */
function hostOf(text: string): string {
  const url = secureUrl(/^https?:\/\//i.test(text) ? text : `https://${text}`);
  return new URL(url).origin;
}
