import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { anArmServer, defaultWorkspace, subscription } from '../azure/arm-fixture.ts';

/** docs/reference/roles.md says what each role may call; here each role calls it. */
const document = readFileSync(new URL('../../../../docs/reference/roles.md', import.meta.url), 'utf8');
const tables = document
  .split(/^## /m)
  .map((section) =>
    section
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .map(cellsOf),
  )
  .filter(([head]) => head?.[0] === 'operation');

const operations = tables.flatMap(([head = [], , ...rows]) =>
  rows.map(([operation = '', , ...cells]) => {
    const [method = '', path = ''] = operation.replaceAll('`', '').split(' ');
    const allowed = new Map(cells.map((cell, index) => [head[index + 2] ?? '', cell === '✓']));
    return { method, path, allowed };
  }),
);

test('each role may call exactly what the reference says', async () => {
  await using arm = await anArmServer();
  const roles = [...(operations[0]?.allowed.keys() ?? [])];
  expect(roles).toHaveLength(7);
  expect(operations.length).toBeGreaterThan(100);
  const differences: string[] = [];
  for (const role of roles) {
    const { secret } = await arm.token(role);
    for (const { method, path, allowed } of operations) {
      const body = method === 'GET' ? undefined : '{}';
      const { status, text } = await arm.server.request(method, urlOf(path), body, {
        authorization: `Bearer ${secret}`,
      });
      const isRefused = status === 403;
      // What is allowed may still be wrong: the requests say nothing more than what they are about.
      // 501 says what the store at hand cannot do.
      const isOrderly = (status < 500 || status === 501) && status !== 401 && status !== 405;
      if (!isOrderly || isRefused === allowed.get(role))
        differences.push(`${role}: ${method} ${path}: ${status} ${text}`);
      if (isRefused && !/may not do|does not have authorization to perform action/.test(text)) differences.push(text);
    }
  }
  expect(differences).toEqual([]);
});

function urlOf(path: string): string {
  const [, , subscriptionId = '', , group = ''] = defaultWorkspace.split('/');
  const names: Readonly<Record<string, string>> = { s: subscriptionId, g: group, w: 'default', scope: '' };
  const url = path.replaceAll(/\{\*?(\w+)\}/g, (_, name: string) => names[name] ?? 'default');
  return /^\/(subscriptions|providers|tenants)/.test(url) ? `${url}?api-version=2024-10-01` : url;
}

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

test('a role that is held on a subscription may do in its workspaces what the reference says', async () => {
  await using arm = await anArmServer();
  const { secret } = await arm.holder({ role: 'AzureML Data Scientist', scope: subscription });
  const headers = { authorization: `Bearer ${secret}` };
  const made = await arm.server.request('POST', '/api/2.0/mlflow/experiments/create', { name: 'x' }, headers);
  const deleted = await arm.server.request('DELETE', `${defaultWorkspace}?api-version=2024-10-01`, undefined, headers);
  expect([made.status, deleted.status]).toEqual([200, 403]);
});
