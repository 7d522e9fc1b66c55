/**
 * The file of Databricks' command: sections in brackets, `key = value` lines, comments behind `#` or `;`. *A section of
 * that name is a profile; what stands in DEFAULT does not spread to the others.*
 */
export type Profile = Readonly<Record<string, string>>;

export function parseConfigFile(text: string): ReadonlyMap<string, Profile> {
  const profiles = new Map<string, Record<string, string>>();
  let current: Record<string, string> | undefined;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[([^\]]+)\]\s*$/.exec(line)?.[1]?.trim();
    if (section !== undefined) {
      current = profiles.get(section) ?? {};
      profiles.set(section, current);
      continue;
    }
    const [, key, value] = /^\s*([^#;=\s][^=\s]*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined && current !== undefined) current[key.toLowerCase()] = value;
  }
  return profiles;
}
