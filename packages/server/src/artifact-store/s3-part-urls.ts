import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { UploadPartCommand, type S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl, S3RequestPresigner } from '@aws-sdk/s3-request-presigner';

/**
 * Signed URLs for the parts of an upload. The client of the SDK goes through its whole machinery for each URL, some
 * milliseconds of work; they differ in the number of the part alone, so it is asked once and the others are signed like it.
 */
export async function partUrls(
  client: S3Client,
  upload: { readonly Bucket: string; readonly Key: string; readonly UploadId: string },
  { count, expiresIn }: { readonly count: number; readonly expiresIn: number },
): Promise<string[]> {
  const first = await getSignedUrl(client, new UploadPartCommand({ ...upload, PartNumber: 1 }), { expiresIn });
  const { protocol, hostname, port, pathname, searchParams } = new URL(first);
  const plain = Object.fromEntries([...searchParams].filter(([name]) => !/^x-amz-/i.test(name)));
  const presigner = new S3RequestPresigner(client.config);
  const credentials = await client.config.credentials();
  const urls = [first];
  for (let part = 2; part <= count; part += 1) {
    const signed = await presigner.presignWithCredentials(
      {
        ...{ method: 'PUT', protocol, hostname, path: pathname, headers: {} },
        ...(port === '' ? {} : { port: Number(port) }),
        query: { ...plain, partNumber: String(part) },
      },
      credentials,
      { expiresIn },
    );
    const query = Object.entries(signed.query ?? {}).map(([name, value]) => `${encode(name)}=${encode(String(value))}`);
    urls.push(`${protocol}//${hostname}${port === '' ? '' : `:${port}`}${pathname}?${query.join('&')}`);
    // Signing waits for nothing, and thousands of parts would keep everybody else waiting.
    if (part % 100 === 0) await turnOfTheLoop();
  }
  return urls;
}

/** RFC 3986, which signatures go by. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
