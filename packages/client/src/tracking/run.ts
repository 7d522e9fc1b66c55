import { compileWriter, contract, invalidParameter, type RunInfo } from '@lazuli/contract';
import {
  checkArtifactPath,
  joinPath,
  type ArtifactStore,
  type TransferOptions,
  type Upload,
} from '../artifacts/artifact-store.ts';
import { batchOf, type LogEntry } from '../logging/log-entry.ts';
import { createLogQueue } from '../logging/log-queue.ts';
import { batchLines, endLine } from '../logging/unsent-log.ts';
import type { CallOptions } from '../transport.ts';
import type { Connection } from './connection.ts';
import { encodedImage } from './image.ts';
import { isStatusForeign } from './job.ts';
import { jsonText } from './json-text.ts';
import type { Platform } from './platform.ts';
import type { FinalStatus, ParamValue, Run } from './run-handle.ts';
import { tableOf, type TableRows } from './table.ts';

const writeBatch = compileWriter(contract.runs.logBatch.input);
const writeUpdate = compileWriter(contract.runs.updateRun.input);

/** A handle on a run that exists and is running. */
export function openRun(info: RunInfo, connection: Connection, platform: Platform, onEnd: () => void): Run {
  const { run_id: runId } = info;
  const { client } = connection;
  const artifacts = connection.artifactsAt(info.artifact_uri);
  const isForeign = isStatusForeign(platform.environment(), runId);
  const { keep } = platform;
  let ended: Promise<void> | undefined;

  const queue = createLogQueue({
    send: async (entries, signal) => {
      await client.runs.logBatch({ run_id: runId, ...batchOf(entries) }, { signal });
    },
    keep:
      keep === undefined
        ? undefined
        : (entries) =>
            keep(
              runId,
              batchLines(connection.address, entries, (batch) => writeBatch({ run_id: runId, ...batch })),
            ),
    warn: platform.warn,
  });

  /** A program that a signal ends stands still where it logs: an error there would end it before the run has ended. */
  let isKilled = false;
  const push = (entry: LogEntry): Promise<void> => (isKilled ? new Promise(() => undefined) : queue.push(entry));
  const tag = (name: string, value: ParamValue): Promise<void> =>
    push({ kind: 'tag', key: name, value: textOf(value) });
  const upload = (uploads: Upload[], options?: TransferOptions): Promise<void> => artifacts.upload(uploads, options);
  const uploadText = (text: string, path: string, type: string, options?: TransferOptions): Promise<void> =>
    upload([{ path, content: new Blob([text], { type }) }], options);

  let tableWork: Promise<void> = Promise.resolve();
  const tables: string[] = [];

  async function addTable(rows: TableRows, path: string, options: TransferOptions = {}): Promise<void> {
    const { signal } = options;
    const call: CallOptions = signal === undefined ? {} : { signal };
    const folder = path.split('/').slice(0, -1).join('/');
    const isThere = (await artifacts.list(folder, call)).some((entry) => entry.path === path);
    const before = isThere ? await textIn(artifacts, path, call) : undefined;
    await uploadText(tableOf(rows, before), path, 'application/json', options);
    if (tables.includes(path)) return;
    tables.push(path);
    // *MLflow finds tables by this tag.* What this run has set of it may still wait in the queue.
    const { run: now } = await client.runs.getRun({ run_id: runId }, call);
    const logged = now.data.tags?.find(({ key }) => key === 'mlflow.loggedArtifacts')?.value ?? '[]';
    const others = (JSON.parse(logged) as { path: string; type: string }[]).filter(
      (entry) => !tables.includes(entry.path),
    );
    await tag(
      'mlflow.loggedArtifacts',
      JSON.stringify([...others, ...tables.map((own) => ({ path: own, type: 'table' }))]),
    );
  }

  let finalStatus: FinalStatus | undefined;
  let isOver = false;

  async function finish(status: FinalStatus): Promise<void> {
    finalStatus = status;
    onEnd();
    const update = { run_id: runId, status, end_time: Date.now() };
    const failures: unknown[] = [];
    await queue.close().catch((error: unknown) => failures.push(error));
    // *The platform of a job keeps the status of its run.*
    if (!isForeign && !isOver) {
      await client.runs.updateRun(update).catch((error: unknown) => {
        keepEnd(update);
        failures.push(error);
      });
    }
    isOver = true;
    forget();
    // What is lost of the log matters more than that the run still seems to go on.
    if (failures.length > 0) throw failures[0];
  }

  function keepEnd(update: Parameters<typeof writeUpdate>[0]): string | undefined {
    return keep?.(runId, [endLine(connection.address, writeUpdate(update))]);
  }

  /** The process ends now, and the run with it. */
  function abandon(status: FinalStatus): string | undefined {
    const lost = queue.abandon();
    const isEnded = isOver || isForeign;
    isOver = true;
    const place = isEnded ? undefined : keepEnd({ run_id: runId, status: finalStatus ?? status, end_time: Date.now() });
    if (lost !== undefined) return `Run ${runId}: ${lost}`;
    return place && `The end of run ${runId} could not be sent; 'lazuli runs resume-log ${place}' sends it.`;
  }

  const run: Run = {
    runId,
    runName: info.run_name,
    experimentId: info.experiment_id,
    artifactUri: info.artifact_uri,
    artifacts,
    logParam: (name, value) => push({ kind: 'param', key: name, value: textOf(value) }),
    logParams: (params) => last(Object.entries(params), ([name, value]) => run.logParam(name, value)),
    logMetric(name, value, { step = 0, timestamp = Date.now(), modelId, dataset } = {}) {
      const point = { kind: 'metric', key: name, value, step, timestamp } as const;
      if (modelId === undefined && dataset === undefined) return push(point);
      return push({
        ...point,
        ...(modelId === undefined ? {} : { model_id: modelId }),
        ...(dataset === undefined ? {} : { dataset_name: dataset.name, dataset_digest: dataset.digest }),
      });
    },
    logMetrics(metrics, options = {}) {
      const at = { timestamp: Date.now(), ...options };
      return last(Object.entries(metrics), ([name, value]) => run.logMetric(name, value, at));
    },
    setTag: tag,
    setTags: (tags) => last(Object.entries(tags), ([name, value]) => tag(name, value)),
    async logArtifact(file, folder, options) {
      if (typeof file !== 'string') {
        const content = file instanceof Blob ? file : new Blob([file]);
        return upload([{ path: folder ?? nameOfBlob(content), content }], options);
      }
      const { open, nameOf } = filesOf(platform);
      await upload([{ path: joinPath(folder, nameOf(file)), content: await open(file) }], options);
    },
    async logArtifacts(localFolder, folder, options) {
      const { open, below } = filesOf(platform);
      const found = await below(localFolder);
      await upload(
        await Promise.all(
          found.map(async ({ path, file }) => ({ path: joinPath(folder, path), content: await open(file) })),
        ),
        options,
      );
    },
    logText: (text, path, options) => uploadText(text, path, 'text/plain;charset=utf-8', options),
    async logDict(value, path, options) {
      if (!/\.ya?ml$/i.test(path)) return uploadText(jsonText(value, 2), path, 'application/json', options);
      const { stringify } = await import('yaml');
      return uploadText(stringify(value), path, 'application/yaml', options);
    },
    logTable(rows, path, options) {
      // One after another: each reads what the one before has written.
      const work = tableWork.then(() => addTable(rows, path, options));
      tableWork = work.catch(() => undefined);
      return work;
    },
    async logImage(image, place, options) {
      const content = await encodedImage(image, filesOfOptional(platform));
      if (typeof place === 'string') return upload([{ path: place, content }], options);
      const { key, step = 0, timestamp = Date.now() } = place;
      // *The name by which MLflow's page finds the images of a series; `%` and `#` are older signs for `+` and `~`.*
      const name = `${key.replaceAll('/', '~')}+step+${step}+timestamp+${timestamp}+${crypto.randomUUID()}`;
      await upload([{ path: `images/${checkArtifactPath(name)}.png`, content }], options);
      await tag('mlflow.loggedImages', 'True');
    },
    async logFigure(figure, path, options) {
      if (typeof figure === 'string')
        return uploadText(figure, path, path.endsWith('.svg') ? 'image/svg+xml' : 'text/html', options);
      if (figure instanceof Uint8Array || figure instanceof Blob)
        return upload([{ path, content: new Blob([figure]) }], options);
      if (path.endsWith('.json')) return uploadText(jsonText(figure), path, 'application/json', options);
      return uploadText(plotlyPage(figure), path, 'text/html', options);
    },
    listArtifacts: (folder = '', options) => artifacts.list(folder, options),
    openArtifact: (path, options) => artifacts.open(path, options),
    wait: ({ signal } = {}) => queue.wait(signal),
    end(status = 'FINISHED') {
      ended ??= finish(status);
      return ended;
    },
    [Symbol.asyncDispose]: () => run.end(),
  };

  const forget =
    platform.atExit?.({
      finish: () => run.end(),
      kill() {
        isKilled = true;
        return run.end('KILLED');
      },
      abandon,
    }) ?? ((): void => undefined);
  return run;
}

