import { posix } from 'node:path';
import { contentDisposition } from '../artifact-store/content-disposition.ts';

/**
 * How the content of users is served: as a download that a browser neither runs nor takes for something else. A page
 * that someone has logged must not act with the rights of the person who looks at it, and no other site may embed it.
 */
export function servedFileHeaders(path: string): Record<string, string> {
  const name = posix.basename(path);
  return {
    'content-type': passiveType(name),
    'content-disposition': contentDisposition(name),
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; sandbox",
    'cross-origin-resource-policy': 'same-origin',
    // A copy may be kept, and is asked about each time: rights may have been taken away meanwhile.
    'cache-control': 'private, no-cache',
  };
}

const plainText =
  'cfg conf csv diff htm html ini js json jsonl jsx log markdown md mjs mlmodel mlproject patch py pyi r rst scala sh sql ' +
  'svg toml ts tsv tsx txt xhtml xml yaml yml';

/** Pictures, sound and film that carry no script. Everything unknown is bytes. */
const mediaTypes: ReadonlyMap<string, string> = new Map([
  ...plainText.split(' ').map((extension) => [extension, 'text/plain; charset=utf-8'] as const),
  ['avif', 'image/avif'],
  ['bmp', 'image/bmp'],
  ['gif', 'image/gif'],
  ['jpeg', 'image/jpeg'],
  ['jpg', 'image/jpeg'],
  ['png', 'image/png'],
  ['tif', 'image/tiff'],
  ['tiff', 'image/tiff'],
  ['webp', 'image/webp'],
  ['flac', 'audio/flac'],
  ['mp3', 'audio/mpeg'],
  ['wav', 'audio/wav'],
  ['mp4', 'video/mp4'],
  ['webm', 'video/webm'],
  ['pdf', 'application/pdf'],
  ['gz', 'application/gzip'],
  ['parquet', 'application/vnd.apache.parquet'],
  ['zip', 'application/zip'],
]);

function passiveType(name: string): string {
  const extension = posix.extname(name).slice(1) || name;
  return mediaTypes.get(extension.toLowerCase()) ?? 'application/octet-stream';
}
