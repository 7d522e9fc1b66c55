import { BlockList, isIP, isIPv4 } from 'node:net';
import type { Settings } from '../settings/parse-settings.ts';
import { isLoopback } from '../settings/loopback.ts';
import { openProbes } from './probe-routes.ts';
import { matchesWildcard } from './wildcard.ts';

/**
 * Keeps web pages away from the server. A page can make a browser send requests here, and by DNS rebinding it can make
 * the browser believe that this server is the page's own; what it cannot do is to choose the headers `Host` and `Origin`.
 *
 * - `Host` must be a name that is ours: then no foreign name was rebound to this address. An IP address cannot be
 *   rebound, but one that is not ours is refused as well, as MLflow does. The port says nothing: it may be forwarded.
 * - A request that changes something and carries an `Origin` must come from a page of this very server: the origin's host
 *   and port are those of the `Host` header, of the public URL, or of an entry of the allowed hosts that has no wildcard.
 *   `Origin: null` (sandboxed frames, local files) is nobody's.
 * - No CORS header is ever sent, so pages of others cannot read what a GET returns.
 */
export type HostGuard = (
  method: string,
  url: string,
  host: string | undefined,
  origin: string | undefined,
) => Verdict | undefined;

/** The answer in place of the endpoint's. */
export interface Verdict {
  readonly status: 204 | 403;
  readonly text: string;
}

export type HostGuardSettings = Pick<Settings, 'host' | 'publicUrl' | 'allowedHosts' | 'staticPrefix' | 'auth'>;

/** *MLflow's texts; users search for them.* */
const foreignHost: Verdict = { status: 403, text: 'Invalid Host header - possible DNS rebinding attack detected' };
const foreignOrigin: Verdict = { status: 403, text: 'Cross-origin request blocked' };
const noContent: Verdict = { status: 204, text: '' };

const rememberedHosts = 1_000;
/** *RFC 1035: a name has at most 253 characters*; a port and brackets come on top. */
const longestHost = 270;

export function createHostGuard(settings: HostGuardSettings): HostGuard {
  const isOurs = hostRule(settings);
  const isOurPage = originRule(settings);
  const exempt = openProbes.flatMap((path) => [path, settings.staticPrefix + path]);
  const remembered = new Map<string, boolean>();

  function isOurHost(header: string): boolean {
    const known = remembered.get(header);
    if (known !== undefined) return known;
    if (header.length > longestHost) return false;
    const address = parseHost(header);
    const ours = address !== undefined && isOurs(address);
    if (remembered.size >= rememberedHosts) remembered.clear();
    remembered.set(header, ours);
    return ours;
  }

  return (method, url, host, origin) => {
    if (host === undefined || !isOurHost(host)) {
      // Load balancers and containers probe these by any name; they tell nothing.
      return isRead(method) && exempt.includes(pathOf(url)) ? undefined : foreignHost;
    }
    if (method === 'OPTIONS') return noContent;
    if (origin === undefined || isRead(method)) return undefined;
    return isOurPage(origin, host) ? undefined : foreignOrigin;
  };
}

function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}

interface HostAddress {
  /** In small letters, an IPv6 address in brackets, without a full stop at its end. */
  readonly name: string;
  readonly port: string | undefined;
}

function parseHost(header: string): HostAddress | undefined {
  const [, name, port] = /^(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(\d{1,5}))?$/.exec(header.toLowerCase()) ?? [];
  if (name === undefined) return undefined;
  if (name.startsWith('[') && isIP(name.slice(1, -1)) !== 6) return undefined;
  return { name: name.endsWith('.') ? name.slice(0, -1) : name, port };
}

function hostRule({ host, publicUrl, allowedHosts, auth }: HostGuardSettings): (address: HostAddress) => boolean {
  const own = new Set([bracketed(host), ...(publicUrl === undefined ? [] : [new URL(publicUrl).hostname])]);
  const entries = allowedHosts.map(parseEntry);
  return ({ name, port }) => {
    const bare = name.startsWith('[') ? name.slice(1, -1) : name;
    if (isLoopback(bare) || own.has(name)) return true;
    // A workspace behind a private link has a name of its own below the server's.
    const [, below = ''] = /^[0-9a-f-]{36}\.workspace\.[a-z0-9-]+\.api\.(.+)$/.exec(name) ?? [];
    if (own.has(below) || isLoopback(below)) return true;
    if (auth !== 'none' && isPrivateAddress(bare)) return true;
    return entries.some((entry) => entry.name(name) && (entry.port === undefined || entry.port === port));
  };
}

interface Entry {
  readonly name: (name: string) => boolean;
  readonly port: string | undefined;
}

/** A pattern of numbers such as `10.*` is meant for addresses: it does not cover the name `10.example.org`. */
function parseEntry(text: string): Entry {
  const { pattern, port } = splitEntry(text);
  if (!pattern.includes('*')) return { name: (name) => name === pattern, port };
  const forAddresses = /^[\d.*]*\d[\d.*]*$/.test(pattern);
  return { name: (name) => (!forAddresses || isIPv4(name)) && matchesWildcard(pattern, name), port };
}

function splitEntry(text: string): { pattern: string; port: string | undefined } {
  const [, pattern = text, port] = /^(\[.*\]|[^:]*)(?::(\d+|\*))?$/.exec(text) ?? [];
  return { pattern, port: port === '*' ? undefined : port };
}

function originRule({ publicUrl, allowedHosts }: HostGuardSettings): (origin: string, host: string) => boolean {
  const publicOrigin = publicUrl === undefined ? undefined : new URL(publicUrl).origin;
  const named = new Set(allowedHosts.filter((entry) => !entry.includes('*')));
  return (origin, host) => {
    const url = origin.length > longestHost ? null : URL.parse(origin);
    if (url === null || !/^https?:$/.test(url.protocol) || url.origin !== origin.toLowerCase()) return false;
    if (url.origin === publicOrigin || named.has(url.host)) return true;
    // The browser leaves out the port that the scheme implies, in both headers alike.
    const address = parseHost(host);
    const implied = url.protocol === 'https:' ? '443' : '80';
    return (
      address !== undefined && address.name === url.hostname && (address.port ?? implied) === (url.port || implied)
    );
  };
}

function bracketed(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

const privateAddresses = new BlockList();
privateAddresses.addSubnet('10.0.0.0', 8, 'ipv4');
privateAddresses.addSubnet('172.16.0.0', 12, 'ipv4');
privateAddresses.addSubnet('192.168.0.0', 16, 'ipv4');
privateAddresses.addSubnet('fc00::', 7, 'ipv6');

function isPrivateAddress(host: string): boolean {
  const version = isIP(host);
  return version !== 0 && privateAddresses.check(host, version === 4 ? 'ipv4' : 'ipv6');
}
