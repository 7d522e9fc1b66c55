import { isIP } from 'node:net';
import { MlflowError } from '@lazuli/contract';
import type { WorkspaceRef } from '../access/caller.ts';
import { isLoopback } from '../settings/loopback.ts';

/**
 * *Azure: a workspace behind a private link is reached under a host that begins with its id, and under no other.* Whoever
 * is inside that link reaches nothing else either, so every address that such a workspace gives has this host: of its API,
 * of its artifacts, and of the files themselves.
 */
export type LinkedWorkspace = Pick<WorkspaceRef, 'guid' | 'name' | 'region' | 'privateLink'>;

/** Where clients reach a workspace, of the server's public origin. */
export function originOf({ guid, region, privateLink }: LinkedWorkspace, origin: string): string {
  if (!privateLink) return origin;
  const { protocol, port, pathname } = new URL(origin);
  const name = hostName(origin);
  const place = `${name}${port && `:${port}`}${pathname === '/' ? '' : pathname}`;
  return `${protocol}//${guid}.workspace.${region}.api.${place}`;
}

/** Nothing lies below an address; that of the machine itself has a name. */
export function mayHaveHostsBelow(origin: string): boolean {
  return isIP(hostName(origin)) === 0;
}

function hostName(origin: string): string {
  const host = new URL(origin).hostname.replace(/^\[|\]$/g, '');
  return isLoopback(host) ? 'localhost' : host;
}

export function requireOwnHost(host: string | undefined, { guid, name, privateLink }: LinkedWorkspace): void {
  if (!privateLink || host?.toLowerCase().startsWith(`${guid}.workspace.`) === true) return;
  throw new MlflowError(
    'PERMISSION_DENIED',
    `The workspace '${name}' is behind a private link and is not reached under this host; fetch its MLflow tracking URI ` +
      `and use that: \`lazuli workspace show\`, or its property mlFlowTrackingUri in Azure Resource Manager.`,
  );
}
