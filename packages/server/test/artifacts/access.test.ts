import { describe, expect, test } from 'vitest';
import { aServerForEachTest, first, proxy, send } from './fixture.ts';

const own = aServerForEachTest();
const { put, get } = own;

describe('access', () => {
  test('nothing of one workspace is reachable from another', async () => {
    const elsewhere = { 'x-workspace': 'second' };
    await put('0/run/artifacts/x', 'of the first');
    expect((await get('0/run/artifacts/x', elsewhere)).status).toBe(404);
    expect((await send(own.server, 'GET', proxy, { headers: elsewhere })).json).toEqual({});
    expect((await send(own.server, 'GET', '/get-artifact?run_id=run&path=x', { headers: elsewhere })).status).toBe(404);
    await put('0/run/artifacts/x', 'of the second', elsewhere);
    await send(own.server, 'DELETE', `${proxy}/0`, { headers: elsewhere });
    expect((await get('0/run/artifacts/x')).text).toBe('of the first');
    expect((await get(`${first.guid}/0/run/artifacts/x`)).status).toBe(404);
    expect((await get(`../${first.guid}/0/run/artifacts/x`, elsewhere)).status).toBe(400);
  });

  test('every transfer is decided by its actions before anything is read or written', async () => {
    await put('kept', 'x');
    own.server.decided.length = 0;
    const headers = { authorization: 'nobody' };
    for (const method of ['GET', 'HEAD', 'PUT']) {
      const answer = await send(own.server, method, `${proxy}/kept`, { headers, body: method === 'PUT' ? 'y' : '' });
      expect(answer.status).toBe(403);
    }
    expect((await send(own.server, 'GET', '/get-artifact?run_id=run&path=kept', { headers })).status).toBe(403);
    expect(own.server.decided.map((actions) => actions[0])).toEqual([
      'experiments/runs/read',
      'experiments/runs/read',
      'experiments/runs/write',
      'experiments/runs/read',
    ]);
    expect((await get('kept')).text).toBe('x');
  });
});
