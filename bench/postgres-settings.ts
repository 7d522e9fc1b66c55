/**
 * How a PostgreSQL is set for the bench: as durable as one in production, with the memory that a small dedicated server gets.
 * A default that a build or a configuration file had changed would measure another thing, so all are given and all are
 * read back from the server that runs.
 */
export const requiredSettings = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  shared_buffers: '512MB',
  max_wal_size: '4GB',
  max_connections: '100',
} as const satisfies Readonly<Record<string, string>>;

/** Shown beside them: how a commit reaches the disk, which is to be compared with calibrator Cf. */
const shownSettings = [...Object.keys(requiredSettings), 'wal_sync_method'];

export interface PostgresDescription {
  readonly version: string;
  readonly settings: Readonly<Record<string, string>>;
}

export function settingFlags(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** `show` asks the server for the text of one setting. */
export async function describePostgres(show: (name: string) => Promise<string>): Promise<PostgresDescription> {
  const settings: Record<string, string> = {};
  for (const name of shownSettings) settings[name] = await show(name);
  for (const [name, required] of Object.entries(requiredSettings)) {
    if (settings[name] !== required) {
      throw new Error(`PostgreSQL runs with ${name} = ${settings[name] ?? 'nothing'}; the bench needs ${required}`);
    }
  }
  return { version: await show('server_version'), settings };
}

export function postgresLine({ version, settings }: PostgresDescription): string {
  const shown = Object.entries(settings).map(([name, value]) => `${name} ${value}`);
  return `PostgreSQL ${version}: ${shown.join(', ')}`;
}
