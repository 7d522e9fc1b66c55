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

/** The same for an age, which may have several parts, and none: *MLflow writes `2d8h5m20s`*. */
export function parseAge(option: string, text: string): number {
  const parts = [...text.matchAll(/(\d{1,6})([smhdwy])/g)];
  if (parts.length > 0 && parts.map(([part]) => part).join('') === text) {
    return parts.reduce(
      (sum, [, digits, unit = '']) => sum + Number(digits) * (unit === 's' ? 1_000 : (units[unit] ?? NaN)),
      0,
    );
  }
  throw new CommandError(2, `${option}: ${JSON.stringify(text)} must be a time such as 30d, 12h, 1d6h or 0d`);
}
