import { Type, type Static } from 'typebox';
import { endpoint } from './endpoint.ts';
import { Flag, Int32, List, Text } from './scalars.ts';

export const LoggedModel = Type.Object({
  info: Type.Object({ model_id: Text(), experiment_id: Text(), name: Text(), artifact_uri: Text() }),
});
export type LoggedModel = Static<typeof LoggedModel>;

/**
 * *MLflow 3 clients search the logged models of a run whenever they list a folder of its artifacts, and fail if the search
 * does.* So this one endpoint of the noun is served before there are logged models.
 */
export const loggedModels = {
  searchLoggedModels: endpoint({
    summary: 'Search the logged models of some experiments; this version of the server keeps none.',
    method: 'POST',
    path: '/2.0/mlflow/logged-models/search',
    actions: ['experiments/runs/read', 'jobs/read'],
    input: Type.Object({
      experiment_ids: Type.Optional(List(Text())),
      filter: Type.Optional(Text()),
      datasets: Type.Optional(List(Type.Object({ dataset_name: Text(), dataset_digest: Type.Optional(Text()) }))),
      max_results: Type.Optional(Int32()),
      order_by: Type.Optional(
        List(
          Type.Object({
            field_name: Text(),
            ascending: Type.Optional(Flag()),
            dataset_name: Type.Optional(Text()),
            dataset_digest: Type.Optional(Text()),
          }),
        ),
      ),
      page_token: Type.Optional(Text()),
    }),
    output: Type.Object({ models: Type.Optional(List(LoggedModel)), next_page_token: Type.Optional(Text()) }),
  }),
};
