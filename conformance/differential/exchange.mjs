// One request as it stands over a socket of its own, and what came back. `fetch` is too polite for this: it refuses a GET
// with a body, sets a Content-Type of its own and tidies paths.
import { request } from 'node:http';

const answerLimitMs = 60_000;

/** @returns {Promise<{ status: number, type: string, headers: Record<string, string>, text: string }>} */
export function exchange(base, { method, path, body, headers = {} }) {
  const { hostname, port } = new URL(base);
  const payload = body === undefined ? undefined : Buffer.from(body);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        hostname,
        port,
        method,
        path,
        agent: false,
        timeout: answerLimitMs,
        headers: { ...headers, ...(payload === undefined ? {} : { 'content-length': payload.length }) },
      },
      (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({
            status: answer.statusCode,
            type: (answer.headers['content-type'] ?? '').split(';')[0],
            headers: answer.headers,
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`no answer within ${answerLimitMs / 1000} s`)));
    sent.on('error', reject);
    sent.end(payload);
  });
}
