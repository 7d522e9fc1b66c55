import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { place, startManagedServer } from './server.ts';

/**
 * Azure's command line, unmodified, against a cloud of our own: `node --conditions=lazuli conformance/management/azure-cli.ts az`.
 * A run of its own: azure-cli is too large to be installed with the others.
 */
const [az = 'az'] = process.argv.slice(2);
const temporary = await mkdtemp(join(tmpdir(), 'lazuli-az-'));
const server = await startManagedServer(temporary);
const env = {
  ...process.env,
  AZURE_CONFIG_DIR: join(temporary, 'azure'),
  AZURE_CORE_COLLECT_TELEMETRY: 'false',
  REQUESTS_CA_BUNDLE: server.caFile,
  SSL_CERT_FILE: server.caFile,
};
const workspace = `/subscriptions/${place.subscription_id}/resourceGroups/${place.resource_group}/providers/Microsoft.MachineLearningServices/workspaces/${place.workspace_name}`;
const trackingUri = `azureml://${new URL(server.url).host}/mlflow/v1.0${workspace}`;
let failures = 0;

async function run(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(az, args, { env, timeout: 120_000 });
  return stdout.trim();
}

async function check(name: string, test: () => Promise<void>): Promise<void> {
  try {
    await test();
    console.log(`ok - azure-cli: ${name}`);
  } catch (error) {
    failures += 1;
    console.log(`not ok - azure-cli: ${name}\n${String(error).replace(/^/gm, '    ')}`);
  }
}

function expect(found: unknown, wanted: unknown): void {
  const [left, right] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (left !== right) throw new Error(`found ${left}, wanted ${right}`);
}

await check('cloud register, cloud set and cloud list, where ours is the active one', async () => {
  const endpoints = ['resource-manager', 'active-directory', 'active-directory-resource-id'];
  const given = endpoints.flatMap((name) => [`--endpoint-${name}`, server.url]);
  await run('cloud', 'register', '-n', 'Lazuli', ...given, '--suffix-storage-endpoint', 'core.local');
  await run('cloud', 'set', '-n', 'Lazuli');
  expect(JSON.parse(await run('cloud', 'list', '--query', '[?isActive].name', '-o', 'json')), ['Lazuli']);
  await run('config', 'set', 'core.instance_discovery=false');
});

await check('login by a secret, and the subscription that goes with it', async () => {
  const { app_id, secret } = server.owner;
  const who = ['--service-principal', '-u', app_id, `--password=${secret}`, '--tenant', server.tenantId];
  const subscriptions = JSON.parse(await run('login', ...who, '-o', 'json')) as { id: string }[];
  expect(
    subscriptions.map(({ id }) => id),
    [place.subscription_id],
  );
});

await check('rest, with the subscription filled in', async () => {
  const url = workspace.replace(place.subscription_id, '{subscriptionId}');
  const query = ['--query', 'properties.mlFlowTrackingUri', '-o', 'tsv'];
  expect(await run('rest', '--method', 'get', '--url', `${url}?api-version=2024-10-01`, ...query), trackingUri);
});

await check('resource show', async () => {
  const { resource_group, workspace_name } = place;
  const type = 'Microsoft.MachineLearningServices/workspaces';
  const which = ['-g', resource_group, '-n', workspace_name, '--resource-type', type];
  expect(await run('resource', 'show', ...which, '--query', 'properties.mlFlowTrackingUri', '-o', 'tsv'), trackingUri);
});

await check('group list', async () => {
  expect(JSON.parse(await run('group', 'list', '--query', '[].name', '-o', 'json')), [place.resource_group]);
});

await check('role definition list, role assignment create and list', async () => {
  const role = 'AzureML Data Scientist';
  const named = ['role', 'definition', 'list', '--name', role, '--query', '[].roleName', '-o', 'json'];
  expect(JSON.parse(await run(...named)), [role]);
  const who = ['--assignee-object-id', server.dataScientist.object_id, '--assignee-principal-type', 'ServicePrincipal'];
  await run('role', 'assignment', 'create', ...who, '--role', role, '--scope', workspace);
  const listed = ['role', 'assignment', 'list', '--scope', workspace, '--fill-principal-name', 'false'];
  const query = ['--query', `[?principalId=='${server.dataScientist.object_id}'].scope`, '-o', 'json'];
  expect(JSON.parse(await run(...listed, ...query)), [workspace]);
});

console.log(`${failures} failed`);
process.exitCode = failures === 0 ? 0 : 1;
await server.close();
await rm(temporary, { recursive: true, force: true });
