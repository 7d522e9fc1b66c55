import type { Int64 } from '@lazuli/contract';
import type { ArtifactEntry, ArtifactStore, OpenedArtifact, TransferOptions } from '../artifacts/artifact-store.ts';
import type { CallOptions } from '../transport.ts';
import type { ImageSource } from './image.ts';
import type { TableRows } from './table.ts';

export type ParamValue = string | number | bigint | boolean | null | undefined;
export type FinalStatus = 'FINISHED' | 'FAILED' | 'KILLED';

export interface MetricOptions {
  /** Position on the x axis, an integer, also negative; default 0. */
  readonly step?: Int64;
  /** Milliseconds since 1970; default now. */
  readonly timestamp?: Int64;
  /** The logged model that the metric is about. */
  readonly modelId?: string;
  /** The dataset that it was measured on. */
  readonly dataset?: { readonly name: string; readonly digest: string };
}

/**
 * A run that is being logged to. What is logged waits in a queue and goes to the server in the background, in order: the
 * promises of `logMetric` and its kin resolve when the queue has room, `wait` when all has arrived. Bad names and values
 * throw at once; what the server refuses is told by `wait` and `end`.
 */
export interface Run extends AsyncDisposable {
  readonly runId: string;
  readonly runName: string;
  readonly experimentId: string;
  readonly artifactUri: string;
  /** Logs a param, which is written once: another value for it is refused. Values are logged as text. */
  logParam(name: string, value: ParamValue): Promise<void>;
  logParams(params: Readonly<Record<string, ParamValue>>): Promise<void>;
  logMetric(name: string, value: number, options?: MetricOptions): Promise<void>;
  logMetrics(metrics: Readonly<Record<string, number>>, options?: MetricOptions): Promise<void>;
  setTag(name: string, value: ParamValue): Promise<void>;
  setTags(tags: Readonly<Record<string, ParamValue>>): Promise<void>;
  /**
   * Uploads a file. `file` is a path, or content with the name `folder` gives it: `logArtifact(blob, 'plots/loss.svg')`.
   * For a path, `folder` is the folder to put it in.
   */
  logArtifact(file: string | Blob | Uint8Array<ArrayBuffer>, folder?: string, options?: TransferOptions): Promise<void>;
  /** Uploads the files of a local folder, several at once. */
  logArtifacts(localFolder: string, folder?: string, options?: TransferOptions): Promise<void>;
  logText(text: string, path: string, options?: TransferOptions): Promise<void>;
  /** Uploads a value as JSON, or as YAML where the path ends in .yaml or .yml. */
  logDict(value: unknown, path: string, options?: TransferOptions): Promise<void>;
  /** Uploads rows as a table that MLflow shows; rows for a path that has a table already are added to it. */
  logTable(rows: TableRows, path: string, options?: TransferOptions): Promise<void>;
  /** Uploads an image under a path, or as one of a series that MLflow shows by `key` and `step`. */
  logImage(
    image: ImageSource,
    place: string | { readonly key: string; readonly step?: number; readonly timestamp?: number },
    options?: TransferOptions,
  ): Promise<void>;
  /** Uploads a figure: SVG or HTML as text, an image as bytes, or a Plotly figure `{ data, layout }`, as a page or .json. */
  logFigure(
    figure: string | Blob | Uint8Array<ArrayBuffer> | { readonly data: unknown; readonly layout?: unknown },
    path: string,
    options?: TransferOptions,
  ): Promise<void>;
  listArtifacts(folder?: string, options?: CallOptions): Promise<ArtifactEntry[]>;
  openArtifact(path: string, options?: CallOptions): Promise<OpenedArtifact>;
  /** Where the run's files lie, for what the methods above do not do. */
  readonly artifacts: ArtifactStore;
  /** Resolves when all that was logged so far has arrived; rejects with what was refused. A signal ends the waiting, not the sending. */
  wait(options?: CallOptions): Promise<void>;
  /** Sends what waits and ends the run. Rejects where something that was logged did not arrive; the run has ended then, too. */
  end(status?: FinalStatus): Promise<void>;
}
