import { Type, type Static } from 'typebox';
import { endpoint } from './endpoint.ts';
import { Flag, Int64, List, Text } from './scalars.ts';

/**
 * The directory of the built-in authority (`/api/lazuli/1.0/directory`): who can sign in, with what, and who is in which
 * group. An object is named by its object id, and also by its application id, user name or, where that is unique, display name.
 */
export const DirectoryKind = Type.Unsafe<'User' | 'Group' | 'ServicePrincipal'>({
  type: 'string',
  enum: ['User', 'Group', 'ServicePrincipal'],
});
export type DirectoryKind = Static<typeof DirectoryKind>;

export const DirectoryObject = Type.Object({
  object_id: Text(),
  kind: DirectoryKind,
  display_name: Text(),
  user_name: Type.Optional(Text({ description: 'users: what they sign in with' })),
  app_id: Type.Optional(Text({ description: 'service principals: AZURE_CLIENT_ID' })),
  redirect_uris: Type.Optional(List(Text())),
  disabled: Flag(),
  creation_time: Int64(),
});
export type DirectoryObject = Static<typeof DirectoryObject>;

export const DirectoryCredential = Type.Object({
  credential_id: Text(),
  kind: Type.Unsafe<'secret' | 'certificate' | 'federated'>({
    type: 'string',
    enum: ['secret', 'certificate', 'federated'],
  }),
  display_name: Text(),
  thumbprint: Type.Optional(Text({ description: 'certificates: SHA-256, hex' })),
  issuer: Type.Optional(Text({ description: 'federated: whose tokens sign in' })),
  subject: Type.Optional(Text()),
  audiences: Type.Optional(List(Text())),
  creation_time: Int64(),
  expiry_time: Int64(),
});
export type DirectoryCredential = Static<typeof DirectoryCredential>;

/** Only Owners have these: who may give a principal a secret may act as it. */
const reading = { actions: ['Microsoft.Authorization/directory/read'], prefixes: ['none'], scope: 'server' } as const;
const writing = { actions: ['Microsoft.Authorization/directory/write'], prefixes: ['none'], scope: 'server' } as const;
const deleting = {
  actions: ['Microsoft.Authorization/directory/delete'],
  prefixes: ['none'],
  scope: 'server',
} as const;

