import { invalidParameter } from '@lazuli/contract';

/**
 * Where an authorization code may be sent. A code that reaches somebody else is an account lost, so a registered URI is
 * compared character by character; only on the loopback the port is free, because a program that signs in takes any.
 * *RFC 8252, 7.3: the port of a loopback redirect URI is not compared.*
 */
const loopbackHosts = ['localhost', '127.0.0.1', '[::1]'];

/** Where programs without a registration of their own receive their codes. */
export const loopbackRedirects: readonly string[] = loopbackHosts.map((host) => `http://${host}`);

export function checkRedirectUri(text: string): string {
  const url = URL.parse(text);
  const secure = url !== null && (url.protocol === 'https:' || isLoopback(url));
  if (!secure || text.length > 2_000 || /[#\s\\]/.test(text) || url.username !== '' || url.password !== '') {
    throw invalidParameter(
      `Invalid value ${JSON.stringify(text.slice(0, 200))} for parameter 'redirect_uris': it must be an https URI without fragment and user, or http on localhost.`,
    );
  }
  return text;
}

export function isRedirectAllowed(asked: string, registered: readonly string[]): boolean {
  if (registered.includes(asked)) return true;
  const url = URL.parse(asked);
  // What the parser would repair is not what the browser was given.
  if (url === null || !isLoopback(url) || /[#\s\\@]/.test(asked)) return false;
  if (!asked.startsWith(`http://${url.hostname}`)) return false;
  return registered.some((entry) => {
    const own = URL.parse(entry);
    if (own === null || !isLoopback(own) || own.hostname !== url.hostname) return false;
    return own.pathname === '/' || own.pathname === url.pathname;
  });
}

function isLoopback({ protocol, hostname }: URL): boolean {
  return protocol === 'http:' && loopbackHosts.includes(hostname);
}
