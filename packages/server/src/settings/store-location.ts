/**
 * Where the server keeps artifacts itself: a local folder, or a place in an object store as MLflow and Spark write it.
 * Accounts and buckets are named by the operator alone, never by a request.
 */
export type StorePlace = LocalFolderPlace | S3Place | AzurePlace;

export interface LocalFolderPlace {
  readonly kind: 'folder';
  readonly path: string;
}

export interface S3Place {
  readonly kind: 's3';
  readonly bucket: string;
  readonly path: string;
}

export interface AzurePlace {
  readonly kind: 'azure';
  readonly account: string;
  /** Behind `account.blob.`. */
  readonly domain: string;
  readonly container: string;
  readonly path: string;
}

export const storeForms =
  's3://bucket/path, wasbs://container@account.blob.core.windows.net/path, ' +
  'abfss://container@account.dfs.core.windows.net/path or https://account.blob.core.windows.net/container/path';

/** Undefined for what is no place that the server knows to reach. An absolute path is a folder. */
export function readStorePlace(text: string): StorePlace | undefined {
  if (text.startsWith('/') || /^[A-Za-z]:[\\/]/.test(text)) return { kind: 'folder', path: text };
  const [, scheme = '', authority = '', rest = ''] =
    /^([a-z][a-z0-9+.-]*):\/\/([^/?#%\\\s]+)(\/[^?#%\\]*)?$/i.exec(text) ?? [];
  const path = rest.replace(/^\/+|\/+$/g, '');
  if (path.split('/').some((segment) => segment === '..' || segment === '.') || path.includes('//')) return undefined;
  switch (scheme.toLowerCase()) {
    case 's3':
    case 's3a':
      return /^[a-z0-9][a-z0-9._-]{1,62}$/i.test(authority) ? { kind: 's3', bucket: authority, path } : undefined;
    case 'wasb':
    case 'wasbs':
    case 'abfs':
    case 'abfss': {
      const [container = '', host = ''] = authority.split('@');
      return azurePlace(host, container, path);
    }
    case 'https': {
      const [container = '', ...below] = path.split('/');
      return azurePlace(authority, container, below.join('/'));
    }
    default:
      return undefined;
  }
}

/** *Clients know Azure's containers by `wasbs:` and `abfss:`; an `https:` location they would take for a web server.* */
export function asClientsWriteIt(location: string): string {
  const place = /^https:/i.test(location) ? readStorePlace(location) : undefined;
  if (place?.kind !== 'azure') return location;
  const { account, domain, container, path } = place;
  return `wasbs://${container}@${account}.blob.${domain}${path === '' ? '' : `/${path}`}`;
}

function azurePlace(host: string, container: string, path: string): AzurePlace | undefined {
  const [, account, domain] = /^([a-z0-9]{3,24})\.(?:blob|dfs)\.([a-z0-9.-]+)$/.exec(host) ?? [];
  if (account === undefined || domain === undefined) return undefined;
  if (!/^(\$root|[a-z0-9][a-z0-9-]{2,62})$/.test(container)) return undefined;
  return { kind: 'azure', account, domain, container, path };
}
