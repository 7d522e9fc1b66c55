import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createClient, createResourceManager, type Client, type ResourceManager } from '@lazuli/client';
import { createServer, openTokens, parseSettings } from '@lazuli/server';
import { startTlsFront } from '../../packages/server/test/identity/tls-front.ts';

/** A server behind TLS that asks for tokens, with applications that hold roles, two runs and a registered model. */
export interface ManagedServer {
  readonly url: string;
  /** What clients have to trust, in PEM, and a file with it. */
  readonly certificate: string;
  readonly caFile: string;
  /** As one who may do everything. */
  readonly client: Client;
  readonly tenantId: string;
  readonly owner: Application;
  readonly dataScientist: Application;
  readonly runs: readonly string[];
  close(): Promise<void>;
}

export interface Application {
  readonly object_id: string;
  readonly app_id: string;
  readonly secret: string;
}

const roles = {
  owner: '8e3af657-a8ff-443c-a75c-2fe8c4bcb635',
  dataScientist: 'f6c7c914-8db3-469d-8ca1-694a8f32e121',
} as const;

export const place = {
  subscription_id: '00000000-0000-0000-0000-000000000001',
  resource_group: 'lazuli',
  workspace_name: 'default',
} as const;

export async function startManagedServer(temporary: string): Promise<ManagedServer> {
  const dataDir = join(temporary, 'data');
  await mkdir(dataDir, { recursive: true });
  const front = await startTlsFront();
  const settings = (auth: string) => {
    const flags = { 'data-dir': dataDir, port: '0', 'log-level': 'warn', 'public-url': front.url, auth };
    return parseSettings({ flags, env: {}, workingDir: dataDir, readFile: () => '' });
  };
  const tokens = await openTokens(settings('none'));
  const { secret } = (await tokens.createToken({ principal: 'olivia', role: 'Owner' })) as { secret: string };
  await tokens.close();
  const server = await createServer(settings('entra'));
  await server.listen();
  const { port } = server.app.server.address() as AddressInfo;
  front.leadTo(port);
  const connection = { url: `http://127.0.0.1:${port}`, token: secret };
  const client = createClient(connection);
  const arm = createResourceManager(connection);
  const caFile = join(temporary, 'ca.pem');
  await writeFile(caFile, front.certificate);
  await writeFile(join(temporary, 'config.json'), JSON.stringify(place));
  return {
    url: front.url,
    certificate: front.certificate,
    caFile,
    client,
    tenantId: (await client.directory.getTenant({})).tenant_id,
    owner: await anApplication(client, arm, 'owner'),
    dataScientist: await anApplication(client, arm, 'dataScientist'),
    runs: await furnish(client),
    async close() {
      await front.close();
      await server.close();
    },
  };
}

async function anApplication(
  { directory }: Client,
  arm: ResourceManager,
  role: keyof typeof roles,
): Promise<Application> {
  const { object } = await directory.createServicePrincipal({ display_name: role });
  const { secret } = await directory.createSecret({ object: object.object_id });
  const properties = {
    roleDefinitionId: roles[role],
    principalId: object.object_id,
    principalType: 'ServicePrincipal',
  };
  await arm('PUT', `/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}`, { properties });
  return { object_id: object.object_id, app_id: object.app_id ?? '', secret };
}

async function furnish({ runs, registeredModels, modelVersions }: Client): Promise<string[]> {
  const ids: string[] = [];
  for (const run_name of ['first', 'second']) {
    const { run } = await runs.createRun({ experiment_id: '0', run_name });
    await runs.updateRun({ run_id: run.info.run_id, status: 'FINISHED' });
    ids.push(run.info.run_id);
  }
  await registeredModels.createRegisteredModel({ name: 'net' });
  for (const value of ['digits', 'letters']) {
    await modelVersions.createModelVersion({ name: 'net', source: 's3://bucket/net', tags: [{ key: 'task', value }] });
  }
  return ids;
}
