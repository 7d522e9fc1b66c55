import { invalidParameter, MlflowError } from '@lazuli/contract';
import type { CallOptions, Transport } from '../transport.ts';
import { batchLength, batchOf, type LogBatch, type LogEntry } from './log-entry.ts';

/**
 * The file of what a run could not send: one request a line, ready to be sent as it is.
 *
 *     {"uri":"http://127.0.0.1:5000","path":"/api/2.0/mlflow/runs/log-batch","body":"{…}"}
 *
 * Sending a line twice does no harm, so a file is sent from its start again when it was interrupted.
 */
interface UnsentRequest {
  readonly uri: string;
  readonly path: string;
  readonly body: string;
}

const paths = { batch: '/api/2.0/mlflow/runs/log-batch', end: '/api/2.0/mlflow/runs/update' } as const;

/** The lines of entries, in batches. `write` makes the body of a batch. */
export function batchLines(uri: string, entries: readonly LogEntry[], write: (batch: LogBatch) => string): string[] {
  const lines: string[] = [];
  for (let start = 0; start < entries.length;) {
    const count = batchLength(entries, start);
    const body = write(batchOf(entries.slice(start, start + count)));
    lines.push(JSON.stringify({ uri, path: paths.batch, body } satisfies UnsentRequest));
    start += count;
  }
  return lines;
}

export function endLine(uri: string, body: string): string {
  return JSON.stringify({ uri, path: paths.end, body } satisfies UnsentRequest);
}

export interface ResumedLog {
  /** Requests that the server took. */
  readonly sent: number;
  /** Requests that it refused, with its words; they will be refused again. */
  readonly refused: readonly { readonly line: number; readonly error: MlflowError }[];
}

/** Sends the lines of a file. Rejects where the server does not answer; the file is as good as before then. */
export async function sendLines(
  lines: AsyncIterable<string>,
  transportFor: (uri: string) => Promise<Transport>,
  options: CallOptions = {},
): Promise<ResumedLog> {
  let sent = 0;
  let line = 0;
  const refused: { line: number; error: MlflowError }[] = [];
  for await (const text of lines) {
    line += 1;
    if (text.trim() === '') continue;
    const { uri, path, body } = requestIn(text, line);
    const transport = await transportFor(uri);
    try {
      await transport.send('POST', path, body, options);
      sent += 1;
    } catch (error) {
      if (!(error instanceof MlflowError) || error.status !== 400) throw error;
      refused.push({ line, error });
    }
  }
  return { sent, refused };
}

function requestIn(text: string, line: number): UnsentRequest {
  try {
    const { uri, path, body } = JSON.parse(text) as Partial<UnsentRequest>;
    const isKnown = path === paths.batch || path === paths.end;
    if (typeof uri === 'string' && isKnown && typeof body === 'string') return { uri, path, body };
  } catch {
    // A line that was cut when the disk was full: said below.
  }
  throw invalidParameter(`Line ${line} is not a request that a run has kept.`);
}
