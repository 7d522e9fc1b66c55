import { randomUUID } from 'node:crypto';
import { openTokens } from '@lazuli/server';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { settingsFor, startServer, type TestServer } from '../server-fixture.ts';

/** A server that asks for tokens, its Owner, and Azure Resource Manager as somebody calls it. */
export interface ArmServer extends AsyncDisposable {
  readonly server: TestServer;
  readonly owner: Arm;
  /** The secret of a new token, and its object id. */
  token(role: string, workspace?: string): Promise<{ secret: string; objectId: string }>;
  /** Somebody with a token that gives nothing by itself in the workspaces of the tests, and roles on scopes. */
  holder(...held: readonly { role: string; scope: string }[]): Promise<{ arm: Arm; secret: string; objectId: string }>;
  as(secret: string): Arm;
}

/** Sends a request; `path` is without api-version unless it has one. */
export type Arm = (method: string, path: string, body?: unknown) => Promise<ArmResponse>;

export interface ArmResponse {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
  readonly json: ArmJson;
}

/** What tests read of answers: each has the fields that fit it. */
export interface ArmJson {
  readonly id: string;
  readonly name: string;
  readonly tenantId: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly value: readonly ArmJson[];
  readonly nextLink?: string;
  readonly error: { readonly code: string; readonly message: string };
}

export const subscription = '/subscriptions/00000000-0000-0000-0000-000000000001';
export const group = `${subscription}/resourceGroups/lazuli`;
export const workspacesIn = (scope: string): string =>
  `${scope}/providers/Microsoft.MachineLearningServices/workspaces`;
export const defaultWorkspace = `${workspacesIn(group)}/default`;
export const assignmentsOn = (scope: string): string =>
  `${scope === '/' ? '' : scope}/providers/Microsoft.Authorization/roleAssignments`;
export const definitionsOn = (scope: string): string =>
  `${scope === '/' ? '' : scope}/providers/Microsoft.Authorization/roleDefinitions`;

export async function anArmServer(publicUrl = 'https://lazuli.test'): Promise<ArmServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'lazuli-arm-'));
  const tokens = await openTokens(await settingsFor(dataDir));
  const { secret } = (await tokens.createToken({ principal: 'olivia', role: 'Owner' })) as { secret: string };
  await tokens.close();
  const server = await startServer({ 'data-dir': dataDir, auth: 'token', 'public-url': publicUrl });
  const as = armOf(server);
  const owner = as(secret);
  const client = server.clientFor({ token: secret });
  await client.workspaces.createWorkspace({ name: 'elsewhere' });

  async function token(role: string, workspace?: string) {
    const made = await client.apiTokens.createToken({
      principal: 'somebody',
      role: role as 'Owner',
      ...(workspace === undefined ? {} : { workspace }),
    });
    return { secret: made.secret, objectId: made.token.token_id };
  }

  return {
    server,
    owner,
    token,
    as,
    async holder(...held) {
      const made = await token('AzureML Registry User', 'elsewhere');
      for (const { role, scope } of held) {
        const { status, text } = await owner('PUT', `${assignmentsOn(scope)}/${randomUUID()}`, {
          properties: { roleDefinitionId: await roleId(owner, role), principalId: made.objectId },
        });
        if (status !== 201) throw new Error(text);
      }
      return { ...made, arm: as(made.secret) };
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function roleId(owner: Arm, name: string): Promise<string> {
  const { json } = await owner('GET', `${definitionsOn('/')}?$filter=${encodeURIComponent(`roleName eq '${name}'`)}`);
  return json.value[0]?.id ?? '';
}

function armOf(server: Pick<TestServer, 'request'>): (secret: string) => Arm {
  return (secret) => async (method, path, body) => {
    const query = path.includes('api-version=') ? '' : `${path.includes('?') ? '&' : '?'}api-version=2024-10-01`;
    const headers = secret === '' ? {} : { authorization: `Bearer ${secret}` };
    return (await server.request(method, path + query, body, headers)) as ArmResponse;
  };
}
