import type { Int64 } from '@lazuli/contract';
import type { WorkspaceRef } from '../access/caller.ts';

/** What a logging request asks for, checked in shape and limits: the members of a group commit (run-log.ts). */
export interface Batch {
  readonly kind: 'batch' | 'param';
  readonly workspace: WorkspaceRef;
  readonly runId: string;
  readonly metrics: MetricColumns;
  readonly params: readonly KeyValue[];
  readonly tags: readonly KeyValue[];
}

/** Points as parallel columns. */
export interface MetricColumns {
  readonly keys: readonly string[];
  readonly values: readonly number[];
  readonly timestamps: readonly Int64[];
  readonly steps: readonly Int64[];
  /** Absent where no point names a logged model. */
  readonly links?: readonly ModelLink[];
}

/** A point that is about a logged model, too. */
export interface ModelLink {
  /** The place of the point in its batch's columns. */
  readonly index: number;
  readonly modelId: string;
  /** Both empty where the point is about no dataset. */
  readonly datasetName: string;
  readonly datasetDigest: string;
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

export interface Creation {
  readonly kind: 'create';
  readonly workspace: WorkspaceRef;
  readonly experimentId: number;
  readonly runName: string;
  readonly userId: string;
  readonly startTime: Int64;
  readonly tags: readonly KeyValue[];
  /** The same id again makes no second run. */
  readonly requestId?: string;
}

/** Names the request that creates a run, so that a client whose answer was lost can send it again. */
export const requestIdTag = 'lazuli.requestId';

/** *MLflow: this tag and the run's name are one.* */
export const runNameTag = 'mlflow.runName';
