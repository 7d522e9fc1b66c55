import { migrations } from './migrations.ts';
import { checkOrigin, newestVersion, type FoundSchema } from './origin.ts';

/** What a database is, for whoever administers it. */
export interface DatabaseStatus {
  /** `SQLite`, or `PostgreSQL` with its version. */
  readonly engine: string;
  /** Whether there is one at all: SQLite makes its file when a server starts. */
  readonly isPresent: boolean;
  /** The schema version; undefined where no step has been applied. */
  readonly version: number | undefined;
  /** The schema version of this program. */
  readonly newest: number;
  readonly missing: readonly SchemaStep[];
  /** Why this program does not open it, in a sentence: it is another program's, or a newer Lazuli's. */
  readonly refusal: string | undefined;
}

/** A step of the schema by its number and name. */
export interface SchemaStep {
  readonly version: number;
  readonly name: string;
}

/** `found` is undefined where there is no database. */
export function databaseStatus(engine: string, found: FoundSchema | undefined): DatabaseStatus {
  const refusal = found === undefined ? undefined : refusalOf(found);
  const version = found?.version;
  const missing = refusal === undefined ? migrations.filter((step) => step.version > (version ?? 0)) : [];
  return {
    engine,
    isPresent: found !== undefined,
    version,
    newest: newestVersion,
    missing: missing.map((step) => ({ version: step.version, name: step.name })),
    refusal,
  };
}

function refusalOf(found: FoundSchema): string | undefined {
  try {
    checkOrigin(found);
    return undefined;
  } catch (error) {
    if (error instanceof Error) return error.message;
    throw error;
  }
}
