import { expect, test } from 'vitest';
import { attendanceOf } from './attendance.ts';

test.each([
  ['a terminal', {}, true, 'linux', undefined],
  ['a desktop of Linux', { WAYLAND_DISPLAY: 'wayland-0' }, false, 'linux', undefined],
  ['an application of macOS', { __CFBundleIdentifier: 'com.example' }, false, 'darwin', undefined],
  ['a desktop of Windows', { SESSIONNAME: 'Console' }, false, 'win32', undefined],
  ['a service of Windows', { SESSIONNAME: 'Services' }, false, 'win32', 'there is neither a terminal nor a desktop'],
  ['a service of macOS', {}, false, 'darwin', 'there is neither a terminal nor a desktop'],
  ['CI with a terminal', { CI: 'true' }, true, 'linux', 'CI is set'],
  ['CI=false', { CI: 'false' }, true, 'linux', undefined],
  ['LAZULI_INTERACTIVE=always in CI', { CI: 'true', LAZULI_INTERACTIVE: 'always' }, false, 'linux', undefined],
  [
    'LAZULI_INTERACTIVE=never at a terminal',
    { LAZULI_INTERACTIVE: 'never' },
    true,
    'linux',
    'LAZULI_INTERACTIVE is never',
  ],
] as const)('with %s', (_, environment, hasTerminal, platform, absent) => {
  expect(attendanceOf(undefined, { environment, hasTerminal, platform }).absent).toBe(absent);
});

test('an option comes before the environment', () => {
  const environment = { LAZULI_INTERACTIVE: 'never' };
  expect(attendanceOf('always', { environment, hasTerminal: false }).absent).toBeUndefined();
});

test('another word is refused', () => {
  const environment = { LAZULI_INTERACTIVE: 'yes' };
  expect(() => attendanceOf(undefined, { environment })).toThrow(
    "LAZULI_INTERACTIVE is auto, always or never, not 'yes'.",
  );
});
