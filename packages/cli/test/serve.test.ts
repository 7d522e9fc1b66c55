import { createServer } from 'node:http';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { settingDefinitions } from '@lazuli/server';
import { describe, expect, test } from 'vitest';
import { aFolder, lazuli, serving } from './lazuli-process.ts';
import { run } from './run-command.ts';

describe('lazuli serve', () => {
  test('says where it listens with lines to paste, serves, and stops gracefully on SIGTERM with status 0', async () => {
    using folder = aFolder();
    await using server = await serving([], { cwd: folder.path });
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(server.greeting).toContain(`mlflow.set_tracking_uri("${server.url}")`);
    expect(server.greeting).toContain(`Database   ${join(folder.path, 'lazuli-data', 'lazuli.db')}`);
    const [, url = ''] = /curl "(\S+)"/.exec(server.greeting) ?? [];
    const answer = await fetch(url);
    expect(await answer.json()).toMatchObject({ experiment: { experiment_id: '0', name: 'Default' } });
    server.kill('SIGTERM');
    const { status, stderr, stdout } = await server.end;
    expect({ status, errors: stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{')) }).toEqual({
      status: 0,
      errors: [],
    });
    expect(stdout).toContain('Stopping');
  });

  test('shows a person the same on its first page, under the static prefix', async () => {
    using folder = aFolder();
    await using server = await serving(['--static-prefix', '/ml', '--data-dir', 'elsewhere'], { cwd: folder.path });
    expect(server.url).toMatch(/\/ml$/);
    const page = await fetch(`${server.url}/`);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const html = await page.text();
    expect(html).toContain(server.url);
    expect(html).toContain(join(folder.path, 'elsewhere'));
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  });

  test('ends at once on the second signal', async () => {
    using folder = aFolder();
    await using server = await serving([], { cwd: folder.path });
    // A request whose body never comes keeps a graceful stop waiting.
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      'POST /api/2.0/mlflow/experiments/create HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    );
    await once(socket, 'connect');
    await fetch(`${server.url}/health`);
    server.kill('SIGINT');
    const stopping = setInterval(() => server.kill('SIGINT'), 50);
    const { status } = await server.end;
    clearInterval(stopping);
    socket.destroy();
    expect(status).toBe(130);
  });

  test('reports every wrong setting at once, with status 2 and without a stack', async () => {
    using folder = aFolder();
    writeFileSync(join(folder.path, 'lazuli.yaml'), 'prot: 5000\n');
    const env = { MLFLOW_BACKEND_STORE_URI: 'mysql://host/db' };
    const { status, stdout, stderr } = await run(
      ['serve', '--config', 'lazuli.yaml', '--host', '0.0.0.0', '--port', 'x'],
      { cwd: folder.path, env },
    );
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain('lazuli: 4 settings are wrong:');
    for (const part of [
      'prot: is no setting (from lazuli.yaml)',
      '(from --port)',
      '(from MLFLOW_BACKEND_STORE_URI)',
      'lazuli token create',
    ]) {
      expect(stderr).toContain(part);
    }
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(existsSync(join(folder.path, 'lazuli-data'))).toBe(false);
  });

  test('says in one sentence that the port is taken', async () => {
    using folder = aFolder();
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { status, stderr } = await lazuli(['serve', '--port', String(port)], { cwd: folder.path });
    other.close();
    expect(status).toBe(1);
    expect(stderr).toContain(
      `lazuli: Port ${port} of 127.0.0.1 is taken by another program; choose another one with --port.\n`,
    );
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test('says in one sentence that another server has the data directory', async () => {
    using folder = aFolder();
    await using server = await serving([], { cwd: folder.path });
    const { status, stderr } = await lazuli(['serve', '--port', '0'], { cwd: folder.path });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^lazuli: Another Lazuli process uses the data directory .*--data-dir\.$/m);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  });

  test('has every setting as an option', async () => {
    using folder = aFolder();
    const { status, stdout } = await run(['serve', '--help'], { cwd: folder.path });
    expect(status).toBe(0);
    for (const { name } of settingDefinitions) expect(stdout).toContain(`--${name} <`);
  });
});

describe('lazuli', () => {
  test('says its version and its commands, and refuses what it does not know with status 2', async () => {
    using folder = aFolder();
    const [version, help, unknown, option] = await Promise.all(
      [['--version'], ['--help'], ['srve'], ['serve', '--prot', '1']].map((args) => run(args, { cwd: folder.path })),
    );
    expect(version).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string });
    expect(help?.stdout).toContain('Examples:');
    expect(unknown).toMatchObject({ status: 2, stdout: '' });
    expect(unknown?.stderr).toContain("lazuli: unknown command 'srve'");
    expect(option).toMatchObject({ status: 2, stdout: '' });
    expect(option?.stderr).toContain("unknown option '--prot'");
  });
});
