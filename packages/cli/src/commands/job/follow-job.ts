import { setTimeout as pause } from 'node:timers/promises';
import type { Run, Server } from '@lazuli/client';
import { logPath } from './job-log.ts';
import { isEnded } from './run-jobs.ts';

const lookEveryMs = 1000;

/** Hands over the lines that a job writes, as they come, until it has ended. Gives the run as it ended. */
export async function followJob(
  { client, artifactsAt }: Server,
  runId: string,
  line: (text: string) => void,
): Promise<Run> {
  let seen = 0;
  let rest = '';
  const decoder = new TextDecoder();
  for (;;) {
    // Asked first: what was written before the end is in the log that is read after it.
    const { run } = await client.runs.getRun({ run_id: runId });
    const store = artifactsAt(run.info.artifact_uri);
    const folder = logPath.slice(0, logPath.lastIndexOf('/'));
    const log = (await store.list(folder)).find(({ path }) => path === logPath);
    if (log !== undefined && (log.size ?? Infinity) > seen) {
      const { body, offset } = await store.open(logPath, { offset: seen });
      let skipped = seen - offset;
      for await (const chunk of body) {
        const fresh = chunk.subarray(Math.min(skipped, chunk.byteLength));
        skipped -= chunk.byteLength - fresh.byteLength;
        seen += fresh.byteLength;
        const lines = (rest + decoder.decode(fresh, { stream: true })).split('\n');
        rest = lines.pop() ?? '';
        for (const text of lines) line(text);
      }
    }
    if (isEnded(run)) {
      if (rest !== '') line(rest);
      return run;
    }
    await pause(lookEveryMs);
  }
}
