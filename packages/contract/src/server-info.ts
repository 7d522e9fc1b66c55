import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { Flag, Text } from './scalars.ts';

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
