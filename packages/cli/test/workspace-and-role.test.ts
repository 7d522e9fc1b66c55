import { execSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { aFolder, lazuli, serving } from './lazuli-process.ts';
import { run } from './run-command.ts';

const subscription = 'a3b1c2d4-0000-4000-8000-000000000009';
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

describe('lazuli workspace', () => {
  test('creates, shows, lists, changes and deletes workspaces of a data directory', async () => {
    using folder = aFolder();
    const workspace = (...args: string[]) =>
      run(['workspace', ...args, '--data-dir', 'data'], {
        cwd: folder.path,
        env: { LAZULI_PUBLIC_URL: 'https://ml.example.org' },
      });
    const there = ['--subscription', subscription, '--resource-group', 'team'];
    const id = `/subscriptions/${subscription}/resourceGroups/team/providers/Microsoft.MachineLearningServices/workspaces/vision`;
    const uri = `azureml://ml.example.org/mlflow/v1.0${id}`;
    const made = await workspace('create', 'vision', ...there, '--location', 'eastus', '--tags', 'owner=ann', 'a=b=c');
    expect(made).toMatchObject({ status: 0, stderr: 'The workspace vision is created.\n' });
    expect(JSON.parse(made.stdout)).toMatchObject({ name: 'vision', resourceGroup: 'team', mlflow_tracking_uri: uri });
    expect(await workspace('create', 'vision', ...there)).toMatchObject({ status: 1, stdout: '' });
    for (const [verb, name] of [
      ['create', 'a/b'],
      ['show', '..'],
      ['delete', '.'],
    ] as const) {
      expect(await workspace(verb, name, ...there)).toMatchObject({
        status: 2,
        stderr: expect.stringContaining(`"${name}" is no name of a workspace`) as string,
      });
    }
    expect(await workspace('delete', 'vision')).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('/resourceGroups/lazuli/') as string,
    });

    expect((await workspace('show', 'vision', ...there, '--query', 'mlflow_tracking_uri')).stdout).toBe(`"${uri}"\n`);
    expect((await workspace('show', 'vision', ...there, '--query', 'nothing')).stdout).toBe('null\n');
    const change = ['--description', 'Pictures', '--tags', 'owner=bob', '--query', 'tags.owner'];
    expect(await workspace('update', '-n', 'vision', ...there, ...change)).toMatchObject({
      status: 0,
      stdout: '"bob"\n',
    });
    expect(JSON.parse((await workspace('show', 'vision', ...there)).stdout)).toMatchObject({
      id,
      location: 'eastus',
      description: 'Pictures',
      tags: { owner: 'bob' },
      subscription_id: subscription,
      resource_group: 'team',
    });
    const set = ['--set', 'display_name=Vision', 'tags.cost.centre=7', '--set', 'description=a=b'];
    const updated = await workspace('update', '-n', 'vision', ...there, ...set);
    expect(JSON.parse(updated.stdout)).toMatchObject({
      display_name: 'Vision',
      description: 'a=b',
      tags: { owner: 'bob', 'cost.centre': '7' },
    });
    const replaced = await workspace('update', '-n', 'vision', ...there, '--tags', 'x=1', '--set', 'tags.y=2');
    expect(JSON.parse(replaced.stdout)).toMatchObject({ display_name: 'Vision', tags: { x: '1', y: '2' } });
    for (const [change, reason] of [
      ['location=westus', '--set: location cannot be changed; description, display_name, tags.<name> can.'],
      ['tags', '--set: "tags" must be path=value'],
    ] as const) {
      const refused = await workspace('update', '-n', 'vision', ...there, '--set', change);
      expect(refused).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining(reason) as string });
    }
    await workspace('config', 'vision', ...there, '--file', 'here.json');
    expect(JSON.parse(readFileSync(join(folder.path, 'here.json'), 'utf8'))).toEqual({
      subscription_id: subscription,
      resource_group: 'team',
      workspace_name: 'vision',
    });
    const listed = JSON.parse((await workspace('list')).stdout) as { name: string }[];
    expect(listed.map(({ name }) => name).toSorted()).toEqual(['default', 'vision']);
    expect((await workspace('list', '--resource-group', 'team', '-o', 'table')).stdout).toMatch(
      /^Name .*\n-+ .*\nvision +team +a3b1c2d4.* eastus\n$/,
    );

    const guarded = await workspace('create', 'guarded', '--private-link', '--location', 'eastus');
    expect(guarded.stdout).toMatch(/"azureml:\/\/[0-9a-f-]{36}\.workspace\.eastus\.api\.ml\.example\.org\//);

    expect(await workspace('delete', 'vision', ...there)).toMatchObject({ status: 0, stdout: '' });
    expect(await workspace('delete', '-n', 'vision', ...there, '--yes')).toMatchObject({ status: 3 });
    expect(await workspace('delete', 'vision', '-n', 'other')).toMatchObject({
      status: 2,
      stderr: 'lazuli: Two names are given: vision and other.\n',
    });
    expect(await workspace('delete')).toMatchObject({ status: 2, stdout: '' });
    expect((await workspace('show', 'vision', ...there)).stderr).toContain('was not found');
  });
});

