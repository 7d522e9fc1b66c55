import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { promisify } from 'node:util';
import { AzureCliCredential, DefaultAzureCredential } from '@azure/identity';
import { createClient } from '@lazuli/client';
import { azureAuthorization, azureCliCredential, azureCredential, type TokenCredential } from '@lazuli/client/azure';
import { createClientCertificate } from '@lazuli/server';
import { decodeJwt } from 'jose';
import { place, startManagedServer } from '../management/server.ts';

/** Azure's command line, unmodified, against a cloud of our own; and the credentials that run it, with the real program. */
const [python = '', temporary = ''] = process.argv.slice(2);
const server = await startManagedServer(temporary);
const az = join(dirname(python), 'az');
const variables = {
  PATH: [dirname(python), process.env['PATH']].join(delimiter),
  AZURE_CONFIG_DIR: join(temporary, 'azure'),
  AZURE_CORE_COLLECT_TELEMETRY: 'false',
  REQUESTS_CA_BUNDLE: server.caFile,
  SSL_CERT_FILE: server.caFile,
  // This is no virtual machine, whatever answers at the address that those ask.
  AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://127.0.0.1:1',
};
setDefaultCACertificates([...getCACertificates(), server.certificate]);
const { subscription_id, resource_group, workspace_name } = place;
const group = `/subscriptions/${subscription_id}/resourceGroups/${resource_group}`;
const workspace = `${group}/providers/Microsoft.MachineLearningServices/workspaces/${workspace_name}`;
const trackingUri = `azureml://${new URL(server.url).host}/mlflow/v1.0${workspace}`;
let failures = 0;

async function run(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(az, args, { env: { ...process.env, ...variables }, timeout: 120_000 });
  return stdout.trim();
}

