import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { integrityOf } from './integrity.ts';
import { audit, emptyBooks, work, type Books } from './logged-work.ts';
import { endOf, spawnServer, startProcess } from './server-process.ts';

/** How often the server is killed. The nightly run sets 20. */
const rounds = Number(process.env['LAZULI_CRASH_ROUNDS'] ?? 5);
const workers = 8;

describe('a server that is killed while clients log', () => {
  let dataDir: string;
  const ledger: Books[] = [];
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'lazuli-crash-'));
  });
  afterAll(() => rm(dataDir, { recursive: true, force: true }));

  test.each(Array.from({ length: rounds }, (_, index) => index + 1))(
    'has afterwards everything that it acknowledged and nothing in part [kill %i]',
    async (round) => {
      const enough = 20 + Math.floor(Math.random() * 800);
      const delayMs = Math.random() * 8;
      {
        await using server = await startProcess({ dataDir, flags: ['--log-level', 'error'] });
        const { experiment_id } = await server.client.experiments.createExperiment({ name: `kill ${round}` });
        const books = emptyBooks(experiment_id);
        ledger.push(books);
        const onAnswer = (): void => {
          if (books.acknowledgements === enough) setTimeout(() => server.signal('SIGKILL'), delayMs);
        };
        await Promise.all(
          Array.from({ length: workers }, (_, index) => work(server.client, books, `${index}`, onAnswer)),
        );
        expect(await server.ended).toMatchObject({ signal: 'SIGKILL' });
        expect(books.acknowledgements).toBeGreaterThanOrEqual(enough);
      }
      if (round % 3 === 0) await killWhileStarting(dataDir);
      await using server = await startProcess({ dataDir, flags: ['--log-level', 'error'] });
      const books = ledger.at(-1);
      if (books === undefined) throw new Error('This round kept no books.');
      await audit(server.client, books);
      expect(integrityOf(dataDir)).toBe('ok');
      server.signal('SIGTERM');
      expect(await server.ended).toMatchObject({ code: 0 });
    },
    60_000,
  );

  test('has the work of every round at the end', async () => {
    await using server = await startProcess({ dataDir, flags: ['--log-level', 'error'] });
    expect(ledger).toHaveLength(rounds);
    for (const books of ledger) await audit(server.client, books);
  });
});

/** A crash of the start that was to make up for a crash. */
async function killWhileStarting(dataDir: string): Promise<void> {
  const { child } = spawnServer({ dataDir });
  const ended = endOf(child);
  setTimeout(() => child.kill('SIGKILL'), 50 + Math.random() * 400);
  await ended;
}
