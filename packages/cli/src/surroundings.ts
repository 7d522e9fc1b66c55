import manifest from '../package.json' with { type: 'json' };
import type { Output } from './output.ts';

/** What a command gets from the world around it. */
export interface Surroundings {
  readonly output: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workingDir: string;
}

/** One version for all packages. */
export const version: string = manifest.version;
