import { Type, type Static } from 'typebox';
import { endpoint } from './endpoint.ts';
import { Flag, Int64, List, ProtoEnum, Text } from './scalars.ts';

/** Lazuli's own surface (`/api/lazuli/1.0`): the end of what was deleted, which MLflow has as a command on the database. */
export const CollectableKind = ProtoEnum({ LOGGED_MODEL: 1, RUN: 2, EXPERIMENT: 3 });
export type CollectableKind = Static<typeof CollectableKind>;

export const Collected = Type.Object({ kind: CollectableKind, id: Text() });
export type Collected = Static<typeof Collected>;

export const KeptBack = Type.Object({
  kind: CollectableKind,
  id: Text(),
  reason: Text({ description: 'what still uses it, or why it is not to be collected' }),
});
export type KeptBack = Static<typeof KeptBack>;

export const UnremovedFiles = Type.Object({ uri: Text(), reason: Text() });
export type UnremovedFiles = Static<typeof UnremovedFiles>;

/** One emptying: what one caller has collected from the first page to the last. */
export const Collection = Type.Object({
  collection_id: Int64(),
  principal: Text({ description: 'who did it' }),
  start_time: Int64(),
  end_time: Int64(),
  older_than_ms: Int64(),
  runs: Int64(),
  experiments: Int64(),
  logged_models: Int64(),
  pending: Int64(),
});
export type Collection = Static<typeof Collection>;

/** Only who may delete the workspace may empty it. */
const emptyWorkspace = ['delete'] as const;

export const collections = {
  collect: endpoint({
    summary:
      'Delete for good, page by page, what was marked as deleted longer ago than an age, with its files; what is still used stays and is named.',
    method: 'POST',
    path: '/api/lazuli/1.0/gc/collect',
    prefixes: ['none'],
    actions: emptyWorkspace,
    input: Type.Object({
      older_than_ms: Type.Optional(Int64()),
      run_ids: Type.Optional(List(Text())),
      experiment_ids: Type.Optional(List(Text())),
      logged_model_ids: Type.Optional(List(Text())),
      dry_run: Type.Optional(Flag()),
      page_token: Type.Optional(Text()),
    }),
    output: Type.Object({
      collected: Type.Optional(List(Collected)),
      kept: Type.Optional(List(KeptBack)),
      unremoved: Type.Optional(List(UnremovedFiles)),
      next_page_token: Type.Optional(Text()),
    }),
  }),
  listCollections: endpoint({
    summary: 'List who emptied the workspace, when, and of how much, the newest first.',
    method: 'GET',
    path: '/api/lazuli/1.0/gc/collections',
    prefixes: ['none'],
    actions: ['read'],
    input: Type.Object({ max_results: Type.Optional(Int64({ default: 100 })), page_token: Type.Optional(Text()) }),
    output: Type.Object({
      collections: Type.Optional(List(Collection)),
      next_page_token: Type.Optional(Text()),
    }),
  }),
};
