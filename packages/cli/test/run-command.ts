import { runCommandLine } from '../src/command.ts';
import type { Finished, Surroundings } from './lazuli-process.ts';

/** Runs the command in this process, which is quicker; the streams and the status are what a process would give. */
export async function run(args: readonly string[], { cwd, env = {} }: Surroundings): Promise<Finished> {
  let stdout = '';
  let stderr = '';
  const output = {
    result: (text: string) => void (stdout += `${text}\n`),
    remark: (text: string) => void (stderr += `${text}\n`),
    isTerminal: false,
  };
  const status = await runCommandLine(args, { output, env, workingDir: cwd });
  return { status, stdout, stderr };
}
