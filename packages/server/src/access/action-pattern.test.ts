import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { matchesAction } from './action-pattern.ts';

describe('a pattern of actions', () => {
  test.each([
    ['*', 'Microsoft.MachineLearningServices/workspaces/read', true],
    ['*/read', 'Microsoft.MachineLearningServices/workspaces/experiments/runs/read', true],
    ['*/read', 'Microsoft.MachineLearningServices/workspaces/experiments/runs/write', false],
    ['W/*/delete', 'W/delete', true],
    ['W/*/delete', 'W/computes/delete', true],
    ['W/*/delete', 'W/a/b/c/delete', true],
    ['W/*/delete', 'Wdelete', false],
    ['models/*/*', 'models/read', true],
    ['models/*/*', 'models/versions/read', true],
    ['models/*/*', 'models', false],
    ['W/computes/*', 'W/computes/read', true],
    ['W/computes/*', 'W/computes', false],
    ['W/*/x/*/write', 'W/x/write', true],
    ['W/*/*/write', 'W/write', true],
    ['microsoft.authorization/*/WRITE', 'Microsoft.Authorization/roleAssignments/write', true],
    ['W/a*/read', 'W/abc/read', true],
    ['W/a*/read', 'W/read', false],
    ['read', 'readx', false],
    ['', '', true],
    ['', 'read', false],
  ])('%s against %s is %s', (pattern, action, expected) => {
    expect(matchesAction(pattern, action)).toBe(expected);
  });

  const segment = fc.stringMatching(/^[abAB.]{0,3}$/);
  const action = fc.array(segment, { minLength: 1, maxLength: 6 }).map((segments) => segments.join('/'));
  const pattern = fc
    .array(fc.oneof(segment, fc.constant('*'), fc.constant('a*')), { minLength: 1, maxLength: 6 })
    .map((segments) => segments.join('/'));

  test('means what the same pattern means as a regular expression', () => {
    fc.assert(
      fc.property(pattern, action, (wanted, given) => {
        expect(matchesAction(wanted, given)).toBe(asRegExp(wanted).test(given));
      }),
      { numRuns: 5_000 },
    );
  });

  test('covers whatever is left when the stars between slashes of a covered action are taken away', () => {
    fc.assert(
      fc.property(pattern, (wanted) => {
        expect(matchesAction(wanted, wanted.replaceAll('*', 'x'))).toBe(true);
        const shorter = wanted.replaceAll(/(?<=\/)(\*\/)+/g, '').replaceAll('*', '');
        expect(matchesAction(wanted, shorter)).toBe(true);
      }),
    );
  });

  test('costs no more than the product of the lengths, however many stars it has', () => {
    const hostile = `${'/*'.repeat(200)}/x`;
    const started = process.cpuUsage();
    expect(matchesAction(hostile, '/a'.repeat(1_000))).toBe(false);
    expect(process.cpuUsage(started).user).toBeLessThan(1_000_000);
  });
});

/** The same meaning by another road: each run of stars between slashes is an optional group of segments. */
function asRegExp(pattern: string): RegExp {
  const source = pattern
    .replaceAll('.', '\\.')
    .replaceAll(/(?<=\/)((?:\*\/)+)/g, '(?:.*/)?')
    .replaceAll(/(?<!\.)\*/g, '.*');
  return new RegExp(`^${source}$`, 'i');
}
