import { number } from '../environment.ts';
import type { Platform } from './platform.ts';
import type { Run } from './run-handle.ts';

export interface SystemMetricsOptions {
  /** Seconds between samples; default 10, or MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL. */
  readonly samplingInterval?: number;
  /** Samples that are averaged into one point; default 1, or MLFLOW_SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING. */
  readonly samplesBeforeLogging?: number;
}

/**
 * Logs the load of the machine while a run lives, under MLflow's names: `system/cpu_utilization_percentage`, … The timer
 * keeps no process alive. Gives the function that ends it, or nothing where it is not asked for.
 */
export function watchSystem(
  run: Run,
  wanted: boolean | SystemMetricsOptions,
  platform: Platform,
): (() => void) | undefined {
  const { systemMetrics } = platform;
  if (wanted === false || systemMetrics === undefined) return undefined;
  const environment = platform.environment();
  const asked = wanted === true ? {} : wanted;
  const interval = asked.samplingInterval ?? number(environment, 'MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL', 10);
  const perPoint = asked.samplesBeforeLogging ?? number(environment, 'MLFLOW_SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING', 1);
  const node = environment['MLFLOW_SYSTEM_METRICS_NODE_ID'];
  const prefix = node ? `system/${node}/` : 'system/';
  let samples: Readonly<Record<string, number>>[] = [];
  let step = 0;
  let hasEnded = false;

  const sample = async (): Promise<void> => {
    samples.push(await systemMetrics());
    if (samples.length < perPoint || hasEnded) return;
    const names = new Set(samples.flatMap((one) => Object.keys(one)));
    const means = [...names].map((name): [string, number] => {
      const values = samples.flatMap((one) => one[name] ?? []);
      return [prefix + name, values.reduce((sum, value) => sum + value, 0) / values.length];
    });
    samples = [];
    await run.logMetrics(Object.fromEntries(means), { step: step++ });
  };

  const take = (): void => {
    sample().catch((error: unknown) => {
      stop();
      platform.warn(
        `The load of the machine is not logged any more: ${error instanceof Error ? error.message : String(error)}`,
      );
    });
  };
  const timer = setInterval(take, interval * 1000);
  (timer as { unref?: () => void }).unref?.();
  take();
  const stop = (): void => {
    hasEnded = true;
    clearInterval(timer);
  };
  return stop;
}
