/**
 * A key and a certificate for a service principal that has none: RSA, because that is all that Microsoft's libraries sign
 * assertions with. Nobody checks who issued it, so it issues itself.
 */
export interface ClientCertificate {
  /** PEM, what the directory is told. */
  readonly certificate: string;
  /** PEM, what the client keeps to itself. */
  readonly privateKey: string;
}

export async function createClientCertificate(name: string, expiryTime: number): Promise<ClientCertificate> {
  // The library's containers need it.
  await import('reflect-metadata');
  const { PemConverter, X509CertificateGenerator } = await import('@peculiar/x509');
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent: new Uint8Array([1, 0, 1]) };
  const keys = await crypto.subtle.generateKey({ ...algorithm, modulusLength: 2048 }, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [name] }],
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(expiryTime),
    signingAlgorithm: algorithm,
    keys,
  });
  const privateKey = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { certificate: certificate.toString('pem'), privateKey: PemConverter.encode(privateKey, 'PRIVATE KEY') };
}
