import { Type, type Static } from 'typebox';
import { endpoint } from './endpoint.ts';
import { Int64, List, Text } from './scalars.ts';

/** Lazuli's own surface (`/api/lazuli/1.0`): the tokens that plain MLflow clients sign in with. */
const roleNames = [
  'Owner',
  'Contributor',
  'Reader',
  'AzureML Data Scientist',
  'AzureML Compute Operator',
  'AzureML Registry User',
  'AzureML Metrics Writer',
] as const;
export type RoleName = (typeof roleNames)[number];
export const RoleName = Type.Unsafe<RoleName>({ type: 'string', enum: roleNames });

export const ApiToken = Type.Object({
  token_id: Text(),
  principal: Text(),
  role: RoleName,
  workspace: Type.Optional(Text({ description: 'absent: every workspace' })),
  creation_time: Int64(),
  expiry_time: Type.Optional(Int64()),
});
export type ApiToken = Static<typeof ApiToken>;

export const apiTokens = {
  createToken: endpoint({
    summary: 'Create an API token; its secret is in this answer and nowhere else.',
    method: 'POST',
    path: '/api/lazuli/1.0/tokens/create',
    prefixes: ['none'],
    actions: ['Microsoft.Authorization/roleAssignments/write'],
    scope: 'server',
    input: Type.Object({
      principal: Text(),
      role: RoleName,
      workspace: Type.Optional(Text()),
      expiry_time: Type.Optional(Int64()),
    }),
    output: Type.Object({ token: ApiToken, secret: Text() }),
  }),
  listTokens: endpoint({
    summary: 'List API tokens, without their secrets.',
    method: 'GET',
    path: '/api/lazuli/1.0/tokens',
    prefixes: ['none'],
    actions: ['Microsoft.Authorization/roleAssignments/read'],
    scope: 'server',
    input: Type.Object({}),
    output: Type.Object({ tokens: Type.Optional(List(ApiToken)) }),
  }),
  revokeToken: endpoint({
    summary: 'Revoke an API token; it is refused from the next request on.',
    method: 'POST',
    path: '/api/lazuli/1.0/tokens/revoke',
    prefixes: ['none'],
    actions: ['Microsoft.Authorization/roleAssignments/delete'],
    scope: 'server',
    input: Type.Object({ token_id: Text() }),
    output: Type.Object({}),
  }),
};
