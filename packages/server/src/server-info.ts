import type { serverInfo } from '@lazuli/contract';
import type { Handlers } from './access/caller.ts';

/** The MLflow release whose contract this server follows: clients choose features by it. */
export const mlflowVersion = '3.17.0';

export function serverInfoHandlers(): Handlers<typeof serverInfo> {
  return {
    getServerInfo: async () => ({
      store_type: 'SqlStore',
      workspaces_enabled: true,
      trace_archival_enabled: false,
      multipart_uploads_enabled: false,
      multipart_downloads_enabled: false,
      presigned_upload_run_id_supported: false,
      presigned_upload_model_id_supported: false,
    }),
  };
}
