import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** An authority of this run's own, and what it has signed. */
export interface Authority {
  readonly certificate: string;
  /** A certificate for a host name: the files of it, of its key, and of both together. */
  sign(host: string): Promise<{ readonly certificate: string; readonly key: string }>;
}

export async function createAuthority(openssl: string, folder: string, name: string): Promise<Authority> {
  const key = join(folder, `${name}.key`);
  const certificate = join(folder, `${name}.pem`);
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await run(openssl, [
    'req',
    '-x509',
    ...curve,
    '-keyout',
    key,
    '-out',
    certificate,
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
  ]);
  return {
    certificate,
    async sign(host) {
      const stem = join(folder, `${name}-${host}`);
      const files = { certificate: `${stem}.pem`, key: `${stem}.key` };
      await writeFile(`${stem}.ext`, `subjectAltName=DNS:${host}\n`);
      await run(openssl, ['req', ...curve, '-keyout', files.key, '-out', `${stem}.csr`, '-subj', `/CN=${host}`]);
      const signing = ['-CA', certificate, '-CAkey', key, '-CAcreateserial', '-extfile', `${stem}.ext`, '-days', '2'];
      await run(openssl, ['x509', '-req', '-in', `${stem}.csr`, ...signing, '-out', files.certificate]);
      return files;
    },
  };
}
