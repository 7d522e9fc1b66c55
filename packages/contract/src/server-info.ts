import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { Flag, Text } from './scalars.ts';

/** What a monitoring system reads. Not an endpoint: its answer is text in Prometheus's format. */
export const scrapeMetrics = {
  summary: 'Counts and times of the server in the text format of Prometheus.',
  method: 'GET',
  path: '/metrics',
  actions: ['Microsoft.Insights/Metrics/Read'],
  scope: 'server',
} as const;

export const serverInfo = {
  getServerInfo: endpoint({
    summary: 'What this server can do, as clients probe it before they use newer features.',
    method: 'GET',
    path: '/3.0/mlflow/server-info',
    actions: ['read'],
    scope: 'server',
    input: Type.Object({}),
    output: Type.Object({
      store_type: Text(),
      workspaces_enabled: Flag(),
      trace_archival_enabled: Flag(),
      multipart_uploads_enabled: Flag(),
      multipart_downloads_enabled: Flag(),
      presigned_upload_run_id_supported: Flag(),
      presigned_upload_model_id_supported: Flag(),
    }),
  }),
};
