import type { Settings } from '@lazuli/server';

/**
 * What the command says. Results go to stdout, so that they can be captured and piped; words about them go to stderr.
 */
export interface Output {
  readonly result: (text: string) => void;
  readonly remark: (text: string) => void;
  /** Whether a person reads the results as they come. */
  readonly isTerminal: boolean;
}

/** A mistake that the person at the keyboard can mend: one sentence, and the status that the command ends with. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  /** 2 for a wrong command line or setting, 3 where what was asked for is not there, 1 for whatever else went wrong. */
  readonly exitCode: 1 | 2 | 3;

  constructor(exitCode: 1 | 2 | 3, message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** A folder that is not there, a disk that is full: its message names the file and what is wrong, and it is the person's to mend. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

/** The command ends with this status; what there was to say has been said. */
export class EndWithStatus extends Error {
  override readonly name = 'EndWithStatus';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`The command ends with status ${exitCode}.`);
    this.exitCode = exitCode;
  }
}

/** What a command prints before it ends with a status of its own. */
export class AnswerWithStatus {
  readonly answer: unknown;
  readonly exitCode: number;

  constructor(answer: unknown, exitCode: number) {
    this.answer = answer;
    this.exitCode = exitCode;
  }
}

export function createOutput(stdout: NodeJS.WritableStream, stderr: NodeJS.WritableStream): Output {
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // `lazuli token list | head -1` closes the pipe early; that is no failure.
      if (error.code === 'EPIPE') return;
      // A full disk, say. Nobody waits for a stream, so there is no one to tell but the person.
      stderr.write(`lazuli: The output cannot be written: ${error.message}\n`);
      process.exit(1);
    });
  }
  return {
    result: (text) => void stdout.write(`${text}\n`),
    remark: (text) => void stderr.write(`${text}\n`),
    isTerminal: 'isTTY' in stdout && stdout.isTTY === true,
  };
}

/** What the operating system said, as a sentence; undefined where the error is none of its usual ones. */
export function explainSystemError(
  error: unknown,
  where: Pick<Settings, 'host' | 'port' | 'tls' | 'tlsPort'>,
): string | undefined {
  const { code, port = where.port } = error as NodeJS.ErrnoException & { readonly port?: number };
  const { host, tls, tlsPort } = where;
  switch (code) {
    case 'EADDRINUSE':
      return port === tlsPort && tls === 'on'
        ? `Port ${port} of ${host}, meant for HTTPS, is taken by another program; choose another one with --tls-port, or do without by --no-tls.`
        : `Port ${port} of ${host} is taken by another program; choose another one with --port.`;
    case 'EACCES':
      return `This user may not ${isListening(error) ? `listen on port ${port} of ${host}` : `use ${pathOf(error)}`}.`;
    case 'EADDRNOTAVAIL':
      return `This machine has no address ${host}; choose another one with --host.`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The host name ${host} is not known here; choose another one with --host.`;
    case 'ENOSPC':
      return 'There is no space left on the disk of the data directory.';
    case 'EROFS':
      return `${pathOf(error)} lies on a file system that cannot be written.`;
    default:
      return undefined;
  }
}

function isListening(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).syscall === 'listen';
}

function pathOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).path ?? 'the data directory';
}

/** Columns padded to equal width, two blanks between them. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, cell.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A moment in Unix milliseconds, to the second. */
export function moment(time: number | bigint): string {
  return new Date(Number(time)).toISOString().replace(/\.\d+Z$/, 'Z');
}
