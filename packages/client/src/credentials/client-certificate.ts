import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { rejected } from './credential.ts';

/** A certificate with its private key, and the certificates of its issuers as far as the file has them. */
export interface ClientCertificate {
  readonly key: KeyObject;
  readonly leaf: X509Certificate;
  readonly chain: readonly X509Certificate[];
}

/** Reads a PEM or PKCS#12 file, told apart by what is in it. */
export async function readClientCertificate(path: string, password: string | undefined): Promise<ClientCertificate> {
  let content: Buffer;
  try {
    content = await readFile(path);
  } catch (cause) {
    throw rejected(
      `The certificate ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    );
  }
  const isPem = content.includes('-----BEGIN');
  const { keys, certificates } = isPem
    ? partsOfPem(content.toString('latin1'), path, password)
    : await partsOfPkcs12(content, path, password);
  const [key] = keys;
  if (key === undefined) throw rejected(`The certificate ${path} comes without a private key.`);
  if (key.asymmetricKeyType !== 'rsa')
    throw rejected(
      `The key of ${path} is of type ${key.asymmetricKeyType ?? 'unknown'}; Entra signs in with RSA keys alone.`,
    );
  const leaf = certificates.find((certificate) => certificate.checkPrivateKey(key));
  if (leaf === undefined) throw rejected(`No certificate in ${path} belongs to its private key.`);
  const until = new Date(leaf.validTo);
  if (until.getTime() < Date.now()) throw rejected(`The certificate ${path} expired at ${until.toISOString()}.`);
  return { key, leaf, chain: certificates.filter((certificate) => certificate !== leaf) };
}

interface Parts {
  readonly keys: readonly KeyObject[];
  readonly certificates: readonly X509Certificate[];
}

function partsOfPem(pem: string, path: string, password: string | undefined): Parts {
  const blocks = [...pem.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/g)];
  const of = (kind: RegExp): string[] => blocks.flatMap(([block, name = '']) => (kind.test(name) ? [block] : []));
  try {
    return {
      keys: of(/PRIVATE KEY$/).map((key) =>
        createPrivateKey({ key, ...(password === undefined ? {} : { passphrase: password }) }),
      ),
      certificates: of(/CERTIFICATE$/).map((block) => new X509Certificate(block)),
    };
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (
      code === 'ERR_MISSING_PASSPHRASE' ||
      (/PROC-TYPE: 4,ENCRYPTED|BEGIN ENCRYPTED/i.test(pem) && password === undefined)
    )
      throw rejected(`The key in ${path} is encrypted: set AZURE_CLIENT_CERTIFICATE_PASSWORD.`, cause);
    if (/ENCRYPTED/.test(pem)) throw rejected(`The password of the certificate ${path} is wrong.`, cause);
    throw rejected(
      `The certificate ${path} is damaged: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    );
  }
}

async function partsOfPkcs12(content: Buffer, path: string, password: string | undefined): Promise<Parts> {
  // A reader of PKCS#12 is large, and few need one.
  const { readPkcs12 } = await import('./pkcs12.ts');
  const { keys, certificates } = readPkcs12(content, path, password);
  return {
    keys: keys.map((key) => createPrivateKey(key)),
    certificates: certificates.map((certificate) => new X509Certificate(certificate)),
  };
}
