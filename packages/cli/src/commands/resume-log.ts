import { resolve } from 'node:path';
import { resumeLog } from '@lazuli/client';
import type { Command } from 'commander';
import { connectTracking } from '../connection.ts';
import { AnswerWithStatus } from '../output.ts';
import { addServerCommand } from '../server-command.ts';
import type { Surroundings } from '../surroundings.ts';

/** `lazuli runs resume-log`: sends what the client kept in a file while a server did not answer. */
export function describeResumeLog(command: Command, surroundings: Surroundings): void {
  addServerCommand(command, surroundings, {
    usage: 'resume-log <file>',
    summary: 'Send what a run could not send when it was logged, to the server that it was meant for',
    notes: `The errors and warnings of the client name the file. It is removed when the server has seen all of it; what
the server refuses is listed, and the command ends with status 1.`,
    columns: { Sent: 'sent', Refused: 'length(refused)' },
    examples: ['lazuli runs resume-log ~/.local/state/lazuli/unsent/5c1ee5dcff864ba3b2bd24de1d1c0c4a.jsonl'],
    async answer(_server, _options, file = '') {
      const path = resolve(surroundings.workingDir, file);
      const { sent, refused } = await resumeLog(path, { server: (url) => connectTracking({ url }, surroundings) });
      const answer = { sent, refused: refused.map(({ line, error }) => ({ line, reason: error.message })) };
      return refused.length === 0 ? answer : new AnswerWithStatus(answer, 1);
    },
  });
}