export const directory = {
  getTenant: endpoint({
    summary: 'Get the tenant of the built-in authority.',
    method: 'GET',
    path: '/api/lazuli/1.0/directory/tenant',
    ...reading,
    input: Type.Object({}),
    output: Type.Object({ tenant_id: Text(), domain: Text() }),
  }),
  createUser: endpoint({
    summary: 'Create a user; a password that is not given is made up, and is in this answer and nowhere else.',
    method: 'POST',
    path: '/api/lazuli/1.0/directory/users/create',
    ...writing,
    input: Type.Object({
      user_name: Text(),
      display_name: Type.Optional(Text()),
      password: Type.Optional(Text()),
    }),
    output: Type.Object({ object: DirectoryObject, password: Type.Optional(Text()) }),
  }),
  setPassword: endpoint({
    summary: "Set a user's password, or make one up; every sign-in of the user ends.",
    method: 'POST',
    path: '/api/lazuli/1.0/directory/users/set-password',
    ...writing,
    input: Type.Object({ object: Text(), password: Type.Optional(Text()) }),
    output: Type.Object({ password: Type.Optional(Text()) }),
  }),
  createGroup: endpoint({
    summary: 'Create a group.',
    method: 'POST',
    path: '/api/lazuli/1.0/directory/groups/create',
    ...writing,
    input: Type.Object({ display_name: Text() }),
    output: Type.Object({ object: DirectoryObject }),
  }),
  addGroupMember: endpoint({
    summary: 'Put a user or a service principal into a group.',
    method: 'POST',
    path: '/api/lazuli/1.0/directory/groups/add-member',
    ...writing,
    input: Type.Object({ group: Text(), member: Text() }),
    output: Type.Object({}),
  }),
  removeGroupMember: endpoint({
    summary: 'Take a member out of a group.',
    method: 'POST',
    path: '/api/lazuli/1.0/directory/groups/remove-member',
    ...deleting,
    input: Type.Object({ group: Text(), member: Text() }),
    output: Type.Object({}),
  }),
  listGroupMembers: endpoint({
    summary: 'List the members of a group.',
    method: 'GET',
    path: '/api/lazuli/1.0/directory/groups/members',
    ...reading,
    input: Type.Object({ group: Text() }),
    output: Type.Object({ objects: Type.Optional(List(DirectoryObject)) }),
  }),
  createServicePrincipal: endpoint({
    summary: 'Create a service principal, with an application id of its own.',
    method: 'POST',
    path: '/api/lazuli/1.0/directory/service-principals/create',
    ...writing,
    input: Type.Object({ display_name: Text(), redirect_uris: Type.Optional(List(Text())) }),
    output: Type.Object({ object: DirectoryObject }),
  }),
  listDirectoryObjects: endpoint({
    summary: 'List users, groups and service principals.',
    method: 'GET',
    path: '/api/lazuli/1.0/directory/objects',
    ...reading,
    input: Type.Object({ kind: Type.Optional(DirectoryKind) }),
    output: Type.Object({ objects: Type.Optional(List(DirectoryObject)) }),
  }),
  getDirectoryObject: endpoint({
    summary: 'Get a user, group or service principal.',
    method: 'GET',
    path: '/api/lazuli/1.0/directory/objects/get',
    ...reading,
    input: Type.Object({ object: Text() }),
    output: Type.Object({ object: DirectoryObject }),
  }),
  updateDirectoryObject: endpoint({
    summary: 'Disable or enable a user or service principal: tokens that it holds are refused meanwhile.',
    method: 'POST',
    path: '/api/lazuli/1.0/directory/objects/update',
    ...writing,
    input: Type.Object({ object: Text(), disabled: Flag() }),
    output: Type.Object({ object: DirectoryObject }),
  }),
  deleteDirectoryObject: endpoint({
    summary: 'Delete a user, group or service principal with its credentials; tokens that it holds are refused.',
    method: 'POST',
    path: '/api/lazuli/1.0/directory/objects/delete',
    ...deleting,
    input: Type.Object({ object: Text() }),
    output: Type.Object({}),
  }),
  createSecret: endpoint({
    summary: 'Create a client secret of a service principal; it is in this answer and nowhere else.',
    method: 'POST',
    path: '/api/lazuli/1.0/directory/secrets/create',
    ...writing,
    input: Type.Object({
      object: Text(),
      display_name: Type.Optional(Text()),
      expiry_time: Type.Optional(Int64()),
    }),
    output: Type.Object({ credential: DirectoryCredential, secret: Text() }),
  }),
  addCertificate: endpoint({
    summary: 'Let a service principal sign in with the key of a certificate (PEM), until that expires.',
    method: 'POST',
    path: '/api/lazuli/1.0/directory/certificates/add',
    ...writing,
    input: Type.Object({ object: Text(), certificate: Text(), display_name: Type.Optional(Text()) }),
    output: Type.Object({ credential: DirectoryCredential }),
  }),
  addFederatedCredential: endpoint({
    summary:
      'Let a service principal sign in with the tokens of an issuer elsewhere, under one subject; they are meant for api://AzureADTokenExchange where no audience is given.',
    method: 'POST',
    path: '/api/lazuli/1.0/directory/federated-credentials/add',
    ...writing,
    input: Type.Object({
      object: Text(),
      issuer: Text(),
      subject: Text(),
      audiences: Type.Optional(List(Text())),
      display_name: Type.Optional(Text()),
    }),
    output: Type.Object({ credential: DirectoryCredential }),
  }),
  listCredentials: endpoint({
    summary:
      'List the secrets, certificates and federated credentials of a service principal, without the secrets themselves.',
    method: 'GET',
    path: '/api/lazuli/1.0/directory/credentials',
    ...reading,
    input: Type.Object({ object: Text() }),
    output: Type.Object({ credentials: Type.Optional(List(DirectoryCredential)) }),
  }),
  deleteCredential: endpoint({
    summary: 'Delete a secret, certificate or federated credential; nobody signs in with it any more.',
    method: 'POST',
    path: '/api/lazuli/1.0/directory/credentials/delete',
    ...deleting,
    input: Type.Object({ credential_id: Text() }),
    output: Type.Object({}),
  }),
};
