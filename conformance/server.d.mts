export interface StartedServer {
  readonly url: string;
  readonly dataDir: string;
  readonly logTail: () => string;
  readonly stop: () => Promise<void>;
}
export function startServer(
  folder: string,
  options?: { readonly flags?: readonly string[]; readonly environment?: NodeJS.ProcessEnv },
): Promise<StartedServer>;
export function startMlflow(folder: string): Promise<Pick<StartedServer, 'url' | 'stop'>>;
export function isWell(url: string): Promise<boolean>;
export function freePort(): Promise<number>;
