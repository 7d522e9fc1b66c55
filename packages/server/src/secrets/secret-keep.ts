import type { Engine } from '../database/engine.ts';
import { openSealedBox } from '../identity/sealed-box.ts';
import { findSealed, insertSealed, replaceSealed } from './secret-store.ts';

/**
 * Where the server keeps the secrets that it makes for itself, such as its TLS authority: in the database, sealed under a
 * key that lies in a file. Every server with this key gets the same secret, and the first to come makes it; a copy of the
 * database alone is worth nothing.
 */
export interface SecretKeep {
  /** The secret of this name, made where there is none. */
  get(name: string, make: () => Promise<string>): Promise<string>;
  /** Puts another one in place of what was, unless somebody else has done so; gives what holds from now on. */
  replace(name: string, was: string, secret: string): Promise<string>;
}

export async function openSecretKeep(
  { db, transaction }: Pick<Engine, 'db' | 'transaction'>,
  { encryptionKeyFile }: { readonly encryptionKeyFile: string },
): Promise<SecretKeep> {
  const box = await openSealedBox(encryptionKeyFile);
  const open = (name: string, sealed: string): string => {
    const secret = box.open(sealed, `secret ${name}`);
    if (secret === undefined) throw new Error(`The secret '${name}' in the database was changed; remove its row.`);
    return secret;
  };
  const seal = (name: string, secret: string): string => box.seal(secret, `secret ${name}`);
  const keyOf = (name: string) => ({ name, under: box.name });

  return {
    async get(name, make) {
      const key = keyOf(name);
      const found = await findSealed(db, key);
      if (found !== undefined) return open(name, found);
      const sealed = seal(name, await make());
      const kept = await transaction(async (tx) => {
        await insertSealed(tx.db, key, sealed);
        return await findSealed(tx.db, key);
      });
      return open(name, kept ?? sealed);
    },

    async replace(name, was, secret) {
      const key = keyOf(name);
      return await transaction(async (tx) => {
        const found = await findSealed(tx.db, key);
        const present = found === undefined ? undefined : open(name, found);
        if (found === undefined || present !== was) return present ?? secret;
        const replaced = await replaceSealed(tx.db, key, found, seal(name, secret));
        return replaced === 1 ? secret : was;
      });
    },
  };
}
