import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { Text } from './scalars.ts';

export const clientEnvironment = {
  getClientEnvironment: endpoint({
    summary: "What Azure's clients have to be told to reach the workspace: what `lazuli env` prints.",
    method: 'GET',
    path: '/api/lazuli/1.0/client-environment',
    prefixes: ['none'],
    actions: ['read'],
    input: Type.Object({}),
    output: Type.Object({
      tracking_uri: Text(),
      subscription_id: Text(),
      resource_group: Text(),
      workspace_name: Text(),
      cloud: Text(),
      cloud_metadata_url: Text(),
      authority_host: Type.Optional(
        Text({ description: 'where clients sign in; absent without https, and where issuers elsewhere sign them in' }),
      ),
      identity_endpoint: Text(),
      ca_certificate: Type.Optional(Text()),
    }),
  }),
};