/** Reads a whole file as text. */
export async function textIn(store: ArtifactStore, path: string, options?: CallOptions): Promise<string> {
  const { body } = await store.open(path, options);
  return new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>).text();
}

function textOf(value: ParamValue): string {
  return String(value);
}

/** Pushes items one after another and gives the last promise: it resolves when there is room for all. */
function last<T>(items: readonly T[], push: (item: T) => Promise<void>): Promise<void> {
  let result = Promise.resolve();
  for (const item of items) result = push(item);
  return result;
}

function nameOfBlob(blob: Blob): string {
  const { name } = blob as { name?: unknown };
  if (typeof name === 'string' && name !== '') return name;
  throw invalidParameter("Content without a name needs a path: logArtifact(blob, 'folder/name').");
}

function filesOf(platform: Platform): NonNullable<Platform['files']> {
  if (platform.files === undefined) throw invalidParameter('There are no files here; give the content as a Blob.');
  return platform.files;
}

function filesOfOptional(platform: Platform): ((path: string) => Promise<Blob>) | undefined {
  return platform.files?.open;
}

/** A page that draws a figure with Plotly's own script, as MLflow writes for one of Python's. */
function plotlyPage(figure: { readonly data: unknown; readonly layout?: unknown }): string {
  const json = JSON.stringify({ data: figure.data, layout: figure.layout ?? {} }).replaceAll('<', '\\u003c');
  return `<!doctype html><meta charset="utf-8"><script src="https://cdn.plot.ly/plotly-2.35.2.min.js"></script><div id="figure"></div><script>const { data, layout } = ${json}; Plotly.newPlot('figure', data, layout);</script>\n`;
}
