import type { ModelVersion } from '@lazuli/contract';
import { isCode } from '../tracking/experiments.ts';
import type { Connection } from '../tracking/connection.ts';
import type { CallOptions } from '../transport.ts';

export interface RegisterOptions extends CallOptions {
  readonly description?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

export interface VersionSource extends RegisterOptions {
  readonly source: string;
  readonly runId?: string;
  readonly modelId?: string;
}

/** Makes the next version of a registered model, and the model itself where it is not there. */
export async function registeredVersion(
  { client }: Connection,
  name: string,
  from: VersionSource,
): Promise<ModelVersion> {
  const options: CallOptions = from.signal === undefined ? {} : { signal: from.signal };
  await client.registeredModels.createRegisteredModel({ name }, options).catch((error: unknown) => {
    if (!isCode(error, 'RESOURCE_ALREADY_EXISTS')) throw error;
  });
  const { model_version } = await client.modelVersions.createModelVersion(
    {
      name,
      source: from.source,
      ...(from.runId === undefined ? {} : { run_id: from.runId }),
      ...(from.modelId === undefined ? {} : { model_id: from.modelId }),
      ...(from.description === undefined ? {} : { description: from.description }),
      ...(from.tags === undefined ? {} : { tags: Object.entries(from.tags).map(([key, value]) => ({ key, value })) }),
    },
    options,
  );
  return model_version;
}
