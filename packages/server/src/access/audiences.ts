/**
 * For whom an access token must be meant. Clients ask for a token for the resource manager of their cloud, whatever server
 * they then talk to, so those names count beside the server's own. *Azure: the endpoints of its clouds.*
 */
const clouds = [
  'https://management.azure.com',
  'https://management.core.windows.net',
  'https://ml.azure.com',
  'https://management.chinacloudapi.cn',
  'https://management.core.chinacloudapi.cn',
  'https://ml.azure.cn',
  'https://management.usgovcloudapi.net',
  'https://management.core.usgovcloudapi.net',
  'https://ml.azure.us',
  'https://management.microsoftazure.de',
];

export interface Audiences {
  /** Whether a token for this audience is meant for this server; slashes at its end do not count. */
  accepts(audience: string): boolean;
}

export function createAudiences(ownUrl: () => string, further: readonly string[]): Audiences {
  const known = new Set([...clouds, ...further].map(plainAudience));
  return {
    accepts(audience) {
      const wanted = plainAudience(audience);
      return known.has(wanted) || wanted === plainAudience(ownUrl());
    },
  };
}

/** The one spelling of all those that mean the same. */
export function plainAudience(audience: string): string {
  let end = audience.length;
  while (end > 0 && audience[end - 1] === '/') end -= 1;
  return audience.slice(0, end).toLowerCase();
}
