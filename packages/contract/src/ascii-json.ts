/**
 * A value as MLflow's messages show it: compact JSON as Python writes it, with sorted keys and everything beyond ASCII
 * escaped. What nests deeper than a message could show is an ellipsis.
 */
export function asciiJson(value: unknown, depth = 0): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return ascii(JSON.stringify(value));
  if (depth >= deepest) return Array.isArray(value) ? '[…]' : '{…}';
  if (Array.isArray(value))
    return `[${value
      .slice(0, widest)
      .map((item) => asciiJson(item, depth + 1))
      .join(',')}]`;
  const fields = Object.entries(value).slice(0, widest);
  fields.sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${fields.map(([key, item]) => `${ascii(JSON.stringify(key))}:${asciiJson(item, depth + 1)}`).join(',')}}`;
}

/** Messages are cut behind a few hundred characters, so nothing beyond this would be seen. */
const deepest = 20;
const widest = 200;

function ascii(text: string): string {
  return text.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
