import { describe, expect, test } from 'vitest';
import { aServerForEachTest, proxy, send, type Answer } from './fixture.ts';

const own = aServerForEachTest();
const { put, get } = own;

describe('listing and deleting', () => {
  test("a run's folder is listed relative to its root, by name, with sizes", async () => {
    for (const name of ['b.txt', 'a.txt', 'plots/p.png', 'empty']) {
      await put(`0/run/artifacts/${name}`, name === 'empty' ? '' : 'x');
    }
    const list = (query: string): Promise<Answer> => send(own.server, 'GET', `/api/2.0/mlflow/artifacts/list?${query}`);
    const root_uri = 'mlflow-artifacts:/0/run/artifacts';
    const files = [
      { path: 'a.txt', is_dir: false, file_size: 1 },
      { path: 'b.txt', is_dir: false, file_size: 1 },
      { path: 'empty', is_dir: false, file_size: 0 },
      { path: 'plots', is_dir: true },
    ];
    for (const query of ['run_id=run', 'run_uuid=run', 'run_id=run&path=']) {
      expect((await list(query)).json, query).toEqual({ root_uri, files });
    }
    for (const path of ['plots', 'plots/', './plots']) {
      expect((await list(`run_id=run&path=${path}`)).json).toEqual({
        root_uri,
        files: [{ path: 'plots/p.png', is_dir: false, file_size: 1 }],
      });
    }
    expect((await list('run_id=run&path=nothing')).json).toEqual({ root_uri });
    expect((await list('run_id=run&path=a.txt')).json).toEqual({ root_uri });
    expect((await list('run_id=other')).status).toBe(404);
    expect((await list('path=x')).json).toMatchObject({ message: expect.stringContaining("'run_id'") as string });
  });

  test('the proxy lists base names', async () => {
    await put('0/run/artifacts/a.txt', 'x');
    expect((await send(own.server, 'GET', `${proxy}?path=0/run/artifacts`)).json).toEqual({
      files: [{ path: 'a.txt', is_dir: false, file_size: 1 }],
    });
    expect((await send(own.server, 'GET', `${proxy}?path=0%2Frun`)).json).toEqual({
      files: [{ path: 'artifacts', is_dir: true }],
    });
    expect((await send(own.server, 'GET', `${proxy}?path=nothing`)).json).toEqual({});
  });

  test('deleting takes a file or a whole folder, and is fine twice', async () => {
    for (const name of ['d/a', 'd/e/b', 'f']) await put(name, 'x');
    for (const name of ['f', 'd', 'd']) expect((await send(own.server, 'DELETE', `${proxy}/${name}`)).json).toEqual({});
    expect((await send(own.server, 'GET', proxy)).json).toEqual({});
    expect(await own.server.staged()).toEqual([]);
  });

  test.each(['', '.', './', '%2e'])('the root, written %j, cannot be deleted', async (name) => {
    await put('kept', 'x');
    expect((await send(own.server, 'DELETE', `${proxy}/${name}`)).status).toBe(400);
    expect((await get('kept')).text).toBe('x');
  });
});
