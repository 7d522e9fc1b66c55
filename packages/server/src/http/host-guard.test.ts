import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createHostGuard, type HostGuardSettings } from './host-guard.ts';

const blockedHost = 'Invalid Host header - possible DNS rebinding attack detected';
const blockedOrigin = 'Cross-origin request blocked';

describe('the Host header', () => {
  test.each([
    'localhost',
    'localhost:5000',
    'LOCALHOST:5000',
    'localhost.:5000',
    '127.0.0.1',
    '127.0.0.1:8080',
    '127.1.2.3',
    '[::1]',
    '[::1]:5000',
  ])('%s passes: it is this machine, by whatever port it was forwarded', (host) => {
    expect(read(aGuard(), host)).toBeUndefined();
  });

  test.each([
    'evil.example.com',
    'evil.example.com:5000',
    'localhost.evil.example.com',
    '127.0.0.1.evil.example.com',
    '10.evil.example.com',
    '192.168.0.5',
    '0.0.0.0:5000',
    'localhost@evil.example.com',
    'evil.example.com@localhost',
    'localhost, evil.example.com',
    'localhost:5000:80',
    'localhost:port',
    'localhost:999999',
    '[::1',
    '[::1]x',
    '[localhost]',
    '::1',
    '',
    ' ',
    'localhost ',
    'local\0host',
    'lócalhost',
    'localhost'.repeat(100),
    '__proto__',
  ])('%j is refused', (host) => {
    expect(read(aGuard(), host)).toEqual({ status: 403, text: blockedHost });
  });

  test('is asked for', () => {
    expect(read(aGuard(), undefined)).toEqual({ status: 403, text: blockedHost });
  });

  test('may name the address listened on, the public URL and the allowed hosts, with and without a port', () => {
    const guard = aGuard({
      host: '203.0.113.7',
      publicUrl: 'https://mlflow.example.org/tracking',
      allowedHosts: ['other.example.org', '*.apps.example.org', '198.51.*', 'fixed.example.org:8443'],
    });
    for (const host of ['203.0.113.7:5000', 'mlflow.example.org', 'mlflow.example.org:443', 'other.example.org:1']) {
      expect(read(guard, host), host).toBeUndefined();
    }
    expect(read(guard, 'a.b.apps.example.org')).toBeUndefined();
    expect(read(guard, 'apps.example.org')).toBeDefined();
    expect(read(guard, 'fixed.example.org:8443')).toBeUndefined();
    expect(read(guard, 'fixed.example.org')).toBeDefined();
    expect(read(guard, '198.51.100.1:80')).toBeUndefined();
    expect(read(guard, '198.51.evil.example.com')).toBeDefined();
  });

  test('may be anything where the allowed hosts say so', () => {
    const guard = aGuard({ allowedHosts: ['*'] });
    expect(read(guard, 'whatever.example.com')).toBeUndefined();
    expect(read(guard, 'x'.repeat(300))).toBeDefined();
  });

  test.each(['10.1.2.3:5000', '172.16.0.1', '172.31.255.255', '192.168.1.1', '[fd00::1]:5000', '[fc00::1]'])(
    '%s, a private address, passes with authentication only',
    (host) => {
      expect(read(aGuard({ auth: 'token' }), host)).toBeUndefined();
      expect(read(aGuard({ auth: 'none' }), host)).toBeDefined();
    },
  );

  test.each(['172.32.0.1', '11.0.0.1', '10.evil.example.com', '[2001:db8::1]', '10.0.0'])(
    '%s, no private address, is refused with authentication too',
    (host) => {
      expect(read(aGuard({ auth: 'token' }), host)).toBeDefined();
    },
  );

  test('does not matter for probes', () => {
    const guard = aGuard({ staticPrefix: '/mlflow' });
    for (const url of ['/health', '/version', '/health?x=1', '/mlflow/health']) {
      expect(guard('GET', url, 'pod-7f.cluster', undefined), url).toBeUndefined();
    }
    for (const url of ['/healthy', '/health/../api', '//health', '/api/2.0/mlflow/health', '/']) {
      expect(guard('GET', url, 'pod-7f.cluster', undefined), url).toBeDefined();
    }
    expect(guard('POST', '/health', 'pod-7f.cluster', undefined)).toBeDefined();
  });

  test('passes only where its name is one of ours, whatever it looks like', () => {
    const guard = aGuard({ allowedHosts: ['mlflow.example.org'] });
    const piece = fc.constantFrom(
      'localhost',
      '127.0.0.1',
      '[::1]',
      'mlflow.example.org',
      'evil.com',
      '.',
      ':',
      '@',
      '/',
      '#',
      '5000',
      '%',
      '\\',
      ' ',
      'a',
      '0',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
        const host = pieces.join('');
        if (read(guard, host) !== undefined) return;
        // What a browser would take the name to be, were this the address of a page.
        const name = new URL(`http://${host}/`).hostname.replace(/\.$/, '');
        expect(name).toMatch(/^(localhost|127\.[\d.]+|\[::1\]|mlflow\.example\.org)$/);
      }),
      { numRuns: 5_000 },
    );
  });

  test('is remembered without bounds for nobody', () => {
    const guard = aGuard();
    for (let round = 0; round < 5_000; round += 1) expect(read(guard, `h${round}.example.com`)).toBeDefined();
    expect(read(guard, 'localhost')).toBeUndefined();
  });
});

