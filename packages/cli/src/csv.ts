/**
 * Comma-separated values as RFC 4180 has them: a line of names, then a line a row. A column stands where its name first
 * comes up; what a row does not have is empty.
 */
export function csvOf(rows: readonly Readonly<Record<string, string | number>>[]): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = rows.map((row) => names.map((name) => field(row[name])).join(','));
  return [names.map(field).join(','), ...lines].join('\r\n');
}

function field(value: string | number | undefined): string {
  if (value === undefined) return '';
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
