/**
 * W11: one file of 1 GiB goes up through the server's artifact proxy and comes down again. Timed are whole transfers, at the
 * pace of the slower side; afterwards it is read once more and compared byte for byte. What the server's memory grew by at
 * its highest is told beside: a file that is held would show there.
 */
import { blockAt, BLOCK_BYTES, download, upload } from '../file-transfer.ts';
import type { RemoteFile } from '../file-transfer.ts';
import { addressOf } from '../http-connection.ts';
import { summarize } from '../statistics.ts';
import { targets } from '../targets.ts';
import type { NamedLatency, Outcome, Workload, WorkloadContext } from './workload.ts';

const BYTES = 2 ** 30;
const ROUNDS = 3;
const WARM_UP_BYTES = 8 * BLOCK_BYTES;
const MEMORY_LIMIT_MB = 32;

/** Where a download differs from what was sent. */
async function compare(file: RemoteFile): Promise<string[]> {
  let [at, wrong] = [0, -1];
  let expected = blockAt(0);
  await download(file, (chunk) => {
    for (let from = 0; from < chunk.length;) {
      const inBlock = at % BLOCK_BYTES;
      if (inBlock === 0) expected = blockAt(at / BLOCK_BYTES);
      const count = Math.min(chunk.length - from, BLOCK_BYTES - inBlock);
      const isSame = expected.compare(chunk, from, from + count, inBlock, inBlock + count) === 0;
      if (!isSame && wrong < 0) wrong = at;
      from += count;
      at += count;
    }
  });
  return wrong < 0 ? [] : [`the file differs from what was sent behind byte ${wrong}`];
}

async function transferFile(context: WorkloadContext): Promise<Outcome> {
  const { target, runName, scale, engine } = context;
  const address = addressOf(target.addresses, 0);
  const folder = `${target.apiPath.replace(/\/mlflow$/, '/mlflow-artifacts/artifacts')}/${runName}`;
  const small = { address, path: `${folder}/warm-up`, blocks: WARM_UP_BYTES / BLOCK_BYTES };
  await upload(small);
  await download(small, () => undefined);
  const before = await context.peakMemoryMb();

  const file = { address, path: `${folder}/large`, blocks: Math.max(1, Math.round((BYTES * scale) / BLOCK_BYTES)) };
  const times = { up: [] as number[], down: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) times.up.push(await upload(file));
  const afterUploads = await context.peakMemoryMb();
  for (let round = 0; round < ROUNDS; round += 1) times.down.push(await download(file, () => undefined));
  const after = await context.peakMemoryMb();

  const grown = (from: number | undefined, to: number | undefined): string =>
    from === undefined || to === undefined ? 'unknown' : `${(to - from).toFixed(1)} MB`;
  const [up, down]: NamedLatency[] = [
    { name: 'upload', ...summarize(times.up) },
    { name: 'download', ...summarize(times.down) },
  ];
  return {
    figures: [
      { target: targets[engine].w11Up, value: up?.p50 ?? NaN },
      { target: targets[engine].w11Down, value: down?.p50 ?? NaN },
    ],
    latencies: [up, down].filter((latency) => latency !== undefined),
    errors: 0,
    firstError: undefined,
    checked: `${(file.blocks * BLOCK_BYTES).toLocaleString('en')} bytes read back and compared`,
    problems: await compare(file),
    notes: [
      `the server's peak memory grew by ${grown(before, afterUploads)} with uploads and ${grown(before, after)} in all; wanted: ${MEMORY_LIMIT_MB} MB at most`,
    ],
  };
}

export const largeFileWorkload: Workload = {
  id: 'W11',
  title: 'a file of 1 GiB up and down through the server',
  seeds: 'nothing',
  run: transferFile,
};
