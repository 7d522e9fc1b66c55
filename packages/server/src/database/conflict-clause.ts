import type { SetWrite } from './engine.ts';

/** What an insert does with a row whose key is there, in words that both engines read alike; begins with a blank, or is empty. */
export function conflictClause({ table, conflict }: SetWrite): string {
  if (conflict === undefined) return '';
  const key = conflict.key.join(', ');
  if (conflict.replace === undefined) return ` on conflict (${key}) do nothing`;
  const set = conflict.replace.map((column) => `${column} = excluded.${column}`).join(', ');
  const update = ` on conflict (${key}) do update set ${set}`;
  if (conflict.newerBy === undefined) return update;
  const added = conflict.newerBy.map((column) => `excluded.${column}`).join(', ');
  const kept = conflict.newerBy.map((column) => `${table}.${column}`).join(', ');
  return `${update} where (${added}) > (${kept})`;
}
