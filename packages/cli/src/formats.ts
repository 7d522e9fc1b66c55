import { search } from 'jmespath';
import { stringify } from 'yaml';
import { CommandError, formatTable } from './output.ts';

/**
 * How a result is printed: the six formats of the Azure CLI, and its `--query` in JMESPath, which looks at a result before
 * it is printed. `json` is the usual one, so that a string is quoted: what reads our output reads JSON.
 */
export const formats = ['json', 'jsonc', 'table', 'tsv', 'yaml', 'none'] as const;
export type Format = (typeof formats)[number];

export interface Presentation {
  readonly format: Format;
  readonly query?: string;
  /** What a table shows of an item that no query has shaped; without it, every field that is no list and no object. */
  readonly columns?: Columns;
  /** Whether `jsonc` colours. */
  readonly colours: boolean;
}

/** A heading, and the JMESPath of what stands below it. */
export type Columns = Readonly<Record<string, string>>;

export function isFormat(text: string): text is Format {
  return (formats as readonly string[]).includes(text);
}

/** The text of a result; undefined where nothing is to be printed. */
export function formatResult(result: unknown, { format, query, columns, colours }: Presentation): string | undefined {
  const plain = asJson(result);
  const value = query === undefined ? plain : lookUp(plain, query);
  switch (format) {
    case 'none':
      return undefined;
    case 'json':
      return jsonText(value);
    case 'jsonc':
      return colours ? coloured(jsonText(value)) : jsonText(value);
    case 'yaml':
      return stringify(value).trimEnd();
    case 'tsv':
      return tabSeparated(value);
    case 'table':
      return tableOf(value, query === undefined ? columns : undefined);
  }
}

/** JMESPath that cannot be read is the caller's mistake. */
export function lookUp(value: unknown, query: string): unknown {
  try {
    return search(value, query) as unknown;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(2, `--query: ${JSON.stringify(query)} is no JMESPath: ${reason}`);
  }
}

/** What JSON can say of a result. *As in the protocol: NaN, infinities and integers that a double cannot hold are strings.* */
function asJson(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(asJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, asJson(item)]));
}

function jsonText(value: unknown): string {
  return JSON.stringify(value ?? null, null, 2);
}

const colour = { name: '\u001b[34m', text: '\u001b[33m', number: '\u001b[36m', word: '\u001b[35m', end: '\u001b[0m' };

function coloured(json: string): string {
  const token = /("(?:\\.|[^"\\])*")(:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b/g;
  return json.replaceAll(token, (all, text?: string, colon?: string, number?: string) => {
    if (text !== undefined)
      return `${colon === undefined ? colour.text : colour.name}${text}${colour.end}${colon ?? ''}`;
    return `${number === undefined ? colour.word : colour.number}${all}${colour.end}`;
  });
}

/** A line an item, fields between tabs, no headings and no quotes: for `cut`, `read` and `awk`. */
function tabSeparated(value: unknown): string | undefined {
  const items = Array.isArray(value) ? value : [value];
  if (items.length === 0 || value === null || value === undefined) return undefined;
  return items.map((item) => fieldsOf(item).map(cell).join('\t')).join('\n');
}

function fieldsOf(item: unknown): unknown[] {
  if (Array.isArray(item)) return item;
  return isObject(item) ? Object.values(item) : [item];
}

function tableOf(value: unknown, columns: Columns | undefined): string | undefined {
  const items = Array.isArray(value) ? value : [value];
  if (items.length === 0 || value === null || value === undefined) return undefined;
  const rows = items.map((item) => (columns === undefined ? simpleFields(item) : chosenFields(item, columns)));
  const headings = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = headings.map((heading) =>
    '-'.repeat(Math.max(heading.length, ...rows.map((row) => cell(row[heading]).length))),
  );
  return formatTable([headings, lines, ...rows.map((row) => headings.map((heading) => cell(row[heading])))]);
}

function chosenFields(item: unknown, columns: Columns): Record<string, unknown> {
  return Object.fromEntries(Object.entries(columns).map(([heading, path]) => [heading, lookUp(item, path)]));
}

function simpleFields(item: unknown): Record<string, unknown> {
  if (Array.isArray(item)) return Object.fromEntries(item.map((field, index) => [`Column${index + 1}`, field]));
  if (!isObject(item)) return { Result: item };
  const simple = Object.entries(item).filter(([, field]) => typeof field !== 'object' || field === null);
  return Object.fromEntries(simple.map(([name, field]) => [heading(name), field]));
}

/** `experiment_id` reads `ExperimentId`, as in the Azure CLI's tables. */
function heading(name: string): string {
  return name.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** One line, without what would end a cell. Lists and objects are no cells. */
function cell(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'object') return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replaceAll(/[\t\r\n]+/g, ' ');
}