async function json(...args: string[]): Promise<unknown> {
  return JSON.parse(await run(...args, '-o', 'json'));
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

const asServicePrincipal = ['login', '--service-principal', '-u', server.owner.app_id, '--tenant', server.tenantId];

/** Who calls the server, signed in by this credential. */
async function expectOwner(credential: TokenCredential): Promise<void> {
  const scope = `${server.url}/.default`;
  const client = createClient({
    url: server.url,
    authorization: azureAuthorization({ credential, scope, environment: {} }),
  });
  expect((await client.experiments.getExperiment({ experiment_id: '0' })).experiment.name, 'Default');
  const { token = '' } = (await credential.getToken(scope)) ?? {};
  expect(decodeJwt(token)['oid'], server.owner.object_id);
}

await check('cloud register, cloud set and cloud list, where ours is the active one', async () => {
  const endpoints = ['resource-manager', 'active-directory', 'active-directory-resource-id'];
  const given = endpoints.flatMap((name) => [`--endpoint-${name}`, server.url]);
  await run('cloud', 'register', '-n', 'Lazuli', ...given, '--suffix-storage-endpoint', 'core.local');
  await run('cloud', 'set', '-n', 'Lazuli');
  expect(await json('cloud', 'list', '--query', '[?isActive].name'), ['Lazuli']);
  await run('config', 'set', 'core.instance_discovery=false');
});

await check('login is refused with a wrong secret, in the words of Entra', async () => {
  const refused = await run(...asServicePrincipal, '--password=wrong').then(
    () => 'signed in',
    (error: unknown) => String(error),
  );
  if (!refused.includes('AADSTS7000215')) throw new Error(refused);
});

await check('login by a secret, and the subscription that goes with it', async () => {
  const subscriptions = (await json(...asServicePrincipal, `--password=${server.owner.secret}`)) as { id: string }[];
  expect(
    subscriptions.map(({ id }) => id),
    [subscription_id],
  );
});

await check('account show', async () => {
  const query = ['--query', '[id, tenantId, environmentName, state, user.name, user.type]'];
  const wanted = [subscription_id, server.tenantId, 'Lazuli', 'Enabled', server.owner.app_id, 'servicePrincipal'];
  expect(await json('account', 'show', ...query), wanted);
});

await check('account get-access-token', async () => {
  const found = (await json('account', 'get-access-token', '--resource', server.url)) as Record<string, unknown>;
  expect([found['tokenType'], found['subscription'], found['tenant']], ['Bearer', subscription_id, server.tenantId]);
  expect(decodeJwt(String(found['accessToken']))['oid'], server.owner.object_id);
});

await check('rest, with the subscription filled in', async () => {
  const url = workspace.replace(subscription_id, '{subscriptionId}');
  const query = ['--query', 'properties.mlFlowTrackingUri', '-o', 'tsv'];
  expect(await run('rest', '--method', 'get', '--url', `${url}?api-version=2024-10-01`, ...query), trackingUri);
});

await check('rest puts a tag on the workspace, and a wrong body is refused with a sentence', async () => {
  const at = ['rest', '--method', 'patch', '--url', `${workspace}?api-version=2024-10-01`];
  expect(await json(...at, '--body', '{"tags":{"team":"lab"}}', '--query', 'tags.team'), 'lab');
  const refused = await run(...at, '--body', '{"tags":7}').then(
    () => 'taken',
    (error: unknown) => String(error),
  );
  if (!/Bad Request.*tags/s.test(refused)) throw new Error(refused);
});

await check('resource show', async () => {
  const type = 'Microsoft.MachineLearningServices/workspaces';
  const which = ['-g', resource_group, '-n', workspace_name, '--resource-type', type];
  expect(await run('resource', 'show', ...which, '--query', 'properties.mlFlowTrackingUri', '-o', 'tsv'), trackingUri);
});

await check('group list, group show', async () => {
  expect(await json('group', 'list', '--query', '[].name'), [resource_group]);
  expect(await json('group', 'show', '-n', resource_group, '--query', 'id'), group);
});

await check('role definition list, role assignment create and list', async () => {
  const role = 'AzureML Data Scientist';
  expect(await json('role', 'definition', 'list', '--name', role, '--query', '[].roleName'), [role]);
  const { object_id } = server.dataScientist;
  const who = ['--assignee-object-id', object_id, '--assignee-principal-type', 'ServicePrincipal'];
  await run('role', 'assignment', 'create', ...who, '--role', role, '--scope', workspace);
  const listed = ['role', 'assignment', 'list', '--scope', workspace, '--fill-principal-name', 'false'];
  expect(await json(...listed, '--query', `[?principalId=='${object_id}'].scope`), [workspace]);
});

await check('its credential in @azure/identity, by itself and in the chain, signs in with the program', async () => {
  Object.assign(process.env, variables);
  await expectOwner(new AzureCliCredential());
  await expectOwner(new DefaultAzureCredential());
});

await check('our own credential, by itself and in the chain, signs in with the program', async () => {
  const environment = { ...process.env, ...variables };
  await expectOwner(azureCliCredential({ environment }));
  await expectOwner(azureCredential({ environment: { ...environment, CI: 'true' } }));
});

await check('login by a certificate', async () => {
  await run('logout');
  const { certificate, privateKey } = await createClientCertificate('owner', Date.now() + 86_400_000);
  const file = join(temporary, 'owner.pem');
  await writeFile(file, `${privateKey}\n${certificate}\n`, { mode: 0o600 });
  await server.client.directory.addCertificate({ object: server.owner.object_id, certificate });
  const found = (await json(...asServicePrincipal, '--certificate', file)) as { id: string }[];
  expect(
    found.map(({ id }) => id),
    [subscription_id],
  );
  expect(await json('group', 'list', '--query', '[].name'), [resource_group]);
});

await check('after logout there is no token, and our credential says so', async () => {
  await run('logout');
  const environment = { ...process.env, ...variables };
  const refused = await azureCliCredential({ environment })
    .getToken(`${server.url}/.default`)
    .then(
      () => 'a token',
      (error: unknown) => String(error),
    );
  if (!refused.includes('Nobody is signed in to Azure CLI.')) throw new Error(refused);
});

await server.close();
process.exitCode = failures === 0 ? 0 : 1;
