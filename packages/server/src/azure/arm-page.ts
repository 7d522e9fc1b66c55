import { ArmError } from './arm-error.ts';
import type { ArmAnswer, ArmCall } from './arm-route.ts';

/** Lists of Azure Resource Manager: `{value, nextLink}`, where the link is absolute and on the public origin. */
const largestPage = 1_000;

/** How many are wanted at once. */
export function pageSize({ query }: Pick<ArmCall, 'query'>, usual = 100): number {
  const text = query.get('$top') ?? query.get('top');
  return text === null ? usual : Math.min(wholeNumber('$top', text, 1), largestPage);
}

/** One page of a list that is in memory. */
export function pageOf(call: Pick<ArmCall, 'query' | 'url'>, values: readonly unknown[]): ArmAnswer {
  const skip = call.query.get('$skip') ?? '0';
  const start = wholeNumber('$skip', skip, 0);
  const end = start + pageSize(call);
  return answerPage(call, values.slice(start, end), end < values.length ? String(end) : undefined);
}

/** A page, and what `$skip` must be to get the next. */
export function answerPage({ url }: Pick<ArmCall, 'url'>, value: readonly unknown[], next?: string): ArmAnswer {
  if (next === undefined || next === '') return { body: { value } };
  const link = new URL(url);
  link.searchParams.set('$skip', next);
  return { body: { value, nextLink: link.href } };
}

function wholeNumber(name: string, text: string, least: number): number {
  const number = Number(text);
  if (/^\d{1,9}$/.test(text) && number >= least) return number;
  throw new ArmError(
    400,
    'InvalidQueryParameterValue',
    `The value '${text.slice(0, 50)}' of '${name}' must be a whole number from ${least} on.`,
  );
}
