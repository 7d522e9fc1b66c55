import type { Command } from 'commander';
import { CommandError } from '../output.ts';

/** What several commands read of their options. */
const views = { active_only: 'ACTIVE_ONLY', deleted_only: 'DELETED_ONLY', all: 'ALL' } as const;

export function viewOption(command: Command): Command {
  return command.option('-v, --view <view>', `which: ${Object.keys(views).join(', ')} (default: active_only)`);
}

export function viewOf(text = 'active_only'): (typeof views)[keyof typeof views] {
  if (text in views) return views[text as keyof typeof views];
  throw new CommandError(2, `--view: ${JSON.stringify(text)} must be one of ${Object.keys(views).join(', ')}`);
}

/** The one option that was given of several that name a thing in different ways. */
export function choiceOf<Name extends string>(
  options: Readonly<Partial<Record<NoInfer<Name>, string>>>,
  flags: Readonly<Record<Name, string>>,
): { readonly by: Name; readonly value: string } {
  const given = (Object.keys(flags) as Name[]).flatMap((by) => {
    const value = options[by];
    return value === undefined ? [] : [{ by, value }];
  });
  const [only, ...others] = given;
  if (only !== undefined && others.length === 0) return only;
  throw new CommandError(2, `Give one of ${Object.values(flags).join(' and ')}.`);
}

/** Without the fields that are undefined: a request names what it means. */
export function pick<Fields extends object>(fields: Fields): { [Name in keyof Fields]?: NonNullable<Fields[Name]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

/** `key=value` pairs: `--tag team=red --tag cost=3`. Only the first `=` parts them. */
export function pairsOf(flag: string, texts: readonly string[] = []): { key: string; value: string }[] {
  return texts.map((text) => {
    const mark = text.indexOf('=');
    if (mark <= 0) throw new CommandError(2, `${flag}: ${JSON.stringify(text)} must be name=value`);
    return { key: text.slice(0, mark), value: text.slice(mark + 1) };
  });
}

/** An option that may be given several times, and with several values at a time. */
export function severalTimes(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
