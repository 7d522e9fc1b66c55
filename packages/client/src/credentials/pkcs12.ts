import forge from 'node-forge';
import { rejected } from './credential.ts';

/**
 * Keys and certificates of a PKCS#12 file as PEM, whatever it is encrypted with: AES as OpenSSL 3 does it, RC2 and 3DES
 * as older tools do. Node itself opens such files only for TLS and hands nothing out.
 */
export function readPkcs12(
  content: Buffer,
  path: string,
  password: string | undefined,
): { keys: string[]; certificates: string[] } {
  const { asn1, pkcs12, pki, util } = forge;
  let structure: forge.Asn1;
  try {
    structure = asn1.fromDer(util.createBuffer(content.toString('latin1')));
  } catch (cause) {
    throw rejected(`${path} is neither a PEM nor a PKCS#12 file.`, cause);
  }
  const file = open(structure, path, password);
  const bagsOf = (bagType: string): forge.Bag[] => file.getBags({ bagType })[bagType] ?? [];
  const keys = [...bagsOf(pki.oids.keyBag), ...bagsOf(pki.oids.pkcs8ShroudedKeyBag)];
  return {
    keys: keys.map(({ key, asn1: raw }) =>
      key ? pki.privateKeyToPem(key) : pem('PRIVATE KEY', asn1.toDer(raw).getBytes()),
    ),
    certificates: bagsOf(pki.oids.certBag).map(({ cert, asn1: raw }) =>
      cert ? pki.certificateToPem(cert) : pem('CERTIFICATE', asn1.toDer(raw).getBytes()),
    ),
  };

  /** Tools disagree on how no password and an empty one are written; both are tried where none was given. */
  function open(value: forge.Asn1, name: string, given: string | undefined): forge.Pkcs12 {
    const candidates = given === undefined || given === '' ? ['', undefined] : [given];
    let reason: unknown;
    for (const candidate of candidates) {
      try {
        return pkcs12.pkcs12FromAsn1(value, false, candidate);
      } catch (error) {
        reason = error;
      }
    }
    const words = reason instanceof Error ? reason.message : String(reason);
    if (!/password|MAC|decrypt/i.test(words)) throw rejected(`The certificate ${name} is damaged: ${words}`, reason);
    throw rejected(
      given === undefined
        ? `The certificate ${name} is encrypted: set AZURE_CLIENT_CERTIFICATE_PASSWORD.`
        : `The password of the certificate ${name} is wrong.`,
      reason,
    );
  }
}

function pem(label: string, bytes: string): string {
  const lines =
    Buffer.from(bytes, 'latin1')
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}
