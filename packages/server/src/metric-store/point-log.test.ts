import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodePoints, encodePoints } from './point-log.ts';

const wholeNumber = fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));

const series = fc
  .array(fc.tuple(fc.nat(), wholeNumber, wholeNumber, fc.double()), { maxLength: 20 })
  .chain((points) => fc.tuple(fc.nat(), fc.nat()).map(([workspaceId, runKey]) => ({ workspaceId, runKey, points })))
  .map(({ workspaceId, runKey, points }) => ({
    workspaceId,
    runKey,
    metricKeys: points.map(([key]) => key),
    timestamps: points.map(([, timestamp]) => timestamp),
    steps: points.map(([, , step]) => step),
    values: points.map(([, , , value]) => value),
  }));

test('what a commit logged is read back exactly: 64-bit integers, NaN and -0 included', () => {
  fc.assert(
    fc.property(fc.array(series, { maxLength: 5 }), (logged) => {
      const read = decodePoints(encodePoints(logged));
      expect(
        read.map((one) => ({ ...one, timestamps: one.timestamps.map(BigInt), steps: one.steps.map(BigInt) })),
      ).toEqual(
        logged.map((one) => ({ ...one, timestamps: one.timestamps.map(BigInt), steps: one.steps.map(BigInt) })),
      );
    }),
  );
});
