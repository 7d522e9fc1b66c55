import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { createSecureContext } from 'node:tls';
import type { SecretKeep } from '../secrets/secret-keep.ts';
import type { Settings } from '../settings/parse-settings.ts';
import { makeAuthority, makeLeaf, type KeyPair } from './local-authority.ts';

/**
 * The certificate that the server answers with: the operator's own, or one of an authority that the server made for
 * itself. `refresh` is called from time to time: it reads the operator's files again, and renews the server's own
 * certificate when a third of its life is left, so that neither needs a restart.
 */
export interface Certificates {
  readonly current: KeyPair;
  /** What clients have to trust, in PEM; undefined where the operator's certificate needs nothing of ours. */
  readonly authority: string | undefined;
  /** Whether there is another certificate than before. */
  refresh(): Promise<boolean>;
}

export type CertificateSettings = Pick<
  Settings,
  'tlsCert' | 'tlsKey' | 'tlsNames' | 'host' | 'publicUrl' | 'allowedHosts'
>;

export async function openCertificates(
  settings: CertificateSettings,
  keep: SecretKeep,
  now: () => number,
): Promise<Certificates> {
  const { tlsCert, tlsKey } = settings;
  return tlsCert !== undefined && tlsKey !== undefined
    ? await operatorsCertificate(tlsCert, tlsKey)
    : await ownCertificate(certificateNames(settings), keep, now);
}

/** The names under which clients reach the server: an authority made for these can vouch for no others. */
export function certificateNames({ tlsNames, host, publicUrl, allowedHosts }: CertificateSettings): string[] {
  const publicHost = publicUrl === undefined ? [] : [new URL(publicUrl).hostname.replace(/^\[|\]$/g, '')];
  // Workspaces behind a private link, in the region that they are in where nobody says another.
  const below = ['localhost', ...publicHost]
    .filter((name) => isIP(name) === 0)
    .map((name) => `*.workspace.local.api.${name}`);
  const listening = host === '0.0.0.0' || host === '::' ? [hostname().toLowerCase()] : [host];
  const allowed = allowedHosts.map((entry) => entry.replace(/:\d+$/, '')).filter((entry) => !/[*[:]/.test(entry));
  const usual = ['localhost', '127.0.0.1', '::1', ...below];
  return [...new Set([...usual, ...listening, ...publicHost, ...allowed, ...tlsNames])].filter(isNameable);
}

function isNameable(name: string): boolean {
  return isIP(name) !== 0 || /^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i.test(name);
}

async function operatorsCertificate(certPath: string, keyPath: string): Promise<Certificates> {
  const read = async (): Promise<KeyPair> => {
    const [certificate, key] = await Promise.all([readFile(certPath, 'utf8'), readFile(keyPath, 'utf8')]);
    try {
      createSecureContext({ cert: certificate, key });
    } catch (cause) {
      throw new Error(`${certPath} and ${keyPath} are not a certificate and its key: ${(cause as Error).message}`, {
        cause,
      });
    }
    return { certificate, key };
  };
  let current = await read();
  return {
    get current() {
      return current;
    },
    authority: undefined,
    async refresh() {
      const found = await read();
      const isNew = found.certificate !== current.certificate || found.key !== current.key;
      current = found;
      return isNew;
    },
  };
}

/** What is kept under one name, so that an authority and what it issued never come apart. */
interface Kept {
  readonly authority: KeyPair;
  readonly leaf: KeyPair;
  /** What the authority was made for. */
  readonly names: readonly string[];
}

const secretName = 'tls-authority';

async function ownCertificate(names: readonly string[], keep: SecretKeep, now: () => number): Promise<Certificates> {
  async function makeFor(wanted: readonly string[]): Promise<string> {
    const authority = await makeAuthority(wanted, now());
    const leaf = await makeLeaf(authority, wanted, now());
    return JSON.stringify({ authority, leaf, names: wanted } satisfies Kept);
  }
  const make = (): Promise<string> => makeFor(names);

  async function renewed(text: string): Promise<string> {
    const kept = JSON.parse(text) as Kept;
    if (!isLate(kept.authority, now()) && names.every((name) => kept.names.includes(name))) {
      if (!isLate(kept.leaf, now())) return text;
      const leaf = await makeLeaf(kept.authority, kept.names, now());
      return await keep.replace(secretName, text, JSON.stringify({ ...kept, leaf } satisfies Kept));
    }
    // Servers that share an authority may have different names: the new one is good for those that were there, too.
    return await keep.replace(secretName, text, await makeFor([...new Set([...kept.names, ...names])]));
  }

  let text = await renewed(await keep.get(secretName, make));
  let kept = JSON.parse(text) as Kept;
  return {
    get current() {
      return kept.leaf;
    },
    get authority() {
      return kept.authority.certificate;
    },
    async refresh() {
      const found = await renewed(await keep.get(secretName, make));
      if (found === text) return false;
      text = found;
      kept = JSON.parse(text) as Kept;
      return true;
    },
  };
}

/** Whether less than a third of its life is left. */
function isLate({ certificate }: KeyPair, now: number): boolean {
  const { validFrom, validTo } = new X509Certificate(certificate);
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  return to - now < (to - from) / 3;
}
