export function pythonEnvironment(name: string): Promise<string>;
export function npmEnvironment(name: string, packages: readonly string[]): Promise<string>;
export function javaEnvironment(): Promise<string>;
export function output(
  program: string,
  args: readonly string[],
  options?: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv },
): Promise<string>;
