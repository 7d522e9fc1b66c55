import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { downloadArtifacts, setTrackingUri, startRun, type ActiveRun, type TransferProgress } from '@lazuli/client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { trackedServer } from './a-tracked-server.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lazuli-client-files-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const text = async (run: ActiveRun, path: string): Promise<string> =>
  new Response((await run.openArtifact(path)).body as ReadableStream<Uint8Array<ArrayBuffer>>).text();

test('files and folders are uploaded, listed and downloaded as they were', async () => {
  await using _server = await trackedServer();
  await mkdir(join(folder, 'model', 'a b'), { recursive: true });
  const big = Buffer.alloc(3_000_000, 'x');
  await writeFile(join(folder, 'model', 'weights.bin'), big);
  await writeFile(join(folder, 'model', 'a b', 'ü%#?.txt'), 'odd');
  await writeFile(join(folder, 'note.txt'), '');
  const progress: TransferProgress[] = [];
  await using run = await startRun();
  await run.logArtifacts(join(folder, 'model'), 'model', { onProgress: (now) => progress.push(now) });
  await run.logArtifact(join(folder, 'note.txt'));
  await run.logArtifact(join(folder, 'note.txt'), 'notes');
  await run.logArtifact(new Blob(['from memory']), 'notes/blob.txt');
  await run.logArtifact(Buffer.from('bytes'), 'notes/bytes.bin');
  expect(progress).toContainEqual({ path: 'model/weights.bin', bytes: 3_000_000, total: 3_000_000 });
  expect(await run.listArtifacts()).toEqual([
    { path: 'model', isFolder: true },
    { path: 'note.txt', isFolder: false, size: 0 },
    { path: 'notes', isFolder: true },
  ]);
  expect(await run.listArtifacts('nowhere')).toEqual([]);

  const to = join(folder, 'down');
  const files = await downloadArtifacts(`runs:/${run.runId}/model`, to, { onProgress: (now) => progress.push(now) });
  expect(files.sort()).toEqual([join(to, 'a b', 'ü%#?.txt'), join(to, 'weights.bin')]);
  expect((await readFile(join(to, 'weights.bin'))).equals(big)).toBe(true);
  expect(await readFile(join(to, 'a b', 'ü%#?.txt'), 'utf8')).toBe('odd');
  const [one] = await downloadArtifacts(`runs:/${run.runId}/notes/blob.txt`, to);
  expect(await readFile(one ?? '', 'utf8')).toBe('from memory');
  vi.stubEnv('TMPDIR', folder);
  const all = await downloadArtifacts(`runs:/${run.runId}`);
  expect(all).toHaveLength(6);
  expect(all[0]).toContain(join(folder, 'lazuli-artifacts-'));
});

test('text, values, tables, images and figures become files', async () => {
  await using server = await trackedServer();
  await using run = await startRun();
  await run.logText('hello', 'a/note.txt');
  await run.logDict({ a: [1, { b: 'x' }] }, 'values.json');
  await run.logDict({ a: [1, { b: 'x' }] }, 'values.yaml');
  await run.logTable([{ x: 1, y: 'one' }, { x: 2 }], 'table.json');
  await run.logTable({ x: [3], z: [true] }, 'table.json');
  await run.logTable([{ x: 1 }], 'ü.json');
  await run.logImage({ width: 2, height: 1, data: Uint8Array.of(255, 0, 0, 0, 0, 255) }, 'red-blue.png');
  await run.logImage({ width: 1, height: 1, data: Uint8Array.of(9) }, { key: 'val/sample', step: 3, timestamp: 7 });
  await run.logFigure('<svg/>', 'plot.svg');
  await run.logFigure({ data: [{ y: [1, 2] }], layout: { title: '</script>' } }, 'plot.html');
  await run.wait();

  expect(await text(run, 'a/note.txt')).toBe('hello');
  expect(JSON.parse(await text(run, 'values.json'))).toEqual({ a: [1, { b: 'x' }] });
  expect(await text(run, 'values.yaml')).toBe('a:\n  - 1\n  - b: x\n');
  expect(JSON.parse(await text(run, 'table.json'))).toEqual({
    columns: ['x', 'y', 'z'],
    data: [
      [1, 'one', null],
      [2, null, null],
      [3, null, true],
    ],
  });
  const png = Buffer.from(await new Response((await run.openArtifact('red-blue.png')).body as never).arrayBuffer());
  expect(png.subarray(1, 4).toString()).toBe('PNG');
  const data = png.indexOf('IDAT');
  expect([...inflateSync(png.subarray(data + 4, data + 4 + png.readUInt32BE(data - 4)))]).toEqual([
    0, 255, 0, 0, 0, 0, 255,
  ]);
  const [image] = await run.listArtifacts('images');
  expect(image?.path).toMatch(/^images\/val~sample\+step\+3\+timestamp\+7\+[\w-]+\.png$/);
  expect(await text(run, 'plot.svg')).toBe('<svg/>');
  expect(await text(run, 'plot.html')).not.toContain('"</script>');
  const { run: read } = await server.client.runs.getRun({ run_id: run.runId });
  expect(read.data.tags).toContainEqual({ key: 'mlflow.loggedImages', value: 'True' });
  expect(read.data.tags).toContainEqual({
    key: 'mlflow.loggedArtifacts',
    value: '[{"path":"table.json","type":"table"},{"path":"ü.json","type":"table"}]',
  });
});

