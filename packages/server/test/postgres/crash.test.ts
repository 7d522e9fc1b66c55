import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { audit } from '../crash/logged-work.ts';
import type { ServerProcess } from '../crash/server-process.ts';
import { expectOnlyUnavailable, startLoad, startOn, watchHealth, type Load } from './load.ts';
import { startPostgres, type PostgresServer } from './postgres-server.ts';

/** How often each is killed. The nightly run sets 20. */
const rounds = Number(process.env['LAZULI_CRASH_ROUNDS'] ?? 2);
const numbers = Array.from({ length: rounds }, (_, index) => index + 1);
/** From the moment that the database answers again, until each client of each server has had an answer. */
const recoveryLimitMs = 5_000;

let postgres: PostgresServer;
let url: string;
let folder: string;
let dataDirs: readonly [string, string];
beforeAll(async () => {
  postgres = await startPostgres({ max_connections: '60' });
  url = await postgres.createDatabase();
  folder = await mkdtemp(join(tmpdir(), 'lazuli-crash-'));
  dataDirs = [join(folder, 'one'), join(folder, 'two')];
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function someTime(): Promise<void> {
  return sleep(100 + Math.random() * 500);
}

async function auditAll(loads: readonly Load[], servers: readonly ServerProcess[]): Promise<void> {
  for (const server of servers) for (const { books } of loads) await audit(server.client, books);
}

describe('two servers on one PostgreSQL, under load', () => {
  test.each(numbers)(
    'one is killed: the other one notices nothing, and nothing acknowledged is lost [round %i]',
    async (round) => {
      await using one = await startOn(url, dataDirs[0]);
      await using two = await startOn(url, dataDirs[1]);
      const [first, second] = await Promise.all([startLoad(one, `a1 ${round}`), startLoad(two, `a2 ${round}`)]);
      await Promise.all([first.untilEachHas(10), second.untilEachHas(10)]);
      await someTime();
      one.signal('SIGKILL');
      expect(await one.ended).toMatchObject({ signal: 'SIGKILL' });
      await first.stop();
      await second.untilEachHas(20);
      await second.stop();
      expect(second.failures).toEqual([]);
      await using again = await startOn(url, dataDirs[0]);
      await auditAll([first, second], [two, again]);
    },
    60_000,
  );

  test.each(numbers)(
    'both are killed: nothing acknowledged is lost and nothing is there in part [round %i]',
    async (round) => {
      const loads: Load[] = [];
      {
        await using one = await startOn(url, dataDirs[0]);
        await using two = await startOn(url, dataDirs[1]);
        loads.push(...(await Promise.all([startLoad(one, `b1 ${round}`), startLoad(two, `b2 ${round}`)])));
        await Promise.all(loads.map((load) => load.untilEachHas(10)));
        await someTime();
        for (const server of [one, two]) server.signal('SIGKILL');
        for (const server of [one, two]) expect(await server.ended).toMatchObject({ signal: 'SIGKILL' });
        await Promise.all(loads.map((load) => load.stop()));
      }
      await using one = await startOn(url, dataDirs[0]);
      await using two = await startOn(url, dataDirs[1]);
      await auditAll(loads, [one, two]);
    },
    60_000,
  );

  describe.each([
    { how: 'PostgreSQL is killed', end: () => postgres.kill() },
    { how: 'PostgreSQL is restarted', end: () => postgres.stop() },
  ])('$how', ({ how, end }) => {
    let one: ServerProcess;
    let two: ServerProcess;
    beforeAll(async () => {
      one = await startOn(url, dataDirs[0]);
      two = await startOn(url, dataDirs[1]);
    });
    afterAll(async () => {
      for (const server of [one, two]) await server[Symbol.asyncDispose]();
    });

    test.each(numbers)(
      'both servers answer 503 and go on by themselves, nothing acknowledged is lost [round %i]',
      async (round) => {
        const loads = await Promise.all([startLoad(one, `${how} one ${round}`), startLoad(two, `${how} two ${round}`)]);
        const watches = [watchHealth(one), watchHealth(two)];
        await Promise.all(loads.map((load) => load.untilEachHas(10)));
        await someTime();
        await end();
        // In some rounds it is away for longer than requests wait for it.
        await sleep(round % 4 === 2 ? 6_000 : Math.random() * 1_000);
        await postgres.start();
        const recovered = await Promise.all(loads.map((load) => load.untilEachHas(1)));
        await Promise.all(loads.map((load) => load.untilEachHas(10)));
        await Promise.all([...loads, ...watches].map((one) => one.stop()));
        for (const ms of recovered) expect(ms).toBeLessThan(recoveryLimitMs);
        for (const load of loads) expectOnlyUnavailable(load);
        await auditAll(loads, [one, two]);
      },
      90_000,
    );
  });
});
