import { expect, test } from 'vitest';
import { machineSampler, readGpus } from './machine.ts';

test('the load of GPUs is read from nvidia-smi, in MLflow’s names and units', () => {
  expect(readGpus('0, 37, 1024, 4096, 75.5, 300.00\n1, 0, 0, 4096, [N/A], [N/A]\n')).toEqual({
    gpu_0_utilization_percentage: 37,
    gpu_0_memory_usage_megabytes: 1073.741824,
    gpu_0_memory_usage_percentage: 25,
    gpu_0_power_usage_watts: 75.5,
    gpu_0_power_usage_percentage: 25.2,
    gpu_1_utilization_percentage: 0,
    gpu_1_memory_usage_megabytes: 0,
    gpu_1_memory_usage_percentage: 0,
  });
});

test('percentages are between 0 and 100, and traffic counts from the first sample', async () => {
  const sample = machineSampler();
  const first = await sample();
  for (const [name, value] of Object.entries(first)) {
    expect(value, name).toBeGreaterThanOrEqual(0);
    if (name.endsWith('percentage')) expect(value, name).toBeLessThanOrEqual(100);
  }
  expect(first['network_receive_megabytes'] ?? 0).toBe(0);
  expect((await sample())['system_memory_usage_megabytes']).toBeGreaterThan(0);
});
