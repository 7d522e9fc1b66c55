import { isIPv4, isIPv6 } from 'node:net';

/**
 * The extension that keeps a certificate authority to some names (RFC 5280, section 4.2.1.10), in DER. A machine that
 * trusts the authority then trusts it for this server alone: whoever stole its key could not pretend to be a bank.
 */
export const nameConstraintsId = '2.5.29.30';

export function encodeNameConstraints(names: readonly string[]): Uint8Array {
  const permitted = [...names.filter((name) => addressBytes(name) === undefined).map(dnsSubtree)];
  const addresses = names.map(addressBytes).filter((bytes) => bytes !== undefined);
  permitted.push(...addresses.map((bytes) => addressSubtree(bytes, 0xff)));
  // A kind of name that no permitted subtree mentions is not constrained at all: of a kind that is not needed, all is excluded.
  const excluded = [4, 16]
    .filter((length) => !addresses.some((bytes) => bytes.length === length))
    .map((length) => addressSubtree(new Uint8Array(length), 0));
  return tagged(0x30, [
    ...(permitted.length === 0 ? [] : [tagged(0xa0, permitted)]),
    ...(excluded.length === 0 ? [] : [tagged(0xa1, excluded)]),
  ]);
}

/** Its own name and all that end with it. */
function dnsSubtree(name: string): Uint8Array {
  return tagged(0x30, [tagged(0x82, [new TextEncoder().encode(name.replace(/^\*\./, ''))])]);
}

function addressSubtree(bytes: Uint8Array, mask: number): Uint8Array {
  return tagged(0x30, [tagged(0x87, [bytes, new Uint8Array(bytes.length).fill(mask)])]);
}

function addressBytes(name: string): Uint8Array | undefined {
  if (isIPv4(name)) return Uint8Array.from(name.split('.').map(Number));
  if (!isIPv6(name)) return undefined;
  const [head = '', tail] = new URL(`http://[${name}]`).hostname.slice(1, -1).split('::');
  const groups = (text = ''): string[] => text.split(':').filter((group) => group !== '');
  const [front, back] = [groups(head), groups(tail)];
  const all = [...front, ...Array<string>(8 - front.length - back.length).fill('0'), ...back];
  return Uint8Array.from(all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]));
}

function tagged(tag: number, parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.from([tag, ...size]), content]);
}
