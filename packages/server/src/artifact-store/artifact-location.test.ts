import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  checkLocation,
  describeLocation,
  experimentLocation,
  joinLocation,
  runArtifactUri,
  type LocationRules,
} from './artifact-location.ts';

const rules: LocationRules = { workingDirectory: '/srv/lazuli', ownHosts: ['tracking.example:5000'] };
const check = (location: string): string => checkLocation(location, rules);

describe('the location of an experiment', () => {
  test.each([
    '/data/runs',
    'file:///data/runs',
    'file:/data/runs',
    's3://bucket/path/',
    's3://bucket/path?region=eu',
    'gs://bucket/path',
    'wasbs://container@account.blob.core.windows.net/path',
    'dbfs:/path',
    'mlflow-artifacts:/path',
    'mlflow-artifacts:///path',
    'mlflow-artifacts://tracking.example:5000/path',
    'models:/name/1',
    'unknown://x',
    'data:abc',
    '/data/50% off/ü',
  ])('%s is kept as it stands', (location) => {
    expect(check(location)).toBe(location);
  });

  test('a relative path starts at the working directory of the server', () => {
    expect(check('runs/here')).toBe('/srv/lazuli/runs/here');
    expect(check('./runs')).toBe('/srv/lazuli/runs');
    expect(check('file:runs')).toBe('file:///srv/lazuli/runs');
  });

  test('has at most 2048 characters, after it has been resolved too', () => {
    const longest = `s3://b/${'x'.repeat(2041)}`;
    expect(check(longest)).toBe(longest);
    for (const location of [`${longest}x`, 'x'.repeat(2048)]) {
      expect(() => check(location)).toThrow(
        'Invalid artifact path length. The length of the artifact path cannot be greater than 2048 characters.',
      );
    }
  });

  test.each(['http', 'https', 'ftp', 'sftp', 'hdfs', 'viewfs', 'abfss', 'r2', 'b2', 'HTTP'])(
    'cannot use the scheme %s, which names a host',
    (scheme) => {
      const named = scheme.toLowerCase();
      expect(() => check(`${scheme}://169.254.169.254/latest`)).toThrow(
        `'artifact_location' cannot use the '${named}' scheme: the '${named}' scheme addresses a host other than the ` +
          `tracking server's configured artifact storage, so the server would connect to the host named in the URI.`,
      );
      expect(() => check(`${scheme}:/path`)).toThrow('cannot use');
    },
  );

  test.each([
    ['mlflow-artifacts://elsewhere.example/path', "cannot use the 'mlflow-artifacts' scheme"],
    ['mlflow-artifacts://tracking.example:5001/path', "cannot use the 'mlflow-artifacts' scheme"],
    ['runs:/abc/d', "Artifact location cannot be a runs:/ URI. Given: 'runs:/abc/d'"],
    ['RUNS:/abc/d', 'cannot be a runs:/ URI'],
    ['s3://b/p#frag', "'artifact_location' URL can't include fragments or params."],
    ['s3://b/p%23frag', "can't include fragments or params"],
    ['s3://b/p%2523frag', "can't include fragments or params"],
    ['/data/p;/../q', "can't include fragments or params"],
    ['s3://b/p%3bq', "can't include fragments or params"],
    ['dbfs:/p?x=/../y', 'Invalid query string'],
    ['s3://b/p?x=%2e%2e', 'Invalid query string'],
    ['s3://b/p?x=%252e%252e', 'Invalid query string'],
    ['s3://b/../p', "'..'"],
    ['s3://../p', "'..'"],
    ['/data/../etc', "'..'"],
    ['/data/%2e%2e/etc', "'..'"],
    ['/data/%252e%252e/etc', "'..'"],
    ['../etc', "'..'"],
    ['file:../etc', "'..'"],
    ['file:///data/..%2fetc', "'..'"],
    ['mlflow-artifacts:/../..', "'..'"],
    ['mlflow-artifacts:/%2e%2e', "'..'"],
    ['mlflow-artifacts:%2e%2ffile:', 'file:'],
    ['//host/share', 'two slashes'],
    ['file:////etc', 'two slashes'],
    ['file://./etc', 'not the host'],
    ['file://host/share', 'not the host'],
    ['C:/Windows', 'Windows path'],
    ['C:\\Windows', 'relative'],
    ['/data\\..\\etc', "'..'"],
    ['/data\\etc', 'backslash'],
    ['/data/a%5cb', 'backslash'],
    ['s3://b/%5c..%5cx', 'relative'],
    ['/data/a\0b', 'control character'],
    ['/data/a%00b', 'control character'],
    ['/data/a\nb', 'control character'],
    [' http://host/', 'not a path or a URI'],
    ['/data/\uD800', 'not a path or a URI'],
    [`/data/%${'25'.repeat(12)}41`, 'too many times'],
  ])('%j is refused', (location, message) => {
    expect(() => check(location)).toThrow(message);
    expect(() => check(location)).toThrow(expect.objectContaining({ errorCode: 'INVALID_PARAMETER_VALUE' }));
  });

  test('never leads the server anywhere but to its own folders, whatever the text', () => {
    const pieces = [
      'mlflow-artifacts:',
      'file:',
      'http:',
      '/',
      '//',
      '..',
      '%2e',
      '%2f',
      '?',
      '#',
      ';',
      'host',
      'a',
      '\\',
      '%25',
    ];
    const hostile = fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(hostile, fc.string()), (text) => {
        let location;
        try {
          location = check(text);
        } catch (error) {
          return (error as { status?: unknown }).status === 400;
        }
        const described = describeLocation(runArtifactUri(location, 'run'));
        return described.kind === 'remote' ? described.scheme !== 'http' : !described.path.split('/').includes('..');
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('describing a location', () => {
  test.each([
    ['mlflow-artifacts:/1/run/artifacts', { kind: 'proxied', path: '1/run/artifacts' }],
    ['mlflow-artifacts://host:5000/1/run', { kind: 'proxied', path: '1/run' }],
    ['mlflow-artifacts:///two%20words', { kind: 'proxied', path: 'two words' }],
    ['mlflow-artifacts:/50% off', { kind: 'proxied', path: '50% off' }],
    ['MLFLOW-ARTIFACTS:/1', { kind: 'proxied', path: '1' }],
    ['/data/runs', { kind: 'local', path: '/data/runs' }],
    ['/data/a%20b?c', { kind: 'local', path: '/data/a%20b?c' }],
    ['file:///data/a%20b', { kind: 'local', path: '/data/a b' }],
    ['s3://bucket/x', { kind: 'remote', scheme: 's3' }],
    ['dbfs:/x', { kind: 'remote', scheme: 'dbfs' }],
  ])('%s', (location, described) => {
    expect(describeLocation(location)).toEqual(described);
  });

  test('a stored location that would lead out of its folder is refused all the same', () => {
    expect(() => describeLocation('mlflow-artifacts:/1/../../x')).toThrow('Invalid path');
    expect(() => describeLocation('mlflow-artifacts:/1/%2e%2e/x')).toThrow('Invalid path');
  });
});

describe('joining locations', () => {
  test.each([
    ['mlflow-artifacts:/', 'mlflow-artifacts:/1/x'],
    ['mlflow-artifacts:', 'mlflow-artifacts:/1/x'],
    ['mlflow-artifacts://host', 'mlflow-artifacts://host/1/x'],
    ['s3://bucket', 's3://bucket/1/x'],
    ['s3://bucket/p/', 's3://bucket/p/1/x'],
    ['s3://bucket/p?region=eu', 's3://bucket/p/1/x?region=eu'],
    ['file:///', 'file:///1/x'],
    ['/data/', '/data/1/x'],
    ['/data/a?b', '/data/a?b/1/x'],
    ['data:abc', 'data:abc/1/x'],
  ])('%s', (location, joined) => {
    expect(joinLocation(location, '1', 'x')).toBe(joined);
  });

  test('the artifacts of a run lie in a folder of the run', () => {
    expect(runArtifactUri('mlflow-artifacts:/0', 'abc')).toBe('mlflow-artifacts:/0/abc/artifacts');
  });

  test('a root that workspaces share carries the GUID, except for the proxy, which puts it in by itself', () => {
    expect(experimentLocation('mlflow-artifacts:/', 'guid', '7')).toBe('mlflow-artifacts:/7');
    expect(experimentLocation('s3://bucket/root', 'guid', '7')).toBe('s3://bucket/root/guid/7');
    expect(experimentLocation('/data', 'guid', '7')).toBe('/data/guid/7');
  });
});
