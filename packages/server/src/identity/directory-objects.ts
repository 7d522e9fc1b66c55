import { invalidParameter, MlflowError } from '@lazuli/contract';
import type { Db, Engine, Transaction } from '../database/engine.ts';
import { findObjectsNamed, lockObject, type ObjectRow } from './directory-store.ts';

/** How whoever manages the directory names what is in it, and what names it may have. */
export interface NamedObject {
  /** An object id, an application id, a user's name or a display name. */
  readonly name: string;
  readonly kinds: readonly ObjectRow['kind'][];
}

export const longestName = 250;

export const anyKind = ['User', 'Group', 'ServicePrincipal'] as const;

export async function getNamed(db: Db, name: string, kinds: readonly ObjectRow['kind'][]): Promise<ObjectRow> {
  const found = await findObjectsNamed(db, name);
  const [only, ...others] = found.filter(({ kind }) => kinds.includes(kind));
  if (only === undefined) throw noSuchObject(name, kinds);
  if (others.length === 0) return only;
  throw invalidParameter(
    `Several objects are named '${name}'; give one of the ids: ${found.map((row) => row.object_id).join(', ')}`,
  );
}

const kindNames = { User: 'user', Group: 'group', ServicePrincipal: 'service principal' } as const;

export function noSuchObject(name: string, kinds: readonly ObjectRow['kind'][] = anyKind): MlflowError {
  const wanted = kinds.map((kind) => kindNames[kind]).join(' or ');
  return new MlflowError('RESOURCE_DOES_NOT_EXIST', `No ${wanted} '${name}' exists`);
}

/** Changes an object, which is locked until the commit. */
export async function changeNamed<Result>(
  engine: Pick<Engine, 'transaction'>,
  { name, kinds }: NamedObject,
  work: (tx: Transaction, row: ObjectRow) => Promise<Result>,
): Promise<Result> {
  return engine.transaction(async (tx) => {
    const { object_id } = await getNamed(tx.db, name, kinds);
    const row = await lockObject(tx, object_id);
    if (row === undefined) throw noSuchObject(name);
    return work(tx, row);
  });
}

/** Names are written to logs and to the owners of runs, so they are one printable line. */
export function checkName(parameter: string, name: string): string {
  if (name.trim() === '' || name.length > longestName || /[\p{C}\p{Zl}\p{Zp}]/u.test(name)) {
    throw invalidParameter(
      `Invalid value for parameter '${parameter}': it must be 1 to ${longestName} characters, not blank, without control characters.`,
    );
  }
  return name;
}