describe('the Origin header', () => {
  test('of the server itself may change things', () => {
    const guard = aGuard();
    expect(guard('POST', '/api', 'localhost:5000', 'http://localhost:5000')).toBeUndefined();
    expect(guard('POST', '/api', 'localhost', 'http://localhost')).toBeUndefined();
    expect(guard('POST', '/api', '[::1]:5000', 'http://[::1]:5000')).toBeUndefined();
    expect(guard('DELETE', '/api', '127.0.0.1:80', 'http://127.0.0.1')).toBeUndefined();
  });

  test('is not sent by programs, which may change things', () => {
    expect(aGuard()('POST', '/api', 'localhost:5000', undefined)).toBeUndefined();
  });

  test.each([
    'null',
    '',
    'http://evil.example.com',
    'http://evil.example.com:5000',
    'http://localhost:3000',
    'http://localhost',
    'http://127.0.0.1:5000',
    'http://localhost.evil.example.com:5000',
    'http://localhost:5000@evil.example.com',
    'http://localhost:5000/',
    'http://localhost:5000 http://evil.example.com',
    'file://localhost:5000',
    'localhost:5000',
    '*',
  ])('%j of another page may not', (origin) => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
      expect(aGuard()(method, '/api', 'localhost:5000', origin), method).toEqual({ status: 403, text: blockedOrigin });
    }
  });

  test('of another page may read what it will not be shown', () => {
    expect(aGuard()('GET', '/api', 'localhost:5000', 'http://evil.example.com')).toBeUndefined();
  });

  test('of a rebound name is refused by the name', () => {
    const verdict = aGuard()('POST', '/api', 'evil.example.com:5000', 'http://evil.example.com:5000');
    expect(verdict).toEqual({ status: 403, text: blockedHost });
  });

  test('of the public URL passes behind a proxy that changes the Host header', () => {
    const guard = aGuard({
      publicUrl: 'https://mlflow.example.org',
      allowedHosts: ['ml.example.org', '*.dev.example.org'],
    });
    expect(guard('POST', '/api', '127.0.0.1:5000', 'https://mlflow.example.org')).toBeUndefined();
    expect(guard('POST', '/api', '127.0.0.1:5000', 'https://ml.example.org')).toBeUndefined();
    expect(guard('POST', '/api', '127.0.0.1:5000', 'http://mlflow.example.org')).toBeDefined();
    expect(guard('POST', '/api', '127.0.0.1:5000', 'https://x.dev.example.org')).toBeDefined();
    expect(guard('POST', '/api', 'x.dev.example.org', 'https://x.dev.example.org')).toBeUndefined();
  });

  test('of a preflight gets no permission', () => {
    expect(aGuard()('OPTIONS', '/api', 'localhost:5000', 'http://evil.example.com')).toEqual({ status: 204, text: '' });
    expect(aGuard()('OPTIONS', '/api', 'evil.example.com', undefined)?.status).toBe(403);
  });

  test('passes only where it and the Host header are the same place', () => {
    const host = fc.constantFrom('localhost:5000', 'localhost', '127.0.0.1:80', '[::1]:443', 'localhost:443');
    const origin = fc
      .tuple(
        fc.constantFrom('http', 'https', 'ftp'),
        fc.constantFrom('localhost', '127.0.0.1', '[::1]', 'evil.com'),
        fc.constantFrom('', ':5000', ':80', ':443'),
      )
      .map(([scheme, name, port]) => `${scheme}://${name}${port}`);
    fc.assert(
      fc.property(host, origin, (given, page) => {
        const passes = aGuard()('POST', '/api', given, page) === undefined;
        const { protocol, host: pageHost } = new URL(page);
        const sameScheme = new URL(`${protocol}//${given}`).host === pageHost;
        expect(passes).toBe(protocol !== 'ftp:' && sameScheme && page === `${protocol}//${pageHost}`);
      }),
    );
  });
});

function aGuard(settings: Partial<HostGuardSettings> = {}) {
  return createHostGuard({
    host: '127.0.0.1',
    publicUrl: undefined,
    allowedHosts: [],
    staticPrefix: '',
    auth: 'none',
    ...settings,
  });
}

function read(guard: ReturnType<typeof aGuard>, host: string | undefined) {
  return guard('GET', '/api/2.0/mlflow/experiments/search', host, undefined);
}
