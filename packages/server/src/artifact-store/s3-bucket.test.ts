import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startS3Server, type S3Server } from '../../test/stores/s3rver.ts';
import { artifactStoreSuite } from './artifact-store-suite.ts';
import { openS3 } from './s3-bucket.ts';

let server: S3Server;
beforeAll(async () => {
  server = await startS3Server();
});
afterAll(() => server[Symbol.asyncDispose]());

artifactStoreSuite('an S3 bucket', async () => {
  const bucket = await server.newBucket();
  return {
    store: await openS3({ kind: 's3', bucket, path: 'team a/mlflow' }, server.environment),
    close: async () => undefined,
  };
});

describe('an S3 bucket', () => {
  const place = { kind: 's3', bucket: 'never-made', path: '' } as const;

  test('is refused at the start where it does not exist, or the key is wrong', async () => {
    await expect(openS3(place, server.environment)).rejects.toThrow(
      's3://never-made cannot be used for artifacts: NoSuchBucket',
    );
    const bucket = await server.newBucket();
    const wrong = { ...server.environment, AWS_ACCESS_KEY_ID: 'nobody' };
    await expect(openS3({ ...place, bucket }, wrong)).rejects.toThrow('InvalidAccessKeyId');
  });
});
