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
 *
 * Workspaces behind a private link have names that carry their region, which nobody knows beforehand. The authority may
 * vouch for all that lies below the server's names, so such a name needs another certificate and no other authority.
 */
export interface Certificates {
  readonly current: KeyPair;
  /** What clients have to trust, in PEM; undefined where the operator's certificate needs nothing of ours. */
  readonly authority: string | undefined;
  /** Whether there is another certificate than before. */
  refresh(): Promise<boolean>;
  /** Whether the certificate should be looked after before a client is answered that asks for this name. */
  isNewName(name: string): boolean;
}

/** The regions in which workspaces are behind a private link. */
export type PrivateRegions = () => Promise<readonly string[]>;

export type CertificateSettings = Pick<
  Settings,
  'tlsCert' | 'tlsKey' | 'tlsNames' | 'host' | 'publicUrl' | 'allowedHosts'
>;

export async function openCertificates(
  settings: CertificateSettings,
  { keep, now, regions }: { readonly keep: SecretKeep; readonly now: () => number; readonly regions: PrivateRegions },
): Promise<Certificates> {
  const { tlsCert, tlsKey } = settings;
  return tlsCert !== undefined && tlsKey !== undefined
    ? await operatorsCertificate(tlsCert, tlsKey)
    : await ownCertificate(certificateNames(settings), {
        ...{ keep, now },
        privateNames: async () => privateNames(settings, await regions()),
      });
}

/** The names under which clients reach the server: an authority made for these can vouch for no others. */
export function certificateNames({ tlsNames, host, publicUrl, allowedHosts }: CertificateSettings): string[] {
  const publicHost = publicHosts(publicUrl);
  const listening = host === '0.0.0.0' || host === '::' ? [hostname().toLowerCase()] : [host];
  const allowed = allowedHosts.map((entry) => entry.replace(/:\d+$/, '')).filter((entry) => !/[*[:]/.test(entry));
  const usual = ['localhost', '127.0.0.1', '::1'];
  return [...new Set([...usual, ...listening, ...publicHost, ...allowed, ...tlsNames])].filter(isNameable);
}

function privateNames({ publicUrl }: CertificateSettings, regions: readonly string[]): string[] {
  const names = ['localhost', ...publicHosts(publicUrl)].filter((name) => isIP(name) === 0);
  return regions.flatMap((region) => names.map((name) => `*.workspace.${region}.api.${name}`)).filter(isNameable);
}

function publicHosts(publicUrl: string | undefined): string[] {
  return publicUrl === undefined ? [] : [new URL(publicUrl).hostname.replace(/^\[|\]$/g, '')];
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
    isNewName: () => false,
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
  /** What the authority was made for, and the certificate too. */
  readonly names: readonly string[];
  /** What the certificate was made for besides. */
  readonly privateNames?: readonly string[];
}

interface OwnParts {
  readonly keep: SecretKeep;
  readonly now: () => number;
  readonly privateNames: () => Promise<readonly string[]>;
}

const secretName = 'tls-authority';

async function ownCertificate(
  names: readonly string[],
  { keep, now, privateNames: namesNow }: OwnParts,
): Promise<Certificates> {
  async function issued(authority: KeyPair, wanted: readonly string[], below: readonly string[]): Promise<string> {
    const leaf = await makeLeaf(authority, [...wanted, ...below], now());
    return JSON.stringify({ authority, leaf, names: wanted, privateNames: below } satisfies Kept);
  }
  const makeFor = async (wanted: readonly string[], below: readonly string[]): Promise<string> =>
    issued(await makeAuthority(wanted, now()), wanted, below);
  const make = async (): Promise<string> => makeFor(names, await namesNow());

  async function renewed(text: string): Promise<string> {
    const kept = JSON.parse(text) as Kept;
    const before = kept.privateNames ?? [];
    const below = [...new Set([...before, ...(await namesNow())])];
    if (!isLate(kept.authority, now()) && names.every((name) => kept.names.includes(name))) {
      if (!isLate(kept.leaf, now()) && below.length === before.length) return text;
      return await keep.replace(secretName, text, await issued(kept.authority, kept.names, below));
    }
    // Servers that share an authority may have different names: the new one is good for those that were there, too.
    return await keep.replace(secretName, text, await makeFor([...new Set([...kept.names, ...names])], below));
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
    isNewName(name) {
      const [, below] = /^[^.]+(\.workspace\.[^.]+\.api\..+)$/i.exec(name) ?? [];
      return below !== undefined && kept.privateNames?.includes(`*${below.toLowerCase()}`) !== true;
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
