import { runCommandLine } from './command.ts';
import { createOutput } from './output.ts';

process.exitCode = await runCommandLine(process.argv.slice(2), {
  output: createOutput(process.stdout, process.stderr),
  env: process.env,
  workingDir: process.cwd(),
});
