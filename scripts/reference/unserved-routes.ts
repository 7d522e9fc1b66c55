/** Routes of MLflow 3.17 that this version does not serve, by what they are for. A path that is served does not belong here. */
export interface UnservedRoutes {
  readonly feature: string;
  readonly paths: readonly string[];
  /** What a client of MLflow notices. */
  readonly effect: string;
}

export const unservedRoutes: readonly UnservedRoutes[] = [
  {
    feature: 'traces, assessments, issues',
    paths: ['/api/2.0/mlflow/traces/…', '/api/3.0/mlflow/traces/…', '/api/3.0/mlflow/issues/…', '/v1/traces'],
    effect: 'Tracing is not stored; clients say so in a warning and go on.',
  },
  {
    feature: 'evaluation: datasets, scorers, label schemas, review queues, prompt optimisation',
    paths: [
      '/api/3.0/mlflow/datasets/…',
      '/api/3.0/mlflow/scorers/…',
      '/api/3.0/mlflow/label-schemas/…',
      '/api/3.0/mlflow/review-queues/…',
      '/api/3.0/mlflow/prompt-optimization/…',
    ],
    effect: 'Their calls fail. Datasets as inputs of runs (`log_input`) work.',
  },
  { feature: 'webhooks', paths: ['/api/2.0/mlflow/webhooks/…'], effect: 'Their calls fail.' },
  { feature: 'AI gateway', paths: ['/api/3.0/mlflow/gateway/…'], effect: 'Its calls fail.' },
  {
    feature: "MLflow's web pages",
    paths: ['/static-files/…', '/graphql'],
    effect: '`/` shows how to connect instead.',
  },
];
