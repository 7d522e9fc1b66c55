import { CommandError } from './output.ts';

/** *Azure CLI: `--set tags.team=red` puts a value where its path leads, beside what is there.* */
type Fields = Readonly<Record<string, unknown>>;

/** A document with its fields changed. */
export function withChanges(fields: Fields, changes: readonly string[]): Fields {
  const changed = structuredClone(fields) as Record<string, unknown>;
  for (const { path, value } of changes.map(changeOf)) {
    const names = path.split('.');
    const last = names.pop() ?? '';
    let place = changed;
    for (const name of names) {
      const next = isObject(place[name]) ? place[name] : {};
      place[name] = next;
      place = next;
    }
    place[last] = value;
  }
  return changed;
}

/** What is to be changed of a resource, of which these texts can be, and its tags. The name of a tag may have dots. */
export function changedFields<Name extends string>(
  names: readonly Name[],
  changes: readonly string[] = [],
): {
  readonly texts: Readonly<Partial<Record<Name, string>>>;
  readonly tags: readonly { key: string; value: string }[];
} {
  const texts: Partial<Record<Name, string>> = {};
  const tags: { key: string; value: string }[] = [];
  for (const { path, value } of changes.map(changeOf)) {
    const [, tag] = /^tags\.(.+)$/.exec(path) ?? [];
    const name = names.find((known) => known === path);
    if (tag !== undefined) tags.push({ key: tag, value });
    else if (name !== undefined) texts[name] = value;
    else throw new CommandError(2, `--set: ${path} cannot be changed; ${[...names, 'tags.<name>'].join(', ')} can.`);
  }
  return { texts, tags };
}

function changeOf(text: string): { readonly path: string; readonly value: string } {
  const [, path, value] = /^([^=]+)=([\s\S]*)$/.exec(text) ?? [];
  if (path !== undefined && value !== undefined) return { path, value };
  throw new CommandError(2, `--set: ${JSON.stringify(text)} must be path=value`);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
