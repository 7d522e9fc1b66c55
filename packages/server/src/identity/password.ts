import { randomBytes, randomInt, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';
import { MlflowError } from '@lazuli/contract';

/**
 * Passwords are kept as scrypt hashes, each with its salt and its cost. A hash takes 32 MiB and a good part of a second of one
 * core, so only two are worked out at a time: a crowd that guesses waits, up to a limit, and the memory stays bounded.
 */
const cost = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 2 ** 20 } as const;
const atOnce = 2;
const longestQueue = 100;

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, cost);
  return ['scrypt', cost.N, cost.r, cost.p, salt.toString('base64url'), hash.toString('base64url')].join('$');
}

/** Against nothing it takes as long as against a hash, so that a stopwatch does not tell who is there. */
export async function isPassword(password: string, hashed: string | null | undefined): Promise<boolean> {
  const [scheme, N, r, p, salt = '', hash = ''] = (hashed ?? nobody).split('$');
  const wanted = Buffer.from(hash, 'base64url');
  const given = await derive(password, Buffer.from(salt, 'base64url'), {
    N: Number(N),
    r: Number(r),
    p: Number(p),
    maxmem: cost.maxmem,
  });
  return scheme === 'scrypt' && timingSafeEqual(given, wanted) && hashed !== null && hashed !== undefined;
}

const nobody = `scrypt$${cost.N}$${cost.r}$${cost.p}$${'A'.repeat(22)}$${'A'.repeat(43)}`;

/** Without letters and digits that look alike. About 103 bits. */
const letters = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';

export function inventPassword(): string {
  return Array.from({ length: 18 }, () => letters[randomInt(letters.length)]).join('');
}

const waiting: (() => void)[] = [];
let running = 0;

async function derive(password: string, salt: Buffer, options: ScryptOptions): Promise<Buffer> {
  if (waiting.length >= longestQueue) {
    throw new MlflowError('TEMPORARILY_UNAVAILABLE', 'Too many passwords are being checked; try again in a moment.');
  }
  if (running >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve));
  running += 1;
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      scrypt(password.normalize('NFKC'), salt, 32, options, (error, key) =>
        error === null ? resolve(key) : reject(error),
      );
    });
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}
