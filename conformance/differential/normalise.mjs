// What of an answer two servers must share: ids, times, invented names and places replaced by what they stand for, the
// order of lists that have none taken away.

const times = new Set([
  ...['creation_time', 'last_update_time'],
  ...['creation_timestamp', 'last_updated_timestamp', 'creation_timestamp_ms', 'last_updated_timestamp_ms'],
]);
const ids = new Set(['run_id', 'run_uuid', 'experiment_id']);
const unordered = { tags: 'key', params: 'key', metrics: 'key', model_inputs: 'model_id', model_outputs: 'model_id' };

/** `known` maps the ids that a server gave to the names that the requests use for them. */
export function normalise(answer, known) {
  const value = parsed(answer);
  if (value === undefined) return { status: answer.status, type: answer.type, ...textOf(answer) };
  const json = normalised(value, known, '');
  // What a page token says is each server's own affair.
  if (json !== null && typeof json === 'object' && 'next_page_token' in json) json.next_page_token = '<token>';
  return { status: answer.status, json };
}

function parsed({ type, text }) {
  if (type !== 'application/json') return undefined;
  try {
    const quoted = text.replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g, (token) =>
      token.startsWith('"') ? token : `"${token}"`,
    );
    // Integers that a double cannot hold are compared by their digits.
    return JSON.parse(quoted, (_key, value, { source } = {}) =>
      Number.isInteger(value) && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? `<${source}>` : value,
    );
  } catch {
    return undefined;
  }
}

function textOf({ type, text }) {
  return type === 'text/html' ? {} : { text };
}

function normalised(value, known, key) {
  if (Array.isArray(value)) {
    const list = value.map((item) => normalised(item, known, ''));
    const by = unordered[key];
    // The points of a history have their order; the latest metrics of a run, one a key, have none.
    const repeats = by !== undefined && new Set(list.map((item) => item[by])).size !== list.length;
    return by === undefined || repeats ? list : list.sort((a, b) => (String(a[by]) < String(b[by]) ? -1 : 1));
  }
  if (typeof value === 'object' && value !== null) {
    // Lazuli tells who registered a model, also where that is nobody; MLflow's registry knows no users.
    const entries = Object.entries(value).filter(([name, item]) => name !== 'user_id' || item !== 'anonymous');
    return Object.fromEntries(entries.map(([name, item]) => [name, normalised(item, known, name)]));
  }
  if (times.has(key)) return `<${key}>`;
  if (typeof value !== 'string') return value;
  if (ids.has(key)) return known.get(value) ?? (value === '0' ? value : `<another ${key}>`);
  if (key === 'message') return normalMessage(value, known);
  if (key === 'artifact_location' || key === 'artifact_uri' || key === 'root_uri') return place(value, known);
  if (/^[a-z]+(-[a-z]+)+-\d{1,4}$/.test(value) && value.length <= 24) return '<invented name>';
  return replaceIds(value, known);
}

function place(value, known) {
  const named = replaceIds(value, known);
  return named.startsWith('mlflow-artifacts:/')
    ? `<artifact root>${named.endsWith('/artifacts') ? '/artifacts' : ''}`
    : named;
}

function normalMessage(message, known) {
  return (
    replaceIds(message, known)
      .replace(/(experiment(?: with id)?|id=)(['` ]*)(\d+)/gi, (whole, word, gap, id) =>
        known.has(id) ? `${word}${gap}${known.get(id)}` : whole,
      )
      // The database's own text behind MLflow's, and its sets, whose order is chance.
      .replace(/ already exists\..*/s, ' already exists.')
      .replace(/\{('[^']*'(?:, )?)+\}?/g, (set) => `{${(set.match(/'[^']*'/g) ?? []).sort().join(', ')}}`)
      // Lazuli marks the place of a mistake in a filter.
      .replace(/ \(position \d+\)\n.*/s, '')
  );
}

function replaceIds(text, known) {
  return text.replace(/\b(m-)?[0-9a-f]{32}\b/g, (id) => known.get(id) ?? id);
}
