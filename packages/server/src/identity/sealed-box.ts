import { createCipheriv, createDecipheriv, hash, randomBytes } from 'node:crypto';
import { ensureSecretFile } from './secret-file.ts';

/**
 * Private keys lie in the database encrypted (AES-256-GCM), under a key that lies in a file: a copy of the database alone
 * signs nothing. Each server opens what was sealed under its own file's key; servers with another file make keys of their own.
 */
export interface SealedBox {
  /** Names the key, and tells nothing about it. */
  readonly name: string;
  /** `context` says what it is, so that one sealed text cannot be put in the place of another. */
  seal(text: string, context: string): string;
  /** Undefined where it was sealed under another key, for another context, or was changed. */
  open(sealed: string, context: string): string | undefined;
}

const algorithm = 'aes-256-gcm';

/** Reads the key's file; where there is none, it is made. */
export async function openSealedBox(path: string): Promise<SealedBox> {
  const text = await ensureSecretFile(path, () => randomBytes(32).toString('base64'));
  const key = Buffer.from(text, 'base64');
  if (key.byteLength !== 32) throw new Error(`${path} must hold 32 bytes in base64.`);
  return {
    name: hash('sha256', Buffer.concat([Buffer.from('lazuli sealed box'), key]), 'hex').slice(0, 16),
    seal(plain, context) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv(algorithm, key, nonce).setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64');
    },
    open(sealed, context) {
      const bytes = Buffer.from(sealed, 'base64');
      if (bytes.byteLength < 28) return undefined;
      const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, 12)).setAAD(Buffer.from(context));
      decipher.setAuthTag(bytes.subarray(12, 28));
      try {
        return decipher.update(bytes.subarray(28), undefined, 'utf8') + decipher.final('utf8');
      } catch {
        return undefined;
      }
    },
  };
}
