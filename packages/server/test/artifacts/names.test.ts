import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { aServerForEachTest, first, proxy, send } from './fixture.ts';

const own = aServerForEachTest();
const { put, get } = own;

describe('names', () => {
  test.each([
    ['two%20words.txt', 'two words.txt'],
    ['a%2520b', 'a%20b'],
    ['50%25', '50%'],
    ['a%23b', 'a#b'],
    ['a%3Fb', 'a?b'],
    ['a%2Fb', 'a/b'],
    ['a+b&c=d', 'a+b&c=d'],
    ['%E6%97%A5%E6%9C%AC', '日本'],
    ['%F0%9F%98%80', '\u{1F600}'],
    ['%2525zz', '%25zz'],
    // *MLflow 2 uploads images under names like this one.*
    ['sample%25step%251%25timestamp%251795000000.png', 'sample%step%1%timestamp%1795000000.png'],
    ['x%2500.txt', 'x%00.txt'],
    ['a;b,c', 'a;b,c'],
  ])('%s is decoded exactly once', async (sent, name) => {
    expect((await put(`d/${sent}`, 'x')).status).toBe(200);
    expect(await readFile(join(own.server.destination, first.guid, 'd', name), 'utf8')).toBe('x');
    expect((await get(`d/${sent}`)).text).toBe('x');
    expect((await send(own.server, 'DELETE', `${proxy}/d/${sent}`)).status).toBe(200);
    expect((await get(`d/${sent}`)).status).toBe(404);
  });

  test.each(['%zz', '%', 'a%2', '%C0%AE%C0%AE/secret', '%ff', '%ED%A0%80'])(
    'the malformed name %s is refused',
    async (name) => {
      for (const method of ['PUT', 'GET', 'HEAD', 'DELETE']) {
        expect((await send(own.server, method, `${proxy}/${name}`)).status, method).toBe(400);
      }
    },
  );

  test('one file has one name', async () => {
    await put('a//b/./c', 'x');
    expect((await get('a/b/c')).text).toBe('x');
    expect((await get('a/./b//c')).text).toBe('x');
  });
});
