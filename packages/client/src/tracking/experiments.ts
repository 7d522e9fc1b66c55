import { invalidParameter, MlflowError, type Experiment } from '@lazuli/contract';
import type { Client } from '../client.ts';
import { experimentNameIn } from '../dual-tracking/experiment-names.ts';
import type { Environment } from '../environment.ts';
import type { CallOptions } from '../transport.ts';
import type { Connection } from './connection.ts';

type Place = Pick<Connection, 'client' | 'uri' | 'experimentName'>;

/** *The experiment that every server has from its start.* */
const defaultExperiment = '0';

/** The experiment of a name, as this service calls it; makes it where it is not there. */
export async function experimentNamed(
  { client, experimentName }: Place,
  given: string,
  options: CallOptions = {},
): Promise<Experiment> {
  const name = experimentName(given);
  const found = await findExperiment(client, name, options);
  if (found !== undefined) return active(found);
  try {
    const { experiment_id } = await client.experiments.createExperiment({ name }, options);
    return (await client.experiments.getExperiment({ experiment_id }, options)).experiment;
  } catch (error) {
    // Another process has made it meanwhile.
    const made = isCode(error, 'RESOURCE_ALREADY_EXISTS') ? await findExperiment(client, name, options) : undefined;
    if (made === undefined) throw error;
    return active(made);
  }
}

async function findExperiment(client: Client, name: string, options: CallOptions): Promise<Experiment | undefined> {
  try {
    return (await client.experiments.getExperimentByName({ experiment_name: name }, options)).experiment;
  } catch (error) {
    if (isCode(error, 'RESOURCE_DOES_NOT_EXIST')) return undefined;
    throw error;
  }
}

function active(experiment: Experiment): Experiment {
  if (experiment.lifecycle_stage === 'active') return experiment;
  throw new MlflowError(
    'INVALID_STATE',
    `The experiment '${experiment.name}' is deleted. Restore it (client.experiments.restoreExperiment({ experiment_id: '${experiment.experiment_id}' })) or choose another name.`,
  );
}

/** *MLflow: the name comes before the id; where both are set they mean one experiment.* */
export async function experimentOfEnvironment(
  place: Place,
  environment: Environment,
  options: CallOptions,
): Promise<string> {
  const name = environment['MLFLOW_EXPERIMENT_NAME'];
  const id = environment['MLFLOW_EXPERIMENT_ID'];
  if (!name) return id || defaultExperiment;
  const named = id
    ? (await place.client.experiments.getExperiment({ experiment_id: id }, options)).experiment
    : await experimentNamed(place, name, options);
  if (named.name !== experimentNameIn(place.uri.kind, name)) {
    throw invalidParameter(
      `MLFLOW_EXPERIMENT_ID is '${id ?? ''}', the experiment '${named.name}', but MLFLOW_EXPERIMENT_NAME is '${name}'.`,
    );
  }
  return named.experiment_id;
}

export function isCode(error: unknown, code: MlflowError['errorCode']): boolean {
  return error instanceof MlflowError && error.errorCode === code;
}
