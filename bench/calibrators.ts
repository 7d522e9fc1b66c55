/**
 * What this machine can do at all, measured in the same run as the workloads, so that a figure can be read as a share of it.
 * Each calibrator is the median of three short samples. The definitions must stay what they were when the reference
 * figures of targets.ts were taken; otherwise the scaled targets mean nothing.
 */
import { fork } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { BLOCK_BYTES, download, upload } from './file-transfer.ts';
import type { Address } from './http-connection.ts';
import { FIRST_NUMBER, runLoad } from './load.ts';
import { postgresRowsPerSecond } from './postgres-calibrator.ts';
import type { PostgresServer } from './postgres-server.ts';
import { median } from './statistics.ts';

export interface Calibrators {
  /** fdatasync after a 4 KB append, per second. */
  readonly Cf: number;
  /** Null HTTP requests per second of one node:http process. */
  readonly Ch: number;
  /** Metrics per second: JSON.parse of 1000-metric log-batch bodies, packed. */
  readonly Cj: number;
  /** Rows per second into a SQLite append table, 1000 per transaction, synchronous=FULL. */
  readonly Ca: number;
  /** MiB per second that one node:http process takes over one connection, appends to a file and flushes. */
  readonly Cu: number;
  /** MiB per second that one node:http process reads from a file and sends over one connection. */
  readonly Cd: number;
}

export interface CalibratorSample extends Calibrators {
  /** Rows per second into a PostgreSQL append table, 1000 per transaction; where the bench has started one. */
  readonly Cp?: number;
}

const SAMPLES = 3;
const SAMPLE_MS = 1500;
const CONNECTIONS = 100;

/** `parentFolder` should lie on the file system that will hold the server's data. */
export async function measureCalibrators(
  parentFolder: string,
  postgres: PostgresServer | undefined,
): Promise<CalibratorSample> {
  const folder = await mkdtemp(join(parentFolder, 'lazuli-calibrate-'));
  try {
    const Cf = medianOf(() => syncsPerSecond(join(folder, 'synced')));
    const Cj = medianOf(metricsParsedPerSecond);
    let sample = 0;
    const Ca = medianOf(() => rowsPerSecond(join(folder, `append-${(sample += 1)}.db`)));
    const Ch = await nullRequestsPerSecond();
    const compared = { Cf, Ch, Cj, Ca, ...(await mebibytesPerSecond(join(folder, 'transferred'))) };
    if (postgres === undefined) return compared;
    return { ...compared, Cp: await postgresRowsPerSecond(postgres) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function medianOf(sample: () => number): number {
  return median(Array.from({ length: SAMPLES }, sample));
}

/** Calls `step` for SAMPLE_MS and answers how many units it did per second. */
function ratePerSecond(unitsPerStep: number, step: () => void): number {
  const start = performance.now();
  let steps = 0;
  let now = start;
  while (now - start < SAMPLE_MS) {
    step();
    steps += 1;
    now = performance.now();
  }
  return (steps * unitsPerStep * 1000) / (now - start);
}

function syncsPerSecond(file: string): number {
  const block = Buffer.alloc(4096, 0x61);
  const descriptor = openSync(file, 'a');
  try {
    return ratePerSecond(1, () => {
      writeSync(descriptor, block);
      fdatasyncSync(descriptor);
    });
  } finally {
    closeSync(descriptor);
  }
}

const METRICS_PER_BODY = 1000;
const PACKED_POINT_BYTES = 28;

function metricsParsedPerSecond(): number {
  const bodies = Array.from({ length: 20 }, (_, i) => logBatchBody(i));
  const packed = Buffer.alloc(METRICS_PER_BODY * PACKED_POINT_BYTES);
  let next = 0;
  function parseOne(): void {
    const body = bodies[next++ % bodies.length] as Buffer; // the index is within the array
    packMetrics(body, packed);
  }
  for (let i = 0; i < 200; i += 1) parseOne();
  return ratePerSecond(METRICS_PER_BODY, parseOne);
}

/** 10 keys x 100 steps, values of full precision, as training loops send them. */
function logBatchBody(seed: number): Buffer {
  const metrics = Array.from({ length: METRICS_PER_BODY }, (_, i) => ({
    key: `metric_${i % 10}`,
    value: Math.abs(Math.sin(seed * METRICS_PER_BODY + i + 1)),
    timestamp: 1_700_000_000_000 + seed * 1000 + i,
    step: seed * 100 + Math.floor(i / 10),
  }));
  return Buffer.from(JSON.stringify({ run_id: '0123456789abcdef0123456789abcdef', metrics }));
}

interface BodyMetric {
  readonly key: string;
  readonly value: number;
  readonly timestamp: number;
  readonly step: number;
}

function packMetrics(body: Buffer, into: Buffer): void {
  const parsed = JSON.parse(body.toString()) as { metrics: BodyMetric[] }; // made by logBatchBody
  const keys = new Map<string, number>();
  let at = 0;
  for (const { key, value, timestamp, step } of parsed.metrics) {
    let series = keys.get(key);
    if (series === undefined) keys.set(key, (series = keys.size));
    at = into.writeUInt32LE(series, at);
    at = into.writeDoubleLE(step, at);
    at = into.writeDoubleLE(timestamp, at);
    at = into.writeDoubleLE(value, at);
  }
}

function rowsPerSecond(file: string): number {
  const rowsPerTransaction = 1000;
  const db = new DatabaseSync(file);
  try {
    db.exec('pragma journal_mode = wal; pragma synchronous = full');
    db.exec(
      'create table point (series integer not null, step integer not null, timestamp integer not null, value real)',
    );
    const insert = db.prepare('insert into point (series, step, timestamp, value) values (?, ?, ?, ?)');
    let row = 0;
    return ratePerSecond(rowsPerTransaction, () => {
      db.exec('begin immediate');
      for (let i = 0; i < rowsPerTransaction; i += 1) {
        row += 1;
        insert.run(row % 1000, row, 1_700_000_000_000 + row, row / 3);
      }
      db.exec('commit');
    });
  } finally {
    db.close();
  }
}

/** Of the server that is started with these arguments, and ended by `disconnect`. */
async function startBareServer(script: string, args: readonly string[]): Promise<BareServer> {
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), args);
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => {
      resolve(Number(message));
    });
    child.once('error', reject);
    child.once('exit', (code) => {
      reject(new Error(`${script} ended with ${code} before it listened`));
    });
  });
  return { address: { host: '127.0.0.1', port }, [Symbol.dispose]: () => child.disconnect() };
}

