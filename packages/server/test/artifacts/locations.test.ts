import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { aServerForEachTest, first, second, send, type Answer } from './fixture.ts';

const own = aServerForEachTest();

describe('locations', () => {
  const list = (run: string): Promise<Answer> =>
    send(own.server, 'GET', `/api/2.0/mlflow/artifacts/list?run_id=${run}`);
  const download = (run: string, path: string): Promise<Answer> =>
    send(own.server, 'GET', `/get-artifact?run_id=${run}&path=${path}`);

  test('a local folder below the configured root and the workspace is listed and read', async () => {
    const folder = join(own.server.localRoot, first.guid, '0', 'r');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'model'), 'bytes');
    for (const uri of [folder, `file://${folder}`, `${folder}/`]) {
      own.server.runs.set('local', uri);
      expect((await list('local')).json).toEqual({
        root_uri: uri,
        files: [{ path: 'model', is_dir: false, file_size: 5 }],
      });
      expect((await download('local', 'model')).text).toBe('bytes');
    }
  });

  test('every other local folder is left alone', async () => {
    await mkdir(join(own.server.localRoot, second.guid));
    await writeFile(join(own.server.localRoot, second.guid, 'secret'), 'secret');
    const ownFolder = join(own.server.localRoot, first.guid);
    const others = [
      '/etc',
      'file:///etc',
      '/',
      own.server.outside,
      own.server.localRoot,
      own.server.destination,
      `${ownFolder}-twin`,
    ];
    for (const uri of [...others, `${ownFolder}/../${second.guid}`, join(own.server.localRoot, second.guid)]) {
      own.server.runs.set('local', uri);
      for (const answer of [await list('local'), await download('local', 'secret')]) {
        expect(answer, uri).toMatchObject({
          status: 400,
          json: {
            error_code: 'INVALID_PARAMETER_VALUE',
            message: expect.stringContaining('outside of the configured artifact roots') as string,
          },
        });
      }
    }
  });

  test('a place that clients reach without the server is named', async () => {
    for (const uri of ['s3://bucket/x', 'http://169.254.169.254/latest', 'unknown://x']) {
      own.server.runs.set('remote', uri);
      const scheme = uri.split(':')[0] ?? '';
      expect(await list('remote')).toMatchObject({
        status: 501,
        json: { error_code: 'NOT_IMPLEMENTED', message: expect.stringContaining(`'${scheme}:'`) as string },
      });
      expect((await download('remote', 'x')).status).toBe(501);
    }
  });
});
