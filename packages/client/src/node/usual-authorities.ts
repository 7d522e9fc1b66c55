import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import type { Environment } from '../environment.ts';

/**
 * The authorities that are trusted where none are given, those of NODE_EXTRA_CA_CERTS and `--use-system-ca` among them: a
 * list of one's own replaces them all. Runtimes that cannot tell them (Node before 22.15) get Node's own and the file
 * of NODE_EXTRA_CA_CERTS, without those of the system.
 */
export function usualAuthorities(environment: Environment, { getCACertificates }: Telling = tls): readonly string[] {
  if (getCACertificates !== undefined) return getCACertificates('default');
  const file = environment['NODE_EXTRA_CA_CERTS'];
  return file ? [...tls.rootCertificates, ...extraAuthorities(file)] : tls.rootCertificates;
}

interface Telling {
  readonly getCACertificates?: typeof tls.getCACertificates;
}

/** *Node warns of a file that it cannot read, and goes on.* */
function extraAuthorities(file: string): string[] {
  try {
    return [readFileSync(file, 'utf8')];
  } catch {
    return [];
  }
}
