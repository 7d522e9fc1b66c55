import { invalidParameter } from '@lazuli/contract';

/**
 * A moment as ISO 8601 writes it: `2026-03-01`, `2026-03-01T12:00`, `2026-03-01 12:00:00.5+01:00`. Without a zone it is UTC, and a
 * date alone is its midnight. A blank stands before a zone where a URL had its plus as it is.
 */
const iso = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(?:(Z)|([ +-])(\d\d):?(\d\d)?)?)?$/i;

/** In Unix milliseconds. */
export function readMoment(parameter: string, text: string): number {
  const [, date, clock = '00:00', , sign, hours, minutes = '00'] = iso.exec(text) ?? [];
  const zone = hours === undefined ? 'Z' : `${sign === '-' ? '-' : '+'}${hours}:${minutes}`;
  const time = date === undefined ? NaN : Date.parse(`${date}T${clock}${zone}`);
  // A parser takes the 30th of February for the 2nd of March.
  if (Number.isNaN(time) || new Date(`${date}T00:00Z`).toISOString().slice(0, 10) !== date) {
    throw invalidParameter(
      `Invalid value '${text}' for parameter '${parameter}': it must be a date such as 2026-03-01, which means midnight UTC, or a moment such as 2026-03-01T12:00:00+01:00.`,
    );
  }
  return time;
}
