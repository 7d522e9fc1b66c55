import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { rootCertificates, TLSSocket } from 'node:tls';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { fetchWith } from './connecting-fetch.ts';
import { proxyFor } from './proxy.ts';
import { usualAuthorities } from './usual-authorities.ts';

const run = promisify(execFile);
const openssl = (args: string[]): Promise<unknown> => run('openssl', args);
let folder = '';
const file = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lazuli-tls-'));
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  await openssl([
    'req',
    '-x509',
    ...key,
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.pem'),
    '-subj',
    '/CN=test authority',
  ]);
  await writeFile(file('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
  for (const name of ['server', 'client']) {
    await openssl([
      'req',
      ...key.slice(0, 5),
      '-keyout',
      file(`${name}.key`),
      '-out',
      file(`${name}.csr`),
      '-subj',
      `/CN=${name}`,
    ]);
    const signing = [
      '-CA',
      file('ca.pem'),
      '-CAkey',
      file('ca.key'),
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      file('names'),
    ];
    await openssl(['x509', '-req', '-in', file(`${name}.csr`), ...signing, '-out', file(`${name}.pem`)]);
  }
  await writeFile(
    file('both.pem'),
    (await readFile(file('client.pem'), 'utf8')) + (await readFile(file('client.key'), 'utf8')),
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function listening(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.close();
    if (server instanceof http.Server || server instanceof https.Server) server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** A server that tells what reached it. */
async function secureServer(options: https.ServerOptions = {}): Promise<string> {
  const [key, cert, ca] = await Promise.all(['server.key', 'server.pem', 'ca.pem'].map((name) => readFile(file(name))));
  const server = https.createServer({ key, cert, ca, ...options }, (request, response) => {
    const peer = request.socket instanceof TLSSocket ? request.socket.getPeerCertificate().subject : undefined;
    request.setEncoding('utf8');
    let body = '';
    request.on('data', (text: string) => (body += text));
    request.on('end', () => {
      if (request.url === '/moved') response.writeHead(307, { location: '/there' }).end();
      else
        response
          .writeHead(200, { 'x-client': String(peer?.CN ?? '') })
          .end(`${request.method} ${request.url} ${request.headers['content-length']} ${body}`);
    });
  });
  return `https://localhost:${await listening(server)}`;
}

test('a certificate of an own authority is trusted where its file is given, and nowhere else', async () => {
  const url = await secureServer();
  const trusting = fetchWith({ authorities: file('ca.pem'), isInsecure: false }, {});
  const answer = await trusting(`${url}/a?b=c`, { method: 'PUT', body: new Blob(['hello']) });
  expect(await answer.text()).toBe('PUT /a?b=c 5 hello');
  expect(await (await trusting(`${url}/moved`, { method: 'POST', body: 'x' })).text()).toBe('POST /there 1 x');
  await expect(fetchWith({ isInsecure: false }, {})(url)).rejects.toThrow();
  expect((await fetchWith({ isInsecure: true }, {})(url)).status).toBe(200);
});

test('NODE_EXTRA_CA_CERTS counts beside an authority of its own', async () => {
  const url = await secureServer();
  await openssl([
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    file('b.key'),
    '-out',
    file('b.pem'),
    '-subj',
    '/CN=b',
  ]);
  // Node reads the variable when a process starts.
  const program = `
    import { fetchWith } from ${JSON.stringify(new URL('connecting-fetch.ts', import.meta.url).href)};
    const trusting = fetchWith({ authorities: ${JSON.stringify(file('b.pem'))}, isInsecure: false }, {});
    console.log(await (await trusting('${url}/a')).text());`;
  const inProcess = async (extra: NodeJS.ProcessEnv): Promise<string> => {
    const words = ['--conditions=lazuli', '--input-type=module', '-e', program];
    return (await run(process.execPath, words, { env: { ...process.env, ...extra } })).stdout;
  };
  expect(await inProcess({ NODE_EXTRA_CA_CERTS: file('ca.pem') })).toBe('GET /a undefined \n');
  await expect(inProcess({})).rejects.toThrow(/UNABLE_TO_VERIFY|unable to verify|self-signed/);
});

test('a runtime that does not tell whom it trusts is helped with the file of NODE_EXTRA_CA_CERTS', async () => {
  const ca = await readFile(file('ca.pem'), 'utf8');
  const ofOldNode = (extra: string | undefined) => usualAuthorities({ NODE_EXTRA_CA_CERTS: extra }, {});
  expect(ofOldNode(file('ca.pem'))).toEqual([...rootCertificates, ca]);
  expect(ofOldNode(file('absent.pem'))).toEqual(rootCertificates);
  expect(ofOldNode(undefined)).toBe(rootCertificates);
});

test('a client shows its certificate', async () => {
  const url = await secureServer({ requestCert: true, rejectUnauthorized: true });
  const authorities = file('ca.pem');
  const known = await fetchWith({ authorities, clientCertificate: file('both.pem'), isInsecure: false }, {})(url);
  expect(known.headers.get('x-client')).toBe('client');
  await expect(fetchWith({ authorities, isInsecure: false }, {})(url)).rejects.toThrow();
});

async function proxyServer(): Promise<{ url: string; seen: string[] }> {
  const seen: string[] = [];
  const server = http.createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers['proxy-authorization']}`);
    response.end('from the proxy');
  });
  server.on('connect', (request, socket: net.Socket, head) => {
    seen.push(`CONNECT ${request.url} ${request.headers['proxy-authorization']}`);
    const [host, port] = (request.url ?? '').split(':');
    const upstream = net.connect(Number(port), host === 'localhost' ? '127.0.0.1' : host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    for (const end of [upstream, socket]) end.on('error', () => end.destroy());
  });
  return { url: `http://me:p%40ss@127.0.0.1:${await listening(server)}`, seen };
}

const credentials = `Basic ${Buffer.from('me:p@ss').toString('base64')}`;

test('plain requests go to the proxy whole, secure ones through a tunnel, each with its credentials', async () => {
  const url = await secureServer();
  const proxy = await proxyServer();
  const environment = { http_proxy: proxy.url, HTTPS_PROXY: proxy.url };
  const through = fetchWith({ authorities: file('ca.pem'), isInsecure: false }, environment);
  expect(await (await through('http://nowhere.test/x?y')).text()).toBe('from the proxy');
  for (const path of ['/one', '/two']) expect(await (await through(url + path)).text()).toBe(`GET ${path} undefined `);
  expect(proxy.seen).toEqual([
    `GET http://nowhere.test/x?y ${credentials}`,
    `CONNECT ${new URL(url).host} ${credentials}`,
  ]);
});

test('an abort ends a request that goes through sockets', async () => {
  const silent = await listening(net.createServer(() => undefined));
  const stop = new AbortController();
  const waiting = fetchWith({ isInsecure: true }, {})(`http://127.0.0.1:${silent}`, { signal: stop.signal });
  setTimeout(() => stop.abort(), 20);
  await expect(waiting).rejects.toThrow(/abort/i);
});

test('the environment says which hosts need no proxy', () => {
  const environment = { HTTPS_PROXY: 'proxy.test:3128', NO_PROXY: 'localhost, .corp.test example.org:8443' };
  const proxied = (url: string): string | undefined => proxyFor(new URL(url), environment)?.href;
  expect(proxied('https://azure.test')).toBe('http://proxy.test:3128/');
  expect(proxied('http://azure.test')).toBeUndefined();
  expect(proxied('https://localhost:5443')).toBeUndefined();
  expect(proxied('https://a.corp.test')).toBeUndefined();
  expect(proxied('https://notcorp.test')).toBeDefined();
  expect(proxied('https://example.org:8443')).toBeUndefined();
  expect(proxied('https://example.org')).toBeDefined();
  expect(proxyFor(new URL('https://x.test'), { ...environment, no_proxy: '*' })).toBeUndefined();
  expect(proxyFor(new URL('http://x.test'), { ALL_PROXY: 'http://all.test' })?.host).toBe('all.test');
  expect(() => proxyFor(new URL('http://x.test'), { ALL_PROXY: 'socks5://all.test' })).toThrow(/must be an http/);
});
