/** A file through HTTP as one client moves it, timed: what W11 does to the server, and its calibrators to a bare one. */
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import type { Address } from './http-connection.ts';

export const BLOCK_BYTES = 2 ** 20;

export interface RemoteFile {
  readonly address: Address;
  readonly path: string;
  readonly blocks: number;
}

const common = randomBytes(BLOCK_BYTES);

/** Every block is another one: its number stands in front of what all have. */
export function blockAt(index: number): Buffer {
  const block = Buffer.from(common);
  block.writeUInt32LE(index);
  return block;
}

function authorizationOf({ token }: Address): { readonly authorization?: string } {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** Answers the milliseconds until the server has said that it has the whole file. */
export function upload({ address, path, blocks }: RemoteFile): Promise<number> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const headers = {
      'content-length': blocks * BLOCK_BYTES,
      'content-type': 'application/octet-stream',
      ...authorizationOf(address),
    };
    const sent = request({ ...address, method: 'PUT', path, headers, agent: false }, (answer) => {
      answer.resume().on('end', () => {
        if (answer.statusCode === 200) resolve(performance.now() - start);
        else reject(new Error(`the upload was answered with ${answer.statusCode}`));
      });
    }).on('error', reject);
    let next = 0;
    const write = (): void => {
      while (next < blocks) {
        if (!sent.write(blockAt(next++))) {
          sent.once('drain', write);
          return;
        }
      }
      sent.end();
    };
    write();
  });
}

/** Hands over what comes and answers the milliseconds until its end. */
export function download({ address, path, blocks }: RemoteFile, take: (chunk: Buffer) => void): Promise<number> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const asked = request({ ...address, path, headers: authorizationOf(address), agent: false }, (answer) => {
      let received = 0;
      answer.on('data', (chunk: Buffer) => {
        received += chunk.length;
        take(chunk);
      });
      answer.on('error', reject).on('end', () => {
        if (answer.statusCode === 200 && received === blocks * BLOCK_BYTES) resolve(performance.now() - start);
        else reject(new Error(`the download was answered with ${answer.statusCode} and ${received} bytes`));
      });
    });
    asked.on('error', reject).end();
  });
}
