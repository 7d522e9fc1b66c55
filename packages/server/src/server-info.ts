import type { serverInfo } from '@lazuli/contract';
import type { Handlers } from './access/caller.ts';

/** The MLflow release whose contract this server follows: clients choose features by it. */
export const mlflowVersion = '3.17.0';

/** *Clients of 3.15 and later choose by it whether they go to the store itself with large files.* */
export function serverInfoHandlers({ isDirect }: { readonly isDirect: boolean }): Handlers<typeof serverInfo> {
  return {
    getServerInfo: async () => ({
      store_type: 'SqlStore',
      workspaces_enabled: true,
      trace_archival_enabled: false,
      multipart_uploads_enabled: isDirect,
      multipart_downloads_enabled: isDirect,
      // *What the calls take; whether the store signs is answered by each.*
      presigned_upload_run_id_supported: true,
      presigned_upload_model_id_supported: true,
    }),
  };
}
