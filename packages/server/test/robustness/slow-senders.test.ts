import { expect, test } from 'vitest';
import { startServer } from '../server-fixture.ts';
import { openRaw, request } from './raw-connection.ts';

/** Waiting for the limits themselves takes more than a minute, so this is for the nightly run; else it looks at them. */
const isNightly = process.env['LAZULI_NIGHTLY'] !== undefined;

test('a sender that never gets to the end of its headers or its body is cut off', async () => {
  await using server = await startServer();
  await server.server.listen();
  const { port } = server.server.app.server.address() as { port: number };
  expect(server.server.app.server).toMatchObject({ headersTimeout: 30_000, timeout: 120_000 });
  const head = request('POST', '/api/2.0/mlflow/experiments/create', undefined, {
    'Content-Type': 'application/json',
    'Content-Length': '1000',
  });
  const senders = await Promise.all(
    [head.slice(0, 40), head].map(async (text) => {
      const connection = await openRaw(port);
      connection.write(text);
      return connection;
    }),
  );
  try {
    if (!isNightly) return;
    const trickle = setInterval(() => senders.forEach((sender) => sender.write(' ')), 1_000);
    const [slowHead, slowBody] = await Promise.all(senders.map((sender) => sender.closed(90_000)));
    clearInterval(trickle);
    expect(slowHead).toMatch(/^HTTP\/1.1 408 /);
    expect(slowBody).toMatch(/^(HTTP\/1.1 4\d\d |$)/);
  } finally {
    for (const { socket } of senders) socket.destroy();
  }
});
