import { execFile } from 'node:child_process';
import { readFile, statfs } from 'node:fs/promises';
import { cpus, freemem, totalmem, userInfo } from 'node:os';
import process from 'node:process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** It does not change while a program runs. */
let commit: Promise<string | undefined> | undefined;

/** *The tags by which MLflow shows who started a run, from what.* */
export async function sourceTags(): Promise<Record<string, string>> {
  commit ??= run('git', ['rev-parse', 'HEAD'], { timeout: 2_000 }).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
  const known = await commit;
  return {
    'mlflow.user': userName(),
    'mlflow.source.name': process.argv[1] ?? 'node',
    'mlflow.source.type': 'LOCAL',
    ...(known === undefined ? {} : { 'mlflow.source.git.commit': known }),
  };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // *A container may run as a number that has no name.*
    return 'unknown';
  }
}

interface Before {
  readonly idle: number;
  readonly total: number;
}

/** Samples the machine: percentages, megabytes (10^6 bytes), network traffic since the first sample. */
export function machineSampler(): () => Promise<Record<string, number>> {
  let cpuBefore: Before = cpuTimes();
  let networkAtStart: { received: number; sent: number } | undefined;
  let hasGpu = true;
  return async () => {
    const cpu = cpuTimes();
    const total = cpu.total - cpuBefore.total;
    const busy = total === 0 ? 0 : 100 * (1 - (cpu.idle - cpuBefore.idle) / total);
    cpuBefore = cpu;
    const used = totalmem() - (await availableMemory());
    const disk = await statfs('/').catch(() => undefined);
    const network = await networkBytes();
    networkAtStart ??= network;
    const gpus = hasGpu ? await gpuMetrics() : undefined;
    hasGpu = gpus !== undefined;
    return {
      cpu_utilization_percentage: round(busy),
      system_memory_usage_megabytes: round(used / 1e6),
      system_memory_usage_percentage: round((100 * used) / totalmem()),
      ...(disk === undefined ? {} : diskMetrics(disk)),
      ...(network === undefined || networkAtStart === undefined
        ? {}
        : {
            network_receive_megabytes: (network.received - networkAtStart.received) / 1e6,
            network_transmit_megabytes: (network.sent - networkAtStart.sent) / 1e6,
          }),
      ...gpus,
    };
  };
}

function cpuTimes(): Before {
  let idle = 0;
  let total = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    total += times.user + times.nice + times.sys + times.idle + times.irq;
  }
  return { idle, total };
}

/** Bytes that programs could still have; what the system calls free leaves out its caches. */
async function availableMemory(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '');
  const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1];
  return kilobytes === undefined ? freemem() : Number(kilobytes) * 1024;
}

function diskMetrics({
  bsize,
  blocks,
  bfree,
  bavail,
}: {
  bsize: number;
  blocks: number;
  bfree: number;
  bavail: number;
}): Record<string, number> {
  const used = blocks - bfree;
  return {
    disk_usage_percentage: round((100 * used) / (used + bavail)),
    disk_usage_megabytes: round((used * bsize) / 1e6),
    disk_available_megabytes: round((bavail * bsize) / 1e6),
  };
}

/** Traffic of all interfaces; where the system has no such file, there is no such metric. */
async function networkBytes(): Promise<{ received: number; sent: number } | undefined> {
  const text = await readFile('/proc/net/dev', 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  let received = 0;
  let sent = 0;
  for (const line of text.split('\n').slice(2)) {
    const fields = line
      .slice(line.indexOf(':') + 1)
      .trim()
      .split(/\s+/);
    if (fields.length < 9) continue;
    received += Number(fields[0]);
    sent += Number(fields[8]);
  }
  return { received, sent };
}

const gpuFields = ['index', 'utilization.gpu', 'memory.used', 'memory.total', 'power.draw', 'enforced.power.limit'];

async function gpuMetrics(): Promise<Record<string, number> | undefined> {
  const asked = await run('nvidia-smi', [`--query-gpu=${gpuFields.join(',')}`, '--format=csv,noheader,nounits'], {
    timeout: 5_000,
  }).catch(() => undefined);
  return asked === undefined ? undefined : readGpus(asked.stdout);
}

/** Reads nvidia-smi's lines; memory is in MiB, power in watts, what a card does not tell is left out. */
export function readGpus(text: string): Record<string, number> {
  const metrics: Record<string, number> = {};
  for (const line of text.trim().split('\n')) {
    const [index, busy = NaN, used = NaN, memory = NaN, power = NaN, limit = NaN] = line.split(',').map(Number);
    const named = {
      utilization_percentage: busy,
      memory_usage_megabytes: (used * 1024 ** 2) / 1e6,
      memory_usage_percentage: round((100 * used) / memory),
      power_usage_watts: power,
      power_usage_percentage: round((100 * power) / limit),
    };
    for (const [name, value] of Object.entries(named)) {
      if (Number.isFinite(value)) metrics[`gpu_${index ?? 0}_${name}`] = value;
    }
  }
  return metrics;
}

/** *MLflow rounds to one digit.* */
function round(value: number): number {
  return Math.round(value * 10) / 10;
}
