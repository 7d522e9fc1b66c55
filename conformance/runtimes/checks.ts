import { spawn } from 'node:child_process';

/** One line a check, as `run.mjs` counts them. */
export const count = { failed: 0 };

export async function check(what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
    console.log(`ok - ${what}`);
  } catch (error) {
    count.failed += 1;
    console.log(
      `not ok - ${what}\n${(error instanceof Error ? (error.stack ?? error.message) : String(error)).replace(/^/gm, '    ')}`,
    );
  }
}

export function same(found: unknown, expected: unknown): void {
  const [one, other] = [found, expected].map((value) => JSON.stringify(value));
  if (one !== other) throw new Error(`found ${one} instead of ${other}`);
}

export function skip(what: string, reason: string): void {
  console.log(`ok - ${what} # SKIP ${reason.split('\n')[0] ?? ''}`);
}

/** Runs a program that prints its own lines; one that ends badly without a failed line has failed once. */
export async function relay(
  what: string,
  [program = '', ...args]: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<void> {
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  let complaints = '';
  child.stdout.setEncoding('utf8').on('data', (data: string) => (text += data));
  child.stderr.setEncoding('utf8').on('data', (data: string) => (complaints += data));
  const ended = await new Promise((resolve) => child.on('close', resolve).on('error', resolve));
  process.stdout.write(text);
  const failed = text.match(/^not ok /gm)?.length ?? 0;
  count.failed += failed;
  if (failed === 0 && (ended !== 0 || !text.startsWith('ok'))) {
    await check(`${what}: the program runs to its end`, () =>
      Promise.reject(new Error(`${String(ended)}: ${complaints}`)),
    );
  }
}