test('a path that leaves its run is not sent anywhere', async () => {
  await using _server = await trackedServer();
  await using run = await startRun();
  for (const path of ['../x', '/x', 'a//b', 'a/./b', 'C:/x', 'a\\b', 'a\0b', '']) {
    await expect(run.logText('x', path), path).rejects.toThrow(/is not a relative path/);
  }
  expect(await run.listArtifacts()).toEqual([]);
});

test('what names no artifacts is refused, and is not taken for an empty folder', async () => {
  await using _server = await trackedServer();
  await expect(downloadArtifacts('model', folder)).rejects.toThrow("'model' names no artifacts");
  expect(await readdir(folder)).toEqual([]);
});

test('a file that is not there fails as a file, and leaves nothing half downloaded', async () => {
  await using _server = await trackedServer();
  await using run = await startRun();
  await expect(run.logArtifact(join(folder, 'absent'))).rejects.toThrow(/absent/);
  await expect(downloadArtifacts(`runs:/${run.runId}/absent`, folder)).rejects.toThrow(/has no artifact and no model/);
  expect(await readdir(folder)).toEqual([]);
});

/** The way to a server on which a byte of each file is changed, up and down, as long as it is `damaging`. */
function onABadWay(url: string) {
  const way = { damaging: false };
  const flipped = async (content: Blob | Response): Promise<Uint8Array<ArrayBuffer>> => {
    const bytes = new Uint8Array(await content.arrayBuffer());
    bytes[0] = 255 - (bytes[0] ?? 0);
    return bytes;
  };
  const fetch: typeof globalThis.fetch = async (input, init = {}) => {
    const body = way.damaging && init.body instanceof Blob ? await flipped(init.body) : init.body;
    const answer = await globalThis.fetch(input, { ...init, ...(body === undefined ? {} : { body }) });
    const isFile = answer.headers.has('content-disposition');
    if (!way.damaging || !isFile) return answer;
    return new Response(await flipped(answer), { status: answer.status, headers: answer.headers });
  };
  setTrackingUri(url, { fetch });
  return way;
}

test('what comes damaged is refused on both ways, and leaves nothing', async () => {
  await using server = await trackedServer();
  const way = onABadWay(server.url);
  await using run = await startRun();
  const file = join(folder, 'model.bin');
  await writeFile(file, Buffer.alloc(3_000_000, 'x'));
  await run.logText('whole', 'whole.txt');

  way.damaging = true;
  await expect(run.logText('whole', 'whole.txt')).rejects.toThrow(/whole\.txt' came damaged, and nothing of it/);
  await expect(run.logArtifact(file)).rejects.toThrow(/model\.bin' came damaged, and nothing of it was stored/);
  expect(await run.listArtifacts()).toEqual([{ path: 'whole.txt', isFolder: false, size: 5 }]);
  const into = join(folder, 'down');
  const uri = `runs:/${run.runId}/whole.txt`;
  await expect(downloadArtifacts(uri, into, { verify: true })).rejects.toThrow("'whole.txt' came damaged");
  expect(await readdir(into)).toEqual([]);

  way.damaging = false;
  await run.logArtifact(file);
  const [to = ''] = await downloadArtifacts(uri, into, { verify: true });
  expect(await readFile(to, 'utf8')).toBe('whole');
  const [model = ''] = await downloadArtifacts(`runs:/${run.runId}/model.bin`, into, { verify: true });
  expect((await readFile(model)).equals(await readFile(file))).toBe(true);
});
