import { expect, test } from 'vitest';
import { describePostgres, postgresLine, requiredSettings, settingFlags } from './postgres-settings.ts';

function serverThatShows(changed: Readonly<Record<string, string>>): (name: string) => Promise<string> {
  const shown: Record<string, string> = {
    ...requiredSettings,
    wal_sync_method: 'fdatasync',
    server_version: '18.4',
    ...changed,
  };
  return async (name) => shown[name] ?? '';
}

test('each setting is a flag of the server', () => {
  expect(settingFlags({ fsync: 'on', max_wal_size: '4GB' })).toEqual(['-c', 'fsync=on', '-c', 'max_wal_size=4GB']);
});

test('a server that runs as it must is described by its version and settings', async () => {
  const line = postgresLine(await describePostgres(serverThatShows({})));
  expect(line).toBe(
    'PostgreSQL 18.4: fsync on, synchronous_commit on, full_page_writes on, shared_buffers 512MB, max_wal_size 4GB, ' +
      'max_connections 100, wal_sync_method fdatasync',
  );
});

test.each(Object.keys(requiredSettings))('a server with another %s is refused by name', async (name) => {
  await expect(describePostgres(serverThatShows({ [name]: 'off' }))).rejects.toThrow(
    `PostgreSQL runs with ${name} = off`,
  );
});