test('the config.json of a workspace is all that the commands below its folder need', async () => {
  using folder = aFolder();
  await using server = await serving(['--data-dir', 'data'], { cwd: folder.path });
  const env = { HOME: folder.path, LAZULI_URL: server.url };
  const lazuli = (...args: string[]) => run(args, { cwd: folder.path, env });
  await lazuli('workspace', 'create', 'vision', '-g', 'team', '--subscription', subscription);
  await lazuli('workspace', 'create', 'vision', '-g', 'other', '--subscription', subscription);
  await lazuli('workspace', 'config', 'vision', '-g', 'other', '--subscription', subscription);
  await lazuli('experiments', 'create', '-n', 'of the other');
  const names = async (group: string) => {
    const at = ['-w', 'vision', '-g', group, '--subscription', subscription];
    return (await lazuli('experiments', 'search', ...at, '--query', '[].name', '-o', 'tsv')).stdout;
  };
  expect(await names('other')).toContain('of the other\n');
  expect(await names('team')).not.toContain('of the other\n');
  expect((await lazuli('workspace', 'show', '--query', 'resource_group')).stdout).toBe('"other"\n');
});

test('a shell that is set up for a workspace means it, and its server, by every command', async () => {
  using folder = aFolder();
  await using server = await serving(['--data-dir', 'data'], { cwd: folder.path });
  const home = { HOME: folder.path, PATH: process.env['PATH'] ?? '' };
  const at = ['--url', server.url];
  await run(['workspace', 'create', 'vision', ...at], { cwd: folder.path, env: home });
  const { stdout } = await run(['env', '-w', 'vision', '--data-dir', 'data', ...at], { cwd: folder.path, env: home });
  const set = [...stdout.matchAll(/^export (\w+)='(.*)'$/gm)].map(
    ([, name = '', value = '']) => [name, value] as const,
  );
  const shell = { cwd: folder.path, env: { ...home, ...Object.fromEntries(set) } };
  const [workspace, doctor] = await Promise.all([
    lazuli(['workspace', 'show', '--query', 'name'], shell),
    lazuli(['doctor', '--query', '[-1].detail'], shell),
  ]);
  expect([workspace.stdout, doctor.stdout]).toEqual(['"vision"\n', '"vision"\n']);
});

test("what Azure's documents have people type gives the tracking URI", async () => {
  using folder = aFolder();
  await using server = await serving(['--data-dir', 'data'], { cwd: folder.path });
  const env = { HOME: folder.path, LAZULI_URL: server.url };
  const lazuli = (...args: string[]) => run(args, { cwd: folder.path, env });
  await lazuli('workspace', 'create', 'vision', '--resource-group', 'team', '--subscription', subscription);
  await lazuli('configure', '--defaults', `subscription=${subscription}`, 'group=team', 'workspace=vision');
  const line = `${process.execPath} --conditions=lazuli ${main} workspace show --query mlflow_tracking_uri | sed 's/"//g'`;
  const uri = execSync(line, { cwd: folder.path, env: { PATH: process.env['PATH'] ?? '', ...env }, encoding: 'utf8' });
  expect(uri).toMatch(
    new RegExp(`^azureml://\\S+/subscriptions/${subscription}/resourceGroups/team/\\S+/workspaces/vision\\n$`),
  );
});

