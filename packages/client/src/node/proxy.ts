import { invalidParameter } from '@lazuli/contract';
import type { Environment } from '../environment.ts';

/**
 * Which proxy leads to an address: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, small letters first, as curl and
 * Python's clients read them. NO_PROXY lists hosts with all below them, each perhaps with a port; `*` means every host.
 */
export function proxyFor(target: URL, environment: Environment): URL | undefined {
  const read = (name: string): string | undefined => environment[name.toLowerCase()] || environment[name] || undefined;
  if (isExempt(target, read('NO_PROXY') ?? '')) return undefined;
  const text = read(target.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY') ?? read('ALL_PROXY');
  if (text === undefined) return undefined;
  const withScheme = text.includes('://') ? text : `http://${text}`;
  if (!/^https?:\/\//i.test(withScheme) || !URL.canParse(withScheme)) {
    throw invalidParameter(`The proxy for ${target.host} must be an http(s) URL.`);
  }
  return new URL(withScheme);
}

function isExempt(target: URL, list: string): boolean {
  const host = target.hostname.toLowerCase();
  const port = target.port || (target.protocol === 'https:' ? '443' : '80');
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*') return true;
      const [, name = '', itsPort] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
      const suffix = name.replace(/^\*?\./, '');
      return (itsPort === undefined || itsPort === port) && (host === suffix || host.endsWith(`.${suffix}`));
    });
}
