import { invalidParameter } from '@lazuli/contract';
import type { TrackingUri } from '../tracking-uri.ts';

/**
 * What an experiment is called in a store. *Databricks names experiments by workspace path (`/Users/ada@example.org/iris`);
 * Azure ML takes a path when it creates one and then cannot find it, so there it is the last name of the path (`iris`).*
 */
export function experimentNameIn(kind: TrackingUri['kind'], name: string): string {
  if (kind === 'azureml') return name.replace(/\/+$/, '').replace(/^.*\//, '') || name;
  if (kind === 'databricks' && !name.startsWith('/')) {
    throw invalidParameter(
      `Databricks names experiments by workspace path, so '${name}' has to be one such as /Users/{you}/${name} or /Shared/${name}.`,
    );
  }
  return name;
}
