import { isIP } from 'node:net';
import { isLoopback } from './loopback.ts';

/** How the text of one setting becomes its value. A text that breaks the rule throws `BrokenRule` with the rule in words. */
export class BrokenRule extends Error {
  override readonly name = 'BrokenRule';
}

export type Rule<Value> = (text: string, base: string) => Value;

export function oneOf<const Names extends readonly [string, ...string[]]>(names: Names): Rule<Names[number]> {
  return (text) => {
    const found = names.find((name) => name === text.toLowerCase());
    if (found === undefined) throw new BrokenRule(`must be one of ${names.join(', ')}`);
    return found;
  };
}

export function readHost(text: string): string {
  const host = text.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== 0 || isHostName(host)) return host;
  throw new BrokenRule('must be an IP address or a host name, without scheme and port');
}

export function readPort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new BrokenRule('must be a whole number from 0 to 65535 (0: any free port)');
}

/** A whole number within bounds. */
export function wholeNumber(least: number, most: number): Rule<number> {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,9}$/.test(text) && value >= least && value <= most) return value;
    throw new BrokenRule(`must be a whole number from ${least} to ${most}`);
  };
}

const longestWait = 3_600;

export function readSeconds(text: string): number {
  const seconds = Number(text);
  if (/^\d{1,4}(\.\d{1,3})?$/.test(text) && seconds <= longestWait) return seconds;
  throw new BrokenRule(`must be a number of seconds from 0 to ${longestWait}`);
}

const sizeUnits: Readonly<Record<string, number>> = { '': 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30 };
const largestBody = 2 ** 30;

export function readSize(text: string): number {
  const [, digits, unit] = /^(\d{1,12}) ?([a-z]*)$/.exec(text.toLowerCase()) ?? [];
  const size = Number(digits) * (sizeUnits[unit ?? '?'] ?? NaN);
  if (size >= 1 && size <= largestBody) return size;
  throw new BrokenRule('must be a number of bytes from 1 to 1GiB, such as 1048576, 512KiB or 32MiB');
}

export function readPublicUrl(text: string): string {
  const url = URL.parse(text);
  const rule = 'must be an http or https URL without user, query and fragment, such as https://mlflow.example.org';
  if (url === null || !/^https?:$/.test(url.protocol)) throw new BrokenRule(rule);
  if (url.username !== '' || url.password !== '' || /[?#]/.test(text)) throw new BrokenRule(rule);
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

const entraHost = /^login\.(microsoftonline\.(com|us)|chinacloudapi\.cn|partner\.microsoftonline\.cn)$/;
const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Issuers, each as its tokens name it. Of Entra ID each tenant is named by its id: `common` would let in every tenant there is. */
export function readIssuers(text: string): readonly string[] {
  return splitList(text).map((entry) => {
    const url = URL.parse(entry);
    const secure =
      url !== null && (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname)));
    if (!secure || url.username !== '' || url.password !== '' || /[?#]/.test(entry)) {
      throw new BrokenRule(
        `has the entry ${JSON.stringify(entry)}, which is not an https URL without user, query and fragment`,
      );
    }
    if (entraHost.test(url.hostname) && !guid.test(url.pathname.split('/')[1] ?? '')) {
      throw new BrokenRule(
        `has the entry ${JSON.stringify(entry)}; of Entra ID each tenant is named by its id, as https://${url.hostname}/<tenant id>/v2.0`,
      );
    }
    return entry;
  });
}

export function readAudiences(text: string): readonly string[] {
  return splitList(text).map((entry) => {
    if (/^[\x21-\x7e]{1,500}$/.test(entry)) return entry;
    throw new BrokenRule(
      `has the entry ${JSON.stringify(entry)}, which is no audience: 1 to 500 characters without blanks`,
    );
  });
}

function splitList(text: string): string[] {
  return text.split(',').map((entry) => entry.trim());
}

/** *MLflow: the prefix begins with a slash and does not end with one.* */
export function readStaticPrefix(text: string): string {
  const segments = text.split('/').slice(1);
  const clean = segments.every((segment) => /^[A-Za-z0-9._~-]+$/.test(segment) && !/^\.\.?$/.test(segment));
  if (text.startsWith('/') && clean) return text;
  throw new BrokenRule(
    "must begin with '/', not end with it, and have only letters, digits and . _ ~ - between slashes",
  );
}

/** Host names and addresses as a `Host` header carries them, each with or without a port; `*` stands for anything. */
export function readAllowedHosts(text: string): readonly string[] {
  const entries = text.split(',').map((entry) => entry.trim().toLowerCase());
  for (const entry of entries) {
    if (!isAllowedHost(entry)) {
      throw new BrokenRule(
        `has the entry ${JSON.stringify(entry)}, which is not a host with or without a port, such as mlflow.example.org, *.example.org, 10.0.0.5:5000 or [fd00::1]`,
      );
    }
  }
  return entries;
}

function isAllowedHost(entry: string): boolean {
  const [, host = '', port] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}|\*))?$/.exec(entry) ?? [];
  if (port !== undefined && port !== '*' && Number(port) > 65_535) return false;
  return host.startsWith('[') ? isIP(host.slice(1, -1)) === 6 : isHostName(host.replaceAll('*', 'x'));
}

function isHostName(host: string): boolean {
  return host.length <= 253 && host.split('.').every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label));
}

/** Host names and IP addresses as a certificate carries them; `*.` in front of a name stands for one label. */
export function readNames(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim().toLowerCase());
  for (const name of names) {
    if (isIP(name) === 0 && !isHostName(name.replace(/^\*\./, ''))) {
      throw new BrokenRule(
        `has the entry ${JSON.stringify(name)}, which is not a name or an address, such as mlflow.example.org, *.example.org or 10.0.0.5`,
      );
    }
  }
  return names;
}
