import type { Client } from '@lazuli/client';
import { aRun } from '../server-fixture.ts';

type Creation = Partial<Parameters<Client['loggedModels']['createLoggedModel']>[0]>;

/** A new model of a run in an experiment of its own. */
export async function aModel(
  client: Client,
  given: Creation = {},
): Promise<{ model_id: string; run_id: string; experiment_id: string }> {
  const { run_id, experiment_id } = await aRun(client);
  const { model } = await client.loggedModels.createLoggedModel({ experiment_id, source_run_id: run_id, ...given });
  return { model_id: model.info.model_id, run_id, experiment_id };
}
