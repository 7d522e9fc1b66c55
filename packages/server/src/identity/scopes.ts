import type { AuthorityParts } from './authority.ts';
import type { Fields } from './fields.ts';
import { OAuthError } from './oauth-error.ts';

/** What a client asks for: a token for one resource, and perhaps an id token and a refresh token. */
export interface Asked {
  /** The audience of the access token. */
  readonly resource: string;
  readonly openid: boolean;
  readonly offline: boolean;
  /** As the answer repeats it. */
  readonly scope: string;
  /** Whether what was asked of the resource is all of it, `/.default`. */
  readonly isDefault: boolean;
}

const openidScopes = ['openid', 'profile', 'email', 'offline_access'];
const longest = 2_000;

/** *Entra: v2.0 takes `scope` with permissions of one resource, v1 takes `resource`.* */
export function readAsked(authority: AuthorityParts, fields: Fields): Asked {
  const resource = fields.get('resource');
  const scope = fields.get('scope');
  if (resource !== undefined && scope === undefined) {
    return {
      resource: checkResource(authority, resource),
      openid: true,
      offline: true,
      scope: `${resource}/.default`,
      isDefault: true,
    };
  }
  const scopes = (scope ?? '').split(' ').filter((part) => part !== '');
  if ((scope ?? '').length > longest) throw new OAuthError('bad_scope', 'The scope is too long.');
  const wanted = scopes.filter((part) => !openidScopes.includes(part));
  const resources = new Set(wanted.map(resourceOf));
  const [asked, ...others] = resources;
  if (others.length > 0) throw new OAuthError('bad_scope', `The scope '${printable(scope)}' names several resources.`);
  return {
    resource: checkResource(authority, asked ?? resource ?? authority.url()),
    openid: scopes.includes('openid'),
    offline: scopes.includes('offline_access'),
    scope: scopes.join(' '),
    isDefault: wanted.every((part) => part.endsWith('/.default')),
  };
}

/** *Entra: a scope is a resource, a slash and a permission; a resource that ends with a slash keeps it.* */
function resourceOf(scope: string): string {
  const slash = scope.lastIndexOf('/');
  if (slash > 0) return scope.slice(0, slash);
  throw new OAuthError(
    'bad_scope',
    `The scope '${printable(scope)}' is not valid: it must be a resource and /.default.`,
  );
}

function checkResource({ audiences }: AuthorityParts, resource: string): string {
  if (audiences.accepts(resource)) return resource;
  throw new OAuthError(
    'unknown_resource',
    `The resource principal named ${printable(resource)} was not found in the tenant: this server takes no tokens for it.`,
  );
}

function printable(text = ''): string {
  return text.slice(0, 200).replaceAll(/[^\x21-\x7e ]/g, '?');
}
