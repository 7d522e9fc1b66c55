import { execFile } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The programs of Debian's packages that a deployment is made of. */
export interface Tools {
  readonly initdb: string;
  readonly postgres: string;
  readonly pgDump: string;
  readonly pgRestore: string;
  readonly pgbouncer: string;
  readonly haproxy: string;
  readonly openssl: string;
}

const packages = ['postgresql', 'pgbouncer', 'haproxy', 'openssl'];
const run = promisify(execFile);

/** Finds them, and installs them where they are missing; or says in a sentence why there are none. */
export async function findTools(): Promise<Tools | string> {
  const found = lookForTools();
  if (typeof found !== 'string') return found;
  if (process.getuid?.() !== 0) return `${found}, and only root can install it`;
  console.log(`${found}: installing ${packages.join(', ')}`);
  try {
    // RUNLEVEL: packages start no services of their own.
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
    await run('apt-get', ['update', '-qq'], { env });
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { env });
  } catch (error) {
    return `${found}, and apt-get did not install it: ${String(error).slice(0, 500)}`;
  }
  return lookForTools();
}

function lookForTools(): Tools | string {
  const path = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', ...postgresFolders()];
  const missing: string[] = [];
  const find = (name: string): string => {
    const file = path.map((folder) => join(folder, name)).find(isProgram);
    if (file === undefined) missing.push(name);
    return file ?? '';
  };
  const tools = {
    initdb: find('initdb'),
    postgres: find('postgres'),
    pgDump: find('pg_dump'),
    pgRestore: find('pg_restore'),
    pgbouncer: find('pgbouncer'),
    haproxy: find('haproxy'),
    openssl: find('openssl'),
  };
  return missing.length === 0 ? tools : `${missing.join(', ')} cannot be found`;
}

/** Debian keeps the servers' programs in folders by version: the newest first. */
function postgresFolders(): string[] {
  const home = '/usr/lib/postgresql';
  try {
    return readdirSync(home)
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => join(home, version, 'bin'));
  } catch {
    return [];
  }
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export async function versionOf(program: string, flag: string): Promise<string> {
  const { stdout } = await run(program, [flag]);
  return stdout.split('\n')[0]?.trim() ?? '';
}
