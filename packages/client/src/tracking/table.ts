import { invalidParameter } from '@lazuli/contract';
import { jsonText } from './json-text.ts';

/** Rows as objects, or columns as lists of equal length. */
export type TableRows = readonly Readonly<Record<string, unknown>>[] | Readonly<Record<string, readonly unknown[]>>;

interface Table {
  columns: string[];
  data: unknown[][];
}

/** The text of a table as MLflow reads it (*pandas, orient "split"*), after the rows of an earlier one. */
export function tableOf(rows: TableRows, before: string | undefined): string {
  const added = Array.isArray(rows)
    ? fromRows(rows as readonly Readonly<Record<string, unknown>>[])
    : fromColumns(rows as Readonly<Record<string, readonly unknown[]>>);
  if (before === undefined) return jsonText(added);
  const first = JSON.parse(before) as Table;
  const columns = [...new Set([...first.columns, ...added.columns])];
  const widen = ({ columns: own, data }: Table): unknown[][] =>
    data.map((row) => columns.map((column) => row[own.indexOf(column)] ?? null));
  return jsonText({ columns, data: [...widen(first), ...widen(added)] });
}

function fromRows(rows: readonly Readonly<Record<string, unknown>>[]): Table {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return { columns, data: rows.map((row) => columns.map((column) => row[column] ?? null)) };
}

function fromColumns(given: Readonly<Record<string, readonly unknown[]>>): Table {
  const columns = Object.keys(given);
  const lengths = new Set(Object.values(given).map((values) => values.length));
  if (lengths.size > 1) throw invalidParameter('The columns of a table have one length.');
  const [length = 0] = lengths;
  return {
    columns,
    data: Array.from({ length }, (_, row) => columns.map((column) => given[column]?.[row] ?? null)),
  };
}
