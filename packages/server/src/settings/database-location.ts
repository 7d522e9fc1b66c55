import { resolve } from 'node:path';
import { refuseNul } from './locations.ts';
import { BrokenRule } from './setting-rules.ts';

/** Where the database is: a file that one server owns, or a PostgreSQL that several share. */
export type DatabaseLocation =
  { readonly kind: 'sqlite'; readonly path: string } | { readonly kind: 'postgres'; readonly url: string };

const supported =
  'supported are sqlite:///relative/path.db, sqlite:////absolute/path.db and postgresql://user:password@host:5432/database';

/** *MLflow takes SQLAlchemy's URIs, in which a driver may follow the scheme.* */
const postgresScheme = /^postgres(ql)?(\+[a-z0-9]+)?:\/\//i;

export function readBackendStore(text: string, base: string): DatabaseLocation {
  refuseNul(text);
  if (postgresScheme.test(text)) return { kind: 'postgres', url: readPostgresUrl(text) };
  return { kind: 'sqlite', path: readSqliteFile(text, base) };
}

/**
 * The file that a database URI names. *SQLAlchemy: three slashes begin a relative path, four an absolute one; the path
 * is taken as it stands, without percent-decoding.*
 */
function readSqliteFile(text: string, base: string): string {
  const path = /^sqlite:\/\/\/(.+)$/s.exec(text)?.[1];
  if (path === undefined) throw new BrokenRule(`is no database that this server can use; ${supported}`);
  if (path.startsWith(':memory:')) throw new BrokenRule(`would keep everything in memory and lose it; ${supported}`);
  if (path.includes('?')) throw new BrokenRule(`carries options, which are not understood; ${supported}`);
  if (path.endsWith('/')) throw new BrokenRule(`names a folder, not a file; ${supported}`);
  return resolve(base, path);
}

/** Parameters of a URL that mean something here; *libpq: https://www.postgresql.org/docs/current/libpq-connect.html* */
const parameters = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'application_name', 'host'];
const sslModes = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'];

/** A PostgreSQL database as a URL of libpq's. */
export function readPostgresUrl(text: string): string {
  const rule = 'must be a PostgreSQL URL such as postgres://user:password@host:5432/database?sslmode=verify-full';
  if (!postgresScheme.test(text)) throw new BrokenRule(rule);
  const url = URL.parse(text.replace(postgresScheme, 'postgres://'));
  if (url === null || url.hash !== '') throw new BrokenRule(rule);
  if (!/^\/[^/]+$/.test(url.pathname)) throw new BrokenRule(`names no database; it ${rule}`);
  for (const name of url.searchParams.keys()) {
    if (parameters.includes(name)) continue;
    throw new BrokenRule(`has the parameter ${JSON.stringify(name)}; known are ${parameters.join(', ')}`);
  }
  const sslMode = url.searchParams.get('sslmode');
  if (sslMode !== null && !sslModes.includes(sslMode)) {
    throw new BrokenRule(`has the sslmode ${JSON.stringify(sslMode)}; it must be one of ${sslModes.join(', ')}`);
  }
  return url.href;
}

/** A text that may hold a URL, fit to be shown: with its password hidden. */
export function withoutPassword(text: string): string {
  return text.replace(/(\/\/[^/?#:@]*):[^/?#]*@/, '$1:***@');
}
