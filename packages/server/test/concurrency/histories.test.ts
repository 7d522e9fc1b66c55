import { expect } from 'vitest';
import { explainRandomHistories } from './histories.ts';
import { onTwoSides } from './two-sides.ts';

/** `LAZULI_HISTORY_SECONDS` chooses another length; the nightly run takes minutes. */
const seconds = Number(process.env['LAZULI_HISTORY_SECONDS'] ?? (process.env['LAZULI_NIGHTLY'] === '1' ? 300 : 10));

onTwoSides(
  'whatever many clients on both sides do at once, what they see is explained by some order',
  async ({ both }) => {
    const sent = await explainRandomHistories(
      both.map(({ client }) => client),
      seconds,
    );
    console.log(`${sent.histories} histories of ${sent.operations} operations are explained`);
    expect(sent.histories).toBeGreaterThanOrEqual(4);
  },
  { timeoutMs: seconds * 1000 + 120_000 },
);
