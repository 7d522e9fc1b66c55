/**
 * What W-client measures, as a user writes it: one process, one run, `logMetric` in a loop. Prints the run, and the seconds
 * from the first point until the server has acknowledged the last.
 *
 *     node bench/client-program.ts <url> <experiment id> <points>
 */
import { getClient, setTrackingUri, startRun } from '@lazuli/client';
import { KEY, pointOfNumber } from './workloads/client-points.ts';

const [url = '', experimentId = '', points = '0'] = process.argv.slice(2);
setTrackingUri(url);
await getClient();
const run = await startRun({ experimentId, runName: 'a loop' });
const start = performance.now();
for (let number = 0; number < Number(points); number++) {
  const { value, step, timestamp } = pointOfNumber(number);
  await run.logMetric(KEY, value, { step, timestamp });
}
const loopEnd = performance.now();
await run.wait();
const seconds = (performance.now() - start) / 1000;
await run.end();
const memoryMb = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ runId: run.runId, seconds, loopSeconds: (loopEnd - start) / 1000, memoryMb }));
