import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { TestResponse, TestServer } from './server-fixture.ts';

/**
 * The same server, asked through sockets: what the logging verbs are answered by stands before the framework, so only there
 * is a request met by all that it meets outside of tests.
 */
export async function overSockets(server: TestServer): Promise<TestServer> {
  await server.server.listen();
  const port = Number(new URL(server.server.urls[0] ?? '').port);
  return {
    ...server,
    request: (method, path, body, headers = {}) =>
      new Promise<TestResponse>((resolve, reject) => {
        const typed = body === undefined ? {} : { 'content-type': 'application/json' };
        const options = { agent: false, port, method, path, headers: { host: '127.0.0.1', ...typed, ...headers } };
        const sent = request(options, (answer) => {
          text(answer).then(
            (received) =>
              resolve({
                status: answer.statusCode ?? 0,
                headers: answer.headers,
                text: received,
                get json(): unknown {
                  return JSON.parse(received) as unknown;
                },
              }),
            reject,
          );
        });
        sent.on('error', reject);
        sent.end(typeof body === 'string' || body === undefined ? body : JSON.stringify(body));
      }),
  };
}
