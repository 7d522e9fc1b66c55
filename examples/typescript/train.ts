/**
 * A training loop that logs itself: params, a metric for each step, the load of the machine, files, a table and a model,
 * which it registers and finds again.
 *
 *     MLFLOW_TRACKING_URI=http://127.0.0.1:5000 npx node examples/typescript/train.ts
 */
import { downloadArtifacts, logMetric, logModel, logParams, searchRuns, setExperiment, startRun } from '@lazuli/client';

await setExperiment('typescript training');

const { source, registeredVersion } = await startRun({ runName: 'least squares', systemMetrics: true }, async (run) => {
  const rate = 0.1;
  await logParams({ rate, epochs: 50 });

  // Fits y = slope · x to three points.
  const points = [
    [1, 2.1],
    [2, 3.9],
    [3, 6.2],
  ] as const;
  let slope = 0;
  for (let epoch = 0; epoch < 50; epoch++) {
    let loss = 0;
    for (const [x, y] of points) {
      const error = slope * x - y;
      loss += error ** 2 / points.length;
      slope -= (rate * error * x) / points.length;
    }
    await logMetric('loss', loss, { step: epoch });
  }

  await run.logTable(
    points.map(([x, y]) => ({ x, y, prediction: slope * x })),
    'predictions.json',
  );
  await run.logText(`y = ${slope.toFixed(3)} x`, 'summary.txt');
  return logModel({
    name: 'line',
    files: { 'model.json': JSON.stringify({ slope }) },
    flavors: { line: { data: 'model.json' } },
    signature: { inputs: [{ name: 'x', type: 'double' }], outputs: [{ type: 'double' }] },
    inputExample: [{ x: 1 }],
    registeredModelName: 'line',
  });
});
console.log(`registered version ${registeredVersion?.version ?? ''} of the model line from ${source}`);

for await (const { info, data } of searchRuns({ filter: 'metrics.loss < 0.1', orderBy: ['metrics.loss'] })) {
  console.log(`${info.run_name}: ${data.metrics?.find(({ key }) => key === 'loss')?.value}`);
}

const files = await downloadArtifacts(`models:/line/${registeredVersion?.version ?? ''}`);
console.log(`${files.length} files of the model downloaded`);
