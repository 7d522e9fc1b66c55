import { ArmError } from './arm-error.ts';

/** Resources of all kinds in one list, and the filter of that list (*Azure Resource Manager, Resources - List*). */
export interface ListedResource {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly location: string;
  readonly tags: Readonly<Record<string, string>>;
}

type Test = (resource: ListedResource) => boolean;

type WholeResource = ListedResource & {
  readonly properties: unknown;
  readonly systemData: { readonly createdAt: string; readonly lastModifiedAt: string };
};

/** As a list has it: without the properties of its own kind, and with what `$expand` names of these three. */
export function resourceInList<R extends WholeResource>({ properties: _, ...resource }: R, expand: string | null) {
  const { createdAt, lastModifiedAt } = resource.systemData;
  const expansions = { createdTime: createdAt, changedTime: lastModifiedAt, provisioningState: 'Succeeded' };
  const wanted = (expand ?? '').toLowerCase().split(',');
  const expanded = Object.entries(expansions).filter(([name]) => wanted.includes(name.toLowerCase()));
  return { ...resource, ...Object.fromEntries(expanded) };
}

/**
 * `$filter` as a test of resources: comparisons that `and` joins, e.g. `resourceType eq 'a/b' and tagName eq 'team'`. A tag's
 * value is that of the name beside it. Throws where a comparison is not understood.
 */
export function resourceFilter(text: string | null): Test {
  if (text === null || text.trim() === '') return () => true;
  const unwrapped = /^\s*\((.*)\)\s*$/s.exec(text)?.[1] ?? text;
  const comparisons = unwrapped.split(/\s+and\s+(?=(?:[^']*'[^']*')*[^']*$)/i).map(comparisonIn);
  const tagName = comparisons.find(({ field }) => field === 'tagname')?.value;
  const tests = comparisons.map((comparison) => testOf(comparison, tagName));
  return (resource) => tests.every((test) => test(resource));
}

interface Comparison {
  /** In lower case, as Azure tells them apart. */
  readonly field: string;
  readonly operator: string;
  readonly value: string;
  readonly text: string;
}

function comparisonIn(text: string): Comparison {
  const [, contained, containing] = /^\s*substringof\('((?:[^']|'')*)',\s*(\w+)\)\s*$/i.exec(text) ?? [];
  const [, compared, operator, literal] = /^\s*(\w+)\s+(eq|ne)\s+'((?:[^']|'')*)'\s*$/i.exec(text) ?? [];
  const [field, value] = containing === undefined ? [compared, literal] : [containing, contained];
  if (field === undefined || value === undefined) throw notUnderstood(text);
  return {
    field: field.toLowerCase(),
    operator: operator?.toLowerCase() ?? 'substringof',
    value: value.replaceAll("''", "'").toLowerCase(),
    text,
  };
}

function testOf({ field, operator, value, text }: Comparison, tagName: string | undefined): Test {
  const valuesOf = valuesOfField(field, tagName);
  if (valuesOf === undefined) throw notUnderstood(text);
  const isMet = (resource: ListedResource, meets: (one: string) => boolean): boolean =>
    valuesOf(resource).some((one) => meets(one.toLowerCase()));
  if (operator === 'substringof') return (resource) => isMet(resource, (one) => one.includes(value));
  const isEqual: Test = (resource) => isMet(resource, (one) => one === value);
  return operator === 'eq' ? isEqual : (resource) => !isEqual(resource);
}

function valuesOfField(field: string, tagName = ''): ((resource: ListedResource) => readonly string[]) | undefined {
  switch (field) {
    case 'name':
    case 'location':
      return (resource) => [resource[field]];
    case 'resourcetype':
      return ({ type }) => [type];
    case 'resourcegroup':
      return ({ id }) => [id.split('/')[4] ?? ''];
    case 'tagname':
      return ({ tags }) => Object.keys(tags);
    case 'tagvalue':
      return ({ tags }) =>
        Object.entries(tags).flatMap(([name, value]) => (name.toLowerCase() === tagName ? [value] : []));
    default:
      return undefined;
  }
}

function notUnderstood(text: string): ArmError {
  return new ArmError(
    400,
    'InvalidFilterInQueryString',
    `The $filter '${text.trim().slice(0, 200)}' must compare name, location, resourceType, resourceGroup, tagName or tagValue ` +
      `with a text by eq or ne, or be substringof('text', name); 'and' joins several.`,
  );
}
