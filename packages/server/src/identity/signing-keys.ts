import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, type JWK } from 'jose';
import type { Engine } from '../database/engine.ts';
import { insertSigningKey, listSigningKeys, removeSigningKeysBefore, type SigningKeyRow } from './key-store.ts';
import type { SealedBox } from './sealed-box.ts';

/**
 * The keys that the authority's tokens are signed with. A key signs for a month. Its successor is made and published a day
 * before it is used, so that whoever keeps a copy of the public keys has it in time; and it stays published until the last
 * token that it signed has expired. Keys are made when they are first needed.
 */
export interface SigningKeys {
  current(): Promise<{ readonly keyId: string; readonly key: KeyObject }>;
  /** The public keys as a JWKS has them. */
  published(): Promise<readonly JWK[]>;
  /** A public key by its id; undefined where no server on this database has such a key. */
  find(keyId: string): Promise<KeyObject | undefined>;
}

const day = 24 * 3_600_000;
const signingMs = 30 * day;
const publishedAheadMs = day;
/** Longer than any token lives. */
const publishedAfterMs = 2 * day;
/** What other servers on the database have added is looked for this often. */
const freshMs = 60_000;

interface Loaded {
  readonly time: number;
  readonly rows: readonly SigningKeyRow[];
  readonly publicKeys: ReadonlyMap<string, KeyObject>;
}

export interface SigningKeyParts {
  readonly engine: Pick<Engine, 'snapshot' | 'transaction'>;
  readonly now: () => number;
  /** Opened when the first key is made or used. */
  readonly box: () => Promise<SealedBox>;
}

export function createSigningKeys({ engine, now, box }: SigningKeyParts): SigningKeys {
  let loaded: Loaded | undefined;
  let loading: Promise<Loaded> | undefined;
  let making: Promise<unknown> | undefined;
  const privateKeys = new Map<string, KeyObject>();

  async function load(): Promise<Loaded> {
    const time = now();
    const rows = (await engine.snapshot(listSigningKeys)).filter(
      ({ active_from }) => active_from + signingMs + publishedAfterMs > time,
    );
    const publicKeys = rows.map(({ key_id, public_jwk }): [string, KeyObject] => [
      key_id,
      createPublicKey({ key: JSON.parse(public_jwk) as JWK, format: 'jwk' }),
    ]);
    loaded = { time, rows, publicKeys: new Map(publicKeys) };
    return loaded;
  }

  /** What is known, if it is fresh; several that ask share one question. */
  async function known(): Promise<Loaded> {
    if (loaded !== undefined && now() - loaded.time < freshMs) return loaded;
    loading ??= load().finally(() => (loading = undefined));
    return loading;
  }

  async function make(activeFrom: number): Promise<void> {
    const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
    const jwk = publicKey.export({ format: 'jwk' }) as JWK;
    const keyId = await calculateJwkThumbprint(jwk);
    const sealing = await box();
    const row: SigningKeyRow = {
      key_id: keyId,
      public_jwk: JSON.stringify(jwk),
      sealed_private: sealing.seal(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), keyId),
      sealed_under: sealing.name,
      active_from: activeFrom,
      creation_time: now(),
    };
    await engine.transaction(async ({ db }) => {
      await insertSigningKey(db, row);
      await removeSigningKeysBefore(db, now() - signingMs - publishedAfterMs);
    });
    await load();
  }

  /** Two that find no key make one together. */
  async function makeOnce(activeFrom: number): Promise<void> {
    making ??= make(activeFrom).finally(() => (making = undefined));
    await making;
  }

  function privateKeyOf(row: SigningKeyRow, sealing: SealedBox): KeyObject | undefined {
    const present = privateKeys.get(row.key_id);
    if (present !== undefined) return present;
    const pem = sealing.open(row.sealed_private, row.key_id);
    if (pem === undefined) return undefined;
    const key = createPrivateKey(pem);
    privateKeys.set(row.key_id, key);
    return key;
  }

  /** The newest key that may sign now and that this server can open. */
  async function findCurrent(): Promise<{ keyId: string; key: KeyObject; activeFrom: number } | undefined> {
    const sealing = await box();
    const time = now();
    for (const row of (await known()).rows) {
      if (row.active_from > time || row.active_from + signingMs <= time || row.sealed_under !== sealing.name) continue;
      const key = privateKeyOf(row, sealing);
      if (key !== undefined) return { keyId: row.key_id, key, activeFrom: row.active_from };
    }
    return undefined;
  }

  return {
    async current() {
      let found = await findCurrent();
      if (found === undefined) {
        await makeOnce(now());
        found = await findCurrent();
      }
      if (found === undefined) throw new Error('A signing key that was just made cannot be used.');
      const { activeFrom, keyId, key } = found;
      const ends = activeFrom + signingMs;
      if (ends - publishedAheadMs <= now()) {
        const sealing = await box();
        const { rows } = await known();
        const hasSuccessor = rows.some((row) => row.active_from > activeFrom && row.sealed_under === sealing.name);
        if (!hasSuccessor) await makeOnce(ends);
      }
      return { keyId, key };
    },

    async published() {
      if ((await known()).rows.length === 0) await makeOnce(now());
      return (await known()).rows.map(({ key_id, public_jwk }) => ({
        ...(JSON.parse(public_jwk) as JWK),
        use: 'sig',
        alg: 'RS256',
        kid: key_id,
      }));
    },

    async find(keyId) {
      const present = (await known()).publicKeys.get(keyId);
      if (present !== undefined) return present;
      // Another server may have made it just now. A made up id costs a query, as a made up API token does.
      return (await load()).publicKeys.get(keyId);
    },
  };
}
