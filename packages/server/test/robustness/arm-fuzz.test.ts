import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  assignmentsOn,
  defaultWorkspace,
  definitionsOn,
  anArmServer,
  group,
  subscription,
} from '../azure/arm-fixture.ts';
import type { Arm } from '../azure/arm-fixture.ts';
import { openDirectly } from '../direct-database.ts';
import { fuzzLimitMs } from './fuzz-limit.ts';
import { hostileTexts } from './hostile-values.ts';

/** How many requests are sent by each of the two. The nightly run sends many more. */
const requests = Number(process.env['LAZULI_FUZZ_REQUESTS'] ?? 500);

const guid = 'c0ffee00-0000-4000-8000-000000000001';
const resources = [
  defaultWorkspace,
  `${group}/providers/Microsoft.MachineLearningServices/workspaces/fuzzed`,
  `${defaultWorkspace}/listKeys`,
  `${defaultWorkspace}/jobs`,
  `${defaultWorkspace}/models/net/versions`,
  `${definitionsOn(defaultWorkspace)}/${guid}`,
  `${assignmentsOn(group)}/${guid}`,
  `${group}/providers/Microsoft.Resources/deployments/d`,
  group,
  subscription,
  '/providers',
  '',
];
const hostile = fc.oneof(
  fc.constantFrom(...hostileTexts, '..', '%', '*', "'", '\\', ' '),
  fc.string({ maxLength: 40 }),
);
const segment = fc.oneof(
  fc.constantFrom('workspaces', 'default', 'providers', 'Microsoft.Authorization', 'jobs'),
  hostile,
);
const path = fc
  .tuple(
    fc.constantFrom(...resources),
    fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(segment, { maxLength: 4 })),
  )
  .map(([start, rest]) => [start, ...rest.map((text) => encodeURIComponent(text.toWellFormed()))].join('/'));
const names = [
  'properties',
  'tags',
  'description',
  'location',
  'identity',
  'publicNetworkAccess',
  'roleDefinitionId',
  'principalId',
  'roleName',
  'assignableScopes',
  'permissions',
  'actions',
  'template',
  'resources',
  'type',
  'parameters',
  'workspaceName',
  'value',
  '__proto__',
];
const { value: body } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    // The first one is what the depth ends with.
    fc.oneof(hostile, fc.constantFrom(null, true, 0, -1, 1e308, guid, defaultWorkspace)),
    fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 6 }),
    fc.array(tie('value'), { maxLength: 2 }),
  ),
}));
const query = fc.array(
  fc.tuple(fc.constantFrom('$filter', '$top', '$skip', 'forceToPurge', 'listViewType', 'api-version'), hostile),
  { maxLength: 2 },
);

/** Gives how many requests were let through. */
async function fuzz(arm: Arm): Promise<number> {
  let ok = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE'),
      path,
      query,
      body,
      async (method, wanted, fields, given) => {
        const search = new URLSearchParams([...fields, ['api-version', '2024-10-01']]).toString();
        const sent = method === 'GET' || method === 'HEAD' ? undefined : JSON.stringify(given);
        const answer = await arm(method, `${wanted === '' ? '/' : wanted}?${search}`, sent);
        expect(answer.status, answer.text).toBeLessThan(500);
        if (answer.status < 300) ok++;
        expect(answer.text.length).toBeLessThan(200_000);
      },
    ),
    { numRuns: requests, endOnFailure: true },
  );
  return ok;
}

test(
  'no request to Azure Resource Manager fails the server, and a Reader changes nothing',
  { timeout: fuzzLimitMs(requests) },
  async () => {
    await using server = await anArmServer();
    const reader = await server.holder({ role: 'Reader', scope: subscription });
    await using database = await openDirectly(server.server.dataDir);
    const before = await database.contents();
    expect(await fuzz(reader.arm)).toBeGreaterThan(0);
    expect(await database.contents()).toBe(before);
    expect(await fuzz(server.owner)).toBeGreaterThan(0);
    expect((await server.owner('GET', defaultWorkspace)).status).toBe(200);
  },
);
