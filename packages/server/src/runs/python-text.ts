/** Values as Python writes them, for those of MLflow's messages that show them so. */

/** A text in single quotes, or in double ones where it holds a single one and no double one. */
export function pythonText(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replace(/[\n\r\t]/g, (control) => ({ '\n': '\\n', '\r': '\\r', '\t': '\\t' })[control] ?? control);
  if (!escaped.includes("'")) return `'${escaped}'`;
  return escaped.includes('"') ? `'${escaped.replaceAll("'", "\\'")}'` : `"${escaped}"`;
}

/** A float: `1` is `1.0`. */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const size = Math.abs(value);
  const [digits = '', exponent] = (
    size !== 0 && (size >= 1e16 || size < 1e-4) ? value.toExponential() : String(value)
  ).split('e');
  if (exponent === undefined) return digits.includes('.') ? digits : `${digits}.0`;
  return `${digits}e${exponent.slice(0, 1)}${exponent.slice(1).padStart(2, '0')}`;
}
