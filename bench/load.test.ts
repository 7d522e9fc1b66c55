import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { Address } from './http-connection.ts';
import { FIRST_NUMBER, NUMBER_MARK, runLoad } from './load.ts';
import { inParallel } from './tracking-client.ts';

interface CountingServer {
  readonly address: Address;
  readonly connections: () => number;
  /** The bodies of the requests that named this host and port, in order. */
  readonly bodies: readonly string[];
}

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function countingServer(): Promise<CountingServer> {
  let connections = 0;
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      if (request.headers.host === `127.0.0.1:${address.port}`) bodies.push(body);
      response.end('{}');
    });
  });
  server.on('connection', () => (connections += 1));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  return { address, connections: () => connections, bodies };
}

test('lanes are spread evenly over the processes of a server, each telling its own', async () => {
  const servers = await Promise.all([countingServer(), countingServer(), countingServer()]);
  const lanes = Array.from({ length: 7 }, (_, i) => ({
    method: 'POST' as const,
    path: '/',
    body: `{"lane":${i},"number":${NUMBER_MARK}}`,
    first: FIRST_NUMBER,
  }));
  const result = await runLoad({ addresses: servers.map(({ address }) => address), durationMs: 200, lanes });

  expect(servers.map(({ connections }) => connections())).toEqual([3, 2, 2]);
  const lanesOf = ({ bodies }: CountingServer): number[] =>
    [...new Set(bodies.map((body) => (JSON.parse(body) as { lane: number }).lane))].sort();
  expect(servers.map(lanesOf)).toEqual([
    [0, 3, 6],
    [1, 4],
    [2, 5],
  ]);
  expect(result.errors).toBe(0);
  expect(servers.reduce((sum, { bodies }) => sum + new Set(bodies).size, 0)).toBe(result.answered);
});

test('what is set up and read back in parallel is spread as well', async () => {
  const servers = await Promise.all([countingServer(), countingServer()]);
  const target = { addresses: servers.map(({ address }) => address), apiPath: '' };
  await inParallel(target, 4, [1, 2, 3, 4, 5, 6, 7, 8], (client, item) => client.call('POST', 'verb', { item }));
  expect(servers.map(({ connections }) => connections())).toEqual([2, 2]);
  expect(servers.flatMap(({ bodies }) => bodies)).toHaveLength(8);
});
