import { migrations } from './migrations.ts';

/** The newest schema version that this program knows. */
export const newestVersion = migrations.at(-1)?.version ?? 0;

/** What a database holds when it is opened. */
export interface FoundSchema {
  readonly tables: readonly string[];
  /** The newest step that was applied, where the database is one of ours. */
  readonly version: number | undefined;
}

/** Refuses a database of another program or of a newer one of ours. */
export function checkOrigin({ tables, version }: FoundSchema): void {
  if (version !== undefined) {
    if (version <= newestVersion) return;
    throw new Error(
      `This database has schema version ${version}, and this Lazuli knows versions up to ${newestVersion}: start the newer Lazuli that made it.`,
    );
  }
  if (tables.includes('alembic_version')) {
    throw new Error(
      `This database was made by MLflow's own server; Lazuli does not open it. Name another one with --backend-store-uri, or leave it out for Lazuli's own.`,
    );
  }
  if (tables.length > 0) {
    throw new Error(
      `This database holds tables of another program (${tables.slice(0, 3).join(', ')} …); Lazuli does not open it.`,
    );
  }
}