interface BareServer extends Disposable {
  readonly address: Address;
}

async function nullRequestsPerSecond(): Promise<number> {
  using server = await startBareServer('null-server.ts', []);
  const lane = { method: 'GET', path: '/', first: FIRST_NUMBER } as const;
  const plan = { addresses: [server.address], lanes: Array.from({ length: CONNECTIONS }, () => lane) };
  await runLoad({ ...plan, durationMs: SAMPLE_MS });
  const rates: number[] = [];
  for (let i = 0; i < SAMPLES; i += 1) {
    const { perSecond, errors, firstError } = await runLoad({ ...plan, durationMs: SAMPLE_MS });
    if (errors > 0) throw new Error(`the null server failed ${errors} requests: ${firstError ?? ''}`);
    rates.push(perSecond);
  }
  return median(rates);
}

const TRANSFERRED_MEBIBYTES = 512;

async function mebibytesPerSecond(file: string): Promise<Pick<Calibrators, 'Cu' | 'Cd'>> {
  using server = await startBareServer('bare-file-server.ts', [file]);
  const transferred = { address: server.address, path: '/', blocks: (TRANSFERRED_MEBIBYTES * 2 ** 20) / BLOCK_BYTES };
  const up: number[] = [];
  const down: number[] = [];
  for (let i = 0; i < SAMPLES; i += 1) up.push(await upload(transferred));
  for (let i = 0; i < SAMPLES; i += 1) down.push(await download(transferred, () => undefined));
  const rate = (times: readonly number[]): number => (TRANSFERRED_MEBIBYTES * 1000) / median(times);
  return { Cu: rate(up), Cd: rate(down) };
}
