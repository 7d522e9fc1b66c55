import { CommandError } from './output.ts';

const units: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

/** Milliseconds that a text such as `30d` stands for. */
export function parseDuration(option: string, text: string): number {
  const [, digits, unit] = /^(\d{1,6})([mhdwy])$/.exec(text) ?? [];
  const duration = Number(digits) * (units[unit ?? ''] ?? NaN);
  if (duration > 0) return duration;
  throw new CommandError(
    2,
    `${option}: ${JSON.stringify(text)} must be a number of minutes, hours, days, weeks or years, such as 30m, 12h, 30d, 8w or 1y`,
  );
}