describe('lazuli role', () => {
  test('gives roles to a token of a running server, lists them and takes them away', async () => {
    using folder = aFolder();
    const cwd = folder.path;
    const first = await lazuli(['token', 'create', '--data-dir', 'data', '--role', 'Owner'], { cwd });
    const env = { LAZULI_TOKEN: first.stdout.trim() };
    await using server = await serving(['--data-dir', 'data', '--auth', 'token'], { cwd });
    const at = ['--url', server.url];
    const role = (...args: string[]) => run(['role', ...args, ...at], { cwd, env });
    await run(['workspace', 'create', 'elsewhere', ...at], { cwd, env });
    const made = await run(
      ['token', 'create', ...at, '--role', 'Reader', '--workspace', 'elsewhere', '--principal', 'ci'],
      { cwd, env },
    );
    const tokens = JSON.parse((await run(['token', 'list', ...at], { cwd, env })).stdout) as {
      token_id: string;
      principal: string;
    }[];
    const ci = tokens.find(({ principal }) => principal === 'ci')?.token_id ?? '';
    const logging = async () => {
      const answer = await fetch(`${server.url}/api/2.0/mlflow/experiments/create`, {
        method: 'POST',
        headers: { authorization: `Bearer ${made.stdout.trim()}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name: randomUUID() }),
      });
      return answer.status;
    };
    expect(await logging()).toBe(403);

    const actions = ['--actions', 'Microsoft.MachineLearningServices/workspaces/experiments/*'];
    const defined = await role('definition', 'create', 'Tracking', ...actions);
    expect(defined.stdout).toMatch(/^[0-9a-f-]{36}\n$/);
    expect((await role('definition', 'create', 'Tracking', ...actions)).stdout).toBe(defined.stdout);
    expect((await role('definition', 'list', '-o', 'table')).stdout).toMatch(/Tracking +CustomRole/);

    const scope = '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/lazuli';
    const assigned = await role('assignment', 'create', '--assignee', ci, '--role', 'Tracking', '--scope', scope);
    expect(assigned).toMatchObject({ status: 0 });
    expect(assigned.stderr).toContain(`${ci} is Tracking on ${scope}`);
    expect(await logging()).toBe(200);
    const listed = await role('assignment', 'list', '--assignee', ci, '-o', 'table');
    expect(listed.stdout).toMatch(new RegExp(`Tracking +${ci} +ServicePrincipal +${scope}`));
    const again = await role('assignment', 'create', '--assignee', ci, '--role', 'Tracking', '--scope', scope);
    expect(again).toMatchObject({ status: 1, stderr: 'lazuli: The role assignment already exists.\n' });
    const [, name = ''] = /\n([0-9a-f]{8}-[0-9a-f-]{27})/.exec(listed.stdout) ?? [];
    expect(await role('assignment', 'delete', name)).toMatchObject({ status: 0 });
    expect(await logging()).toBe(403);
    expect((await role('assignment', 'delete', name)).stderr).toContain('There is no role assignment');
    expect((await role('assignment', 'create', '--assignee', ci, '--role', 'Nothing')).stderr).toContain(
      'no role "Nothing"',
    );
  });

  test('gives a new service principal its role at once, in three lines for its environment', async () => {
    using folder = aFolder();
    const cwd = folder.path;
    const offline = (...args: string[]) => run([...args, '--data-dir', 'data'], { cwd });
    const scope = `/subscriptions/${subscription}/resourceGroups/team`;
    const create = (role: string) =>
      offline('ad', 'sp', 'create-for-rbac', 'training', '--role', role, '--scopes', scope, `${scope}2`);
    expect(await create('Nothing')).toMatchObject({ status: 3, stdout: '' });
    const made = await create('AzureML Data Scientist');
    expect(made.stdout).toMatch(/^AZURE_TENANT_ID=adfs\nAZURE_CLIENT_ID=[0-9a-f-]{36}\nAZURE_CLIENT_SECRET=lzs_\S+\n$/);
    const principals = JSON.parse((await offline('ad', 'sp', 'list')).stdout) as {
      display_name: string;
      object_id: string;
    }[];
    const training = principals.filter(({ display_name }) => display_name === 'training');
    expect(training).toHaveLength(1);
    const unslashed = ['--assignee', 'training', '--role', 'Reader', '--scope', `subscriptions/${subscription}`];
    expect(await offline('role', 'assignment', 'create', ...unslashed)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(`"subscriptions/${subscription}" is no scope`) as string,
    });
    const more = ['--assignee', 'training', '--role', 'Reader', '--scope', '/'];
    const reads = await offline('role', 'assignment', 'create', ...more);
    expect(reads).toMatchObject({ status: 0, stderr: 'training is Reader on /.\n' });
    const held = await offline('role', 'assignment', 'list', '-o', 'table', '--assignee', 'training');
    expect(held.stdout).toMatch(/Reader +training +ServicePrincipal +\//);
    expect(held.stdout.match(/AzureML Data Scientist/g)).toHaveLength(2);
    const unknown = await offline('role', 'assignment', 'create', '--assignee', 'nobody', '--role', 'Reader');
    expect(unknown).toMatchObject({ status: 3, stdout: '' });
    expect(unknown.stderr).toContain("'nobody'");
  });
});
