import { Type, type Static } from 'typebox';
import { endpoint } from './endpoint.ts';
import { Int64, List, ProtoEnum, Text } from './scalars.ts';
import { ModelVersion } from './model-versions.ts';

/** Lazuli's own surface beside MLflow's registry: who changed what of a model, and what was so at a time. */
export const ChangeKind = ProtoEnum({
  MODEL_CREATED: 1,
  MODEL_RENAMED: 2,
  MODEL_DELETED: 3,
  VERSION_CREATED: 4,
  VERSION_DELETED: 5,
  DESCRIPTION: 6,
  TAG: 7,
  ALIAS: 8,
  STAGE: 9,
});
export type ChangeKind = Static<typeof ChangeKind>;

export const RegistryChange = Type.Object({
  change_id: Int64(),
  timestamp: Int64(),
  principal: Text({ description: 'who did it' }),
  kind: ChangeKind,
  name: Text({ description: 'the name that the model had after the change' }),
  version: Type.Optional(Text({ description: 'absent where the model itself was changed' })),
  key: Type.Optional(Text({ description: "the tag's key or the alias" })),
  old_value: Type.Optional(Text({ description: 'absent where there was none' })),
  new_value: Type.Optional(Text({ description: 'absent where there is none any more' })),
});
export type RegistryChange = Static<typeof RegistryChange>;

export const RegistryAssignment = Type.Object({
  version: Text(),
  since: Int64(),
  principal: Text({ description: 'who put the version there' }),
  model_version: Type.Optional(ModelVersion),
});
export type RegistryAssignment = Static<typeof RegistryAssignment>;

const read = ['models/read', 'models/versions/read'] as const;

export const registryHistory = {
  listRegistryChanges: endpoint({
    summary: 'List the changes of a registered model and its versions, the newest first; deleted models keep theirs.',
    method: 'GET',
    path: '/api/lazuli/1.0/model-registry/changes',
    prefixes: ['none'],
    actions: read,
    input: Type.Object({
      name: Text(),
      version: Type.Optional(Text()),
      kind: Type.Optional(ChangeKind),
      key: Type.Optional(Text()),
      max_results: Type.Optional(Int64({ default: 100 })),
      page_token: Type.Optional(Text()),
    }),
    output: Type.Object({
      changes: Type.Optional(List(RegistryChange)),
      next_page_token: Type.Optional(Text()),
    }),
  }),
  getRegistryAssignments: endpoint({
    summary: 'Get the versions that an alias named, or that were in a stage, at a time (default: now).',
    method: 'GET',
    path: '/api/lazuli/1.0/model-registry/assignments',
    prefixes: ['none'],
    actions: read,
    input: Type.Object({
      name: Text(),
      alias: Type.Optional(Text()),
      stage: Type.Optional(Text()),
      timestamp: Type.Optional(Int64()),
      at: Type.Optional(Text({ description: 'the time as ISO 8601 writes it; UTC where it names no zone' })),
    }),
    output: Type.Object({ assignments: Type.Optional(List(RegistryAssignment)) }),
  }),
};
