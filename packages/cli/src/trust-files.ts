import { mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates } from 'node:tls';
import type { Surroundings } from './surroundings.ts';

/** Files by which programs come to trust a server: its authority alone, and that beside the public ones. */
export interface TrustFiles {
  readonly authority: string;
  readonly bundle: string;
}

/** *Python's programs take one file instead of the public authorities, so all of these have to be in it.* */
export function writeTrustFiles(authority: string, server: string, { env }: Pick<Surroundings, 'env'>): TrustFiles {
  const cache = env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache');
  const folder = join(cache, 'lazuli', new URL(server).host.replaceAll(/[^A-Za-z0-9.-]/g, '_'));
  mkdirSync(folder, { recursive: true });
  const files = { authority: join(folder, 'ca.pem'), bundle: join(folder, 'ca-bundle.pem') };
  writeFileSync(files.authority, authority);
  const all = new Set(
    [...getCACertificates('bundled'), ...getCACertificates('extra'), authority].map((pem) => pem.trim()),
  );
  writeFileSync(files.bundle, `${[...all].join('\n')}\n`);
  return files;
}
