import { Command, CommanderError } from 'commander';
import { CommandError, EndWithStatus, isSystemError } from './output.ts';
import { version, type Surroundings } from './surroundings.ts';

/** A command: a line for the overview, and the module that knows its options, which is loaded when it is called. */
interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<(command: Command, surroundings: Surroundings) => void>;
}

const entries: readonly CommandEntry[] = [
  {
    name: 'serve',
    summary: 'Start a tracking server',
    load: async () => (await import('./commands/serve.ts')).describeServe,
  },
  {
    name: 'experiments',
    summary: 'Create, find, rename, delete and restore experiments',
    load: async () => (await import('./commands/experiments.ts')).describeExperiments,
  },
  {
    name: 'runs',
    summary: 'Create, find, show, delete and restore runs; send what was not sent',
    load: async () => (await import('./commands/runs.ts')).describeRuns,
  },
  {
    name: 'artifacts',
    summary: 'List, download and upload the files of runs',
    load: async () => (await import('./commands/artifacts.ts')).describeArtifacts,
  },
  {
    name: 'models',
    summary: 'Look into models that were logged, and download them',
    load: async () => (await import('./commands/models.ts')).describeModels,
  },
  {
    name: 'demo',
    summary: 'Fill a server with an experiment to look at',
    load: async () => (await import('./commands/demo.ts')).describeDemo,
  },
  {
    name: 'model',
    summary: 'Register models, find them, give them aliases and stages',
    load: async () => (await import('./commands/model/model.ts')).describeModel,
  },
  {
    name: 'doctor',
    summary: 'Find out what stands between this shell and a server',
    load: async () => (await import('./commands/doctor.ts')).describeDoctor,
  },
  {
    name: 'login',
    summary: 'Sign in to a server or to a cloud',
    load: async () => (await import('./commands/login.ts')).describeLogin,
  },
  {
    name: 'logout',
    summary: 'Forget who signed in',
    load: async () => (await import('./commands/login.ts')).describeLogout,
  },
  {
    name: 'account',
    summary: 'Who is signed in, and where',
    load: async () => (await import('./commands/account.ts')).describeAccount,
  },
  {
    name: 'cloud',
    summary: 'Which cloud is meant: one of Azure, or your own',
    load: async () => (await import('./commands/cloud.ts')).describeCloud,
  },
  {
    name: 'configure',
    summary: 'Keep defaults for the commands that talk to a server',
    load: async () => (await import('./commands/configure.ts')).describeConfigure,
  },
  {
    name: 'completion',
    summary: 'Print what lets bash or zsh complete a line',
    load: async () => {
      const { describeCompletion } = await import('./commands/completion.ts');
      return (command, surroundings) => describeCompletion(command, surroundings, describeEverything);
    },
  },
  {
    name: 'env',
    summary: "Print what a shell needs for azureml:// and Azure's clients",
    load: async () => (await import('./commands/env.ts')).describeEnv,
  },
  {
    name: 'job',
    summary: 'Run programs and jobs with a run and everything else configured; find them',
    load: async () => (await import('./commands/job/job.ts')).describeJob,
  },
  {
    name: 'session',
    summary: 'Run a program that finds the workspace by itself, such as a notebook',
    load: async () => (await import('./commands/session.ts')).describeSession,
  },
  {
    name: 'token',
    summary: 'Create, list and revoke API tokens',
    load: async () => (await import('./commands/token.ts')).describeToken,
  },
  {
    name: 'ad',
    summary: 'Users, groups and service principals, and what they sign in with',
    load: async () => (await import('./commands/ad/ad.ts')).describeAd,
  },
  {
    name: 'role',
    summary: 'Roles: what they allow, and who holds which on what',
    load: async () => (await import('./commands/role.ts')).describeRole,
  },
  {
    name: 'workspace',
    summary: 'Create, list, show, update and delete workspaces',
    load: async () => (await import('./commands/workspace.ts')).describeWorkspace,
  },
  {
    name: 'db',
    summary: 'Look at the database, bring it up to date, back it up',
    load: async () => (await import('./commands/db.ts')).describeDb,
  },
  {
    name: 'gc',
    summary: 'Delete for good what was marked as deleted',
    load: async () => (await import('./commands/gc.ts')).describeGc,
  },
];

const examples = `
Examples:
  lazuli serve                                     a server on http://127.0.0.1:5000, data in ./lazuli-data
  lazuli serve --port 5001 --data-dir ./elsewhere
  lazuli token create --data-dir ./lazuli-data --role Owner
  lazuli demo                                      something to look at
  lazuli runs list -n churn -o table
  eval "$(lazuli env)"                             azureml:// for the scripts of this shell

It ends with status 0 when all went well, 2 when the line or a setting is wrong, 3 when what was asked for is not
there, 1 when something else failed, and with 130 or 143 when Ctrl-C or a signal ended it; a server that is asked to
stop ends with 0. Data go to stdout, words about them to stderr.
`;

/** Runs one command line and says with which status the process should end. */
export async function runCommandLine(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { output } = surroundings;
  try {
    const program = await createProgram(args, surroundings);
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof EndWithStatus) return error.exitCode;
    if (!(error instanceof CommandError || isSystemError(error))) throw error;
    output.remark(`lazuli: ${error.message}`);
    return error instanceof CommandError ? error.exitCode : 1;
  }
}

/** Only the command that is called is loaded: `lazuli --help` opens no server code. */
async function createProgram(args: readonly string[], surroundings: Surroundings): Promise<Command> {
  const called = args.find((argument) => !argument.startsWith('-'));
  return describeProgram(surroundings, (name) => name === called || called === 'help');
}

/** The program with all of its commands, for those who tell of them. */
export function describeEverything(surroundings: Surroundings): Promise<Command> {
  return describeProgram(surroundings, () => true);
}

async function describeProgram(surroundings: Surroundings, isWanted: (name: string) => boolean): Promise<Command> {
  const program = new Command('lazuli')
    .description('An MLflow-compatible tracking server, and the command that talks to it.')
    .version(version, '--version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', examples)
    .configureOutput({
      writeOut: (text) => surroundings.output.result(text.trimEnd()),
      writeErr: (text) => surroundings.output.remark(text.trimEnd()),
      outputError: (text, write) => write(text.replace(/^error: /, 'lazuli: ')),
    })
    .exitOverride();
  for (const { name, summary, load } of entries) {
    const command = program.command(name).description(summary).helpOption('-h, --help', 'show this help');
    if (isWanted(name)) (await load())(command, surroundings);
  }
  return program;
}
