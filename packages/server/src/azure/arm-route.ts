import { storableText } from '@lazuli/contract';
import type { Principal } from '../access/caller.ts';
import { ArmError, invalidContent } from './arm-error.ts';
import { template, type Template } from './arm-path.ts';

/** A route of Azure Resource Manager: what is asked, which right that needs, and what answers it. */
export interface ArmRoute {
  readonly method: ArmMethod;
  readonly template: Template;
  /** Whether it is served under every scope, as what belongs to `Microsoft.Authorization` is. */
  readonly isUnderScopes: boolean;
  readonly access: ArmAccess;
  readonly answer: (call: ArmCall) => Promise<ArmAnswer> | ArmAnswer;
}

export type ArmMethod = 'GET' | 'HEAD' | 'PUT' | 'PATCH' | 'POST' | 'DELETE';

/**
 * `{ anyOf }`: one of these actions on the resource. `signed-in`: whoever is known, and the answer holds what they may
 * read. `anonymous`: what clients ask before they can sign in.
 */
export type ArmAccess = { readonly anyOf: readonly [string, ...string[]] } | 'signed-in' | 'anonymous';

export interface ArmCall {
  /** What the names in the route's path stand for, as the client has written them. */
  readonly params: Readonly<Record<string, string>>;
  /** The scope before the provider, for routes under scopes; the id of the resource for all others. */
  readonly scope: string;
  readonly query: URLSearchParams;
  /** The URL of this request on the public origin. */
  readonly url: string;
  readonly body: unknown;
  readonly principal: Principal;
}

export interface ArmAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Absent: an answer without a body. */
  readonly body?: unknown;
}

export function route(
  method: ArmMethod,
  path: string,
  access: string | Exclude<ArmAccess, string>,
  answer: ArmRoute['answer'],
  where: 'here' | 'under scopes' = 'here',
): ArmRoute {
  return {
    method,
    template: template(path),
    isUnderScopes: where === 'under scopes',
    access: accessOf(access),
    answer,
  };
}

/** One action by its name is the usual case. */
function accessOf(access: string | Exclude<ArmAccess, string>): ArmAccess {
  if (access === 'signed-in' || access === 'anonymous') return access;
  return typeof access === 'string' ? { anyOf: [access] } : access;
}

export type Fields = Readonly<Record<string, unknown>>;

/** A JSON object of a request; absent is an empty one. */
export function fieldsOf(value: unknown, name: string): Fields {
  if (value === undefined || value === null) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Fields;
  throw invalidContent(`The value of '${name}' must be a JSON object.`);
}

/** A text of a request; undefined where it is absent or null. */
export function textOf(value: unknown, name: string, longest = 4_000): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' && value.length <= longest) return storableText(value, name);
  throw invalidContent(`The value of '${name}' must be a text of at most ${longest} characters.`);
}

export function textsOf(value: unknown, name: string): string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.length <= 1_000) return value.map((one) => textOf(one, name) ?? '');
  throw invalidContent(`The value of '${name}' must be a list of texts, at most 1000.`);
}

/** *Azure: at most 50 tags, keys of 512 characters, values of 256; values are texts.* Larger values are taken here. */
export function tagsOf(value: unknown): Record<string, string> {
  const entries = Object.entries(fieldsOf(value, 'tags'));
  if (entries.length > 50) throw invalidContent(`There are ${entries.length} tags; a resource has 50 at the most.`);
  return Object.fromEntries(
    entries.map(([key, text]) => {
      if (key === '' || key.length > 512) throw invalidContent(`The key of a tag has 1 to 512 characters.`);
      return [key, textOf(text, `tags.${key}`) ?? ''];
    }),
  );
}

/** *Azure: `2024-10-01` or `2024-10-01-preview`.* Any date is taken: one body serves them all. */
export function checkApiVersion(query: URLSearchParams): void {
  const [, version] = [...query].find(([name]) => name.toLowerCase() === 'api-version') ?? [];
  if (version === undefined || version === '') {
    throw new ArmError(
      400,
      'MissingApiVersionParameter',
      'The api-version query parameter (?api-version=) is required for all requests.',
    );
  }
  const [, date] = /^(\d{4}-\d{2}-\d{2})(-[A-Za-z0-9.]{1,20})?$/.exec(version) ?? [];
  if (version !== '1.0' && (date === undefined || !isDate(date))) {
    throw new ArmError(
      400,
      'InvalidApiVersionParameter',
      `The api-version '${version.slice(0, 50)}' is invalid; it is a date such as '2024-10-01', which '-preview' may follow.`,
    );
  }
}

/** Whether the calendar has it: `2024-02-30` is none, nor is `2024-13-01`. */
function isDate(text: string): boolean {
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}
