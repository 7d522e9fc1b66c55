/** `azureml:` URIs, as this server shows them and clients give them back; azure/artifact-locations.ts tells the forms. */
export const localUpload = 'LocalUpload';
/** Origin and container of what is neither uploaded by itself nor of a run: all that lies in the workspace. */
export const wholeWorkspace = { origin: 'Workspace', container: 'all' } as const;

/** The place behind an artifact URI, as far as one sees without asking the database. */
export interface OwnedPath {
  readonly ownerId: string;
  /** Below the artifacts of the owner; empty for all of them. */
  readonly path: string;
}

/** What an `azureml:` URI that a client gives back stands for; undefined where that is nothing of this server's. */
export function readAzureLocation(uri: string): OwnedPath | { readonly proxied: string } | undefined {
  const [, rest = ''] = /^azureml:\/\/(.*)$/i.exec(uri) ?? [];
  const run = /\/experiments\/[^/]+\/runs\/([^/]+)(?:\/artifacts(?:\/(.*))?)?$/i.exec(rest);
  if (run !== null) return { ownerId: run[1] ?? '', path: run[2] ?? '' };
  const [, origin, container, ...path] = rest.split('/');
  if (origin === localUpload && container !== undefined) return { proxied: [origin, container, ...path].join('/') };
  if (origin === wholeWorkspace.origin && container === wholeWorkspace.container) return { proxied: path.join('/') };
  return undefined;
}
