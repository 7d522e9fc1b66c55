import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SignInLog } from './sign-in-log.ts';

/** A token as it is kept: `refreshAt` and `expiresAt` in milliseconds since 1970. */
export interface StoredToken {
  readonly token: string;
  readonly refreshAt: number;
  readonly expiresAt: number;
}

/** Tokens by who asked and for what: in memory, and on request in a file that other processes of the same user share. */
export interface TokenStore {
  get(key: string): Promise<StoredToken | undefined>;
  set(key: string, token: StoredToken): Promise<void>;
}

type Tokens = Record<string, StoredToken>;

export function createTokenStore(file: string | undefined, log: SignInLog): TokenStore {
  const memory = new Map<string, StoredToken>();
  let fileTokens: Promise<Tokens> | undefined;
  return {
    async get(key) {
      const known = memory.get(key);
      if (known !== undefined || file === undefined) return known;
      fileTokens ??= readTokens(file, log);
      return (await fileTokens)[key];
    },
    async set(key, token) {
      memory.set(key, token);
      if (file === undefined) return;
      try {
        await addToken(file, key, token, log);
      } catch (error) {
        log.warning(`The token cache ${file} could not be written: ${String(error)}`);
      }
    },
  };
}

async function readTokens(file: string, log: SignInLog): Promise<Tokens> {
  try {
    const { mode } = await stat(file);
    // What others can write, they could fill with tokens of their own.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      log.warning(`The token cache ${file} is open to other users and is not read; chmod 600 it or remove it.`);
      return {};
    }
    const content: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof content !== 'object' || content === null) return {};
    return Object.fromEntries(
      Object.entries(content).filter((entry): entry is [string, StoredToken] => isToken(entry[1])),
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.warning(`The token cache ${file} is not readable.`);
    return {};
  }
}

/** Replaces the file as a whole, so that a reader never sees half of it; what other processes added stays. */
async function addToken(file: string, key: string, token: StoredToken, log: SignInLog): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const others = Object.entries(await readTokens(file, log)).filter(([, { expiresAt }]) => expiresAt > Date.now());
  const draft = `${file}.${randomUUID()}`;
  try {
    await writeFile(draft, JSON.stringify({ ...Object.fromEntries(others), [key]: token }), {
      mode: 0o600,
      flag: 'wx',
    });
    await chmod(draft, 0o600);
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}

function isToken(value: unknown): value is StoredToken {
  if (typeof value !== 'object' || value === null) return false;
  const { token, refreshAt, expiresAt } = value as Record<string, unknown>;
  return typeof token === 'string' && typeof refreshAt === 'number' && typeof expiresAt === 'number';
}
