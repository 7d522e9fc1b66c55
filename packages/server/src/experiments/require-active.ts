import { invalidParameter } from '@lazuli/contract';

/** *MLflow: a deleted experiment takes no runs, no tags and no new name.* */
export function requireActive(experiment: { experiment_id: number; lifecycle_stage: string }): void {
  if (experiment.lifecycle_stage === 'active') return;
  throw invalidParameter(
    `The experiment ${experiment.experiment_id} must be in the 'active' state. Current state is ${experiment.lifecycle_stage}.`,
  );
}
