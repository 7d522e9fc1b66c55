import type { Client } from '@lazuli/client';
import { CommandError } from './output.ts';
import type { Surroundings } from './surroundings.ts';

export const defaultUrl = 'http://127.0.0.1:5000';

export interface ServerOptions {
  readonly url?: string | undefined;
  readonly workspace?: string | undefined;
}

/** A client of a running server, which an option or the environment names. */
export async function clientOf(
  { url: option, workspace }: ServerOptions,
  { env }: Pick<Surroundings, 'env'>,
): Promise<Client> {
  const url = option ?? (env['LAZULI_URL'] || env['MLFLOW_TRACKING_URI'] || defaultUrl);
  if (!/^https?:\/\//.test(url)) {
    throw new CommandError(2, `${JSON.stringify(url)} is no URL of a server; give one with --url.`);
  }
  const token = env['LAZULI_TOKEN'] || env['MLFLOW_TRACKING_TOKEN'];
  const { createClient } = await import('@lazuli/client');
  return createClient({
    url,
    ...(token === undefined ? {} : { token }),
    ...(workspace === undefined ? {} : { workspace }),
  });
}
