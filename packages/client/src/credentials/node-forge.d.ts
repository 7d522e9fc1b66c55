/** What is used of node-forge, which comes without types. */
declare module 'node-forge' {
  namespace forge {
    interface Asn1 {
      readonly type: number;
    }
    interface Bag {
      readonly key?: object | null;
      readonly cert?: object | null;
      readonly asn1: Asn1;
    }
    interface Pkcs12 {
      getBags(filter: { bagType: string }): Readonly<Record<string, Bag[] | undefined>>;
    }
  }
  const forge: {
    readonly util: { createBuffer(bytes: string): object };
    readonly asn1: { fromDer(bytes: object): forge.Asn1; toDer(value: forge.Asn1): { getBytes(): string } };
    readonly pki: {
      readonly oids: Readonly<Record<'keyBag' | 'pkcs8ShroudedKeyBag' | 'certBag', string>>;
      privateKeyToPem(key: object): string;
      certificateToPem(certificate: object): string;
    };
    readonly pkcs12: { pkcs12FromAsn1(asn1: forge.Asn1, isStrict: boolean, password?: string | null): forge.Pkcs12 };
  };
  export default forge;
}
