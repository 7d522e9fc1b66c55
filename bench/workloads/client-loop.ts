/**
 * W-client: `logMetric` of the TypeScript client in a loop of a million points, from one process and for one run. Timed is
 * all of it, until the last point is acknowledged. Afterwards every point is read back: none may be lost, none be there twice.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { addressOf } from '../http-connection.ts';
import { targets } from '../targets.ts';
import { createExperiment } from '../tracking-client.ts';
import { KEY, pointOfNumber } from './client-points.ts';
import { checkSeries } from './stored-points.ts';
import type { Outcome, Workload, WorkloadContext } from './workload.ts';

const POINTS = 1_000_000;

interface Logged {
  readonly runId: string;
  readonly seconds: number;
  readonly loopSeconds: number;
  readonly memoryMb: number;
}

async function logInALoop(context: WorkloadContext): Promise<Outcome> {
  const points = Math.max(1, Math.round(POINTS * context.scale));
  const experimentId = await createExperiment(context.client, `${context.runName}-wclient`);
  const { host, port } = addressOf(context.target.addresses, 0);
  const program = fileURLToPath(new URL('../client-program.ts', import.meta.url));
  const url = `http://${host}:${port}${context.target.apiPath.replace(/\/api\/2\.0\/mlflow$/, '')}`;
  const { stdout } = await promisify(execFile)(process.execPath, [program, url, experimentId, String(points)]);
  const { runId, seconds, loopSeconds, memoryMb } = JSON.parse(stdout) as Logged;

  const sent = { first: 0, next: points, failed: new Set<number>() };
  const series = [{ runId, key: KEY, sent, pointsOf: (number: number) => [pointOfNumber(number)] }];
  const { points: stored, problems } = await checkSeries(context.target, series);
  return {
    figures: [{ target: targets[context.engine].wClientPoints, value: points / seconds }],
    latencies: [],
    errors: 0,
    firstError: undefined,
    checked: `${stored.toLocaleString('en')} of ${points.toLocaleString('en')} points read back, each in its place, and the latest value`,
    problems,
    notes: [
      `the loop ended after ${loopSeconds.toFixed(2)} s, the last point was acknowledged after ${seconds.toFixed(2)} s; the client's memory at its highest: ${memoryMb.toFixed(0)} MB`,
    ],
  };
}

export const clientLoopWorkload: Workload = {
  id: 'W-client',
  title: 'logMetric of the TypeScript client in a loop of 1M points, one process',
  seeds: 'nothing',
  run: logInALoop,
};
