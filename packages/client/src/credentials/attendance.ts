import { invalidParameter } from '@lazuli/contract';
import type { Environment } from './sign-in-context.ts';

/** Whether somebody is there who could answer a sign-in page. A page that nobody sees would block for ever. */
export type Interactive = 'auto' | 'always' | 'never';

export interface Attendance {
  /** Why nobody is asked; `undefined` where somebody may be. */
  readonly absent: string | undefined;
  readonly hasTerminal: boolean;
}

export interface Surroundings {
  readonly environment: Environment;
  /** Default: whether input and output of this process are a terminal. */
  readonly hasTerminal?: boolean;
  readonly platform?: NodeJS.Platform;
}

export function attendanceOf(chosen: Interactive | undefined, surroundings: Surroundings): Attendance {
  const { environment, platform = process.platform } = surroundings;
  const hasTerminal = surroundings.hasTerminal ?? (process.stdin.isTTY && process.stdout.isTTY);
  const interactive = chosen ?? environment['LAZULI_INTERACTIVE'] ?? 'auto';
  if (interactive === 'always') return { absent: undefined, hasTerminal };
  if (interactive === 'never')
    return {
      absent: chosen === 'never' ? "the option 'interactive' is never" : 'LAZULI_INTERACTIVE is never',
      hasTerminal,
    };
  if (interactive !== 'auto')
    throw invalidParameter(`LAZULI_INTERACTIVE is auto, always or never, not '${interactive}'.`);
  if (environment['CI'] && !/^(0|false)$/i.test(environment['CI'])) return { absent: 'CI is set', hasTerminal };
  if (hasTerminal || hasDesktop(environment, platform)) return { absent: undefined, hasTerminal };
  return { absent: 'there is neither a terminal nor a desktop', hasTerminal };
}

/** *macOS names the application, Windows the session of programs that a desktop started.* */
function hasDesktop(environment: Environment, platform: NodeJS.Platform): boolean {
  if (platform === 'darwin') return Boolean(environment['__CFBundleIdentifier']);
  if (platform === 'win32') return /^(console|rdp)/i.test(environment['SESSIONNAME'] ?? '');
  return Boolean(environment['DISPLAY'] || environment['WAYLAND_DISPLAY']);
}
