import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { AuthorityParts, AuthorityRequest } from './authority.ts';

/**
 * Shows that a form was filled in on this server's page and not on somebody else's: it carries a hash of a cookie that only
 * this origin can have set. *RFC 6265bis: a cookie named `__Host-` cannot be planted from another host or without TLS.*
 */
export interface FormToken {
  readonly token: string;
  readonly cookie: string;
}

const cookieMinutes = 60;

export function formToken(authority: Pick<AuthorityParts, 'url'>, request: AuthorityRequest): FormToken {
  const value = readCookie(authority, request) ?? randomBytes(32).toString('base64url');
  const secure = isSecure(authority) ? '; Secure' : '';
  return {
    token: tokenOf(value),
    cookie: `${cookieName(authority)}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${cookieMinutes * 60}${secure}`,
  };
}

export function checkForm(authority: Pick<AuthorityParts, 'url'>, request: AuthorityRequest): boolean {
  const value = readCookie(authority, request);
  if (value === undefined) return false;
  const wanted = Buffer.from(tokenOf(value));
  const given = Buffer.from(request.form.get('form_token') ?? '');
  return wanted.byteLength === given.byteLength && timingSafeEqual(wanted, given);
}

function tokenOf(cookieValue: string): string {
  return createHash('sha256').update(`sign-in form ${cookieValue}`).digest('base64url');
}

function readCookie(authority: Pick<AuthorityParts, 'url'>, { headers }: AuthorityRequest): string | undefined {
  const header = headers['cookie'];
  const name = cookieName(authority);
  for (const pair of (typeof header === 'string' ? header : '').split(';')) {
    const [, key, value] = /^\s*([^=]+)=([\w-]{43})\s*$/.exec(pair) ?? [];
    if (key === name) return value;
  }
  return undefined;
}

function cookieName(authority: Pick<AuthorityParts, 'url'>): string {
  return isSecure(authority) ? '__Host-lazuli-sign-in' : 'lazuli-sign-in';
}

function isSecure({ url }: Pick<AuthorityParts, 'url'>): boolean {
  return url().startsWith('https:');
}
