import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identitySecretFile } from '@lazuli/server';
import { decodeProtectedHeader } from 'jose';
import { expect, test } from 'vitest';
import { openDirectly } from '../direct-database.ts';
import {
  accessToken,
  aCode,
  anApplication,
  anExperiment,
  arm,
  aUser,
  authorizeQuery,
  azureCli,
  bearer,
  pkce,
  startAuthority,
} from './authority-fixture.ts';

test('the database holds no secret, password, code, token or private key that could be used', async () => {
  await using server = await startAuthority();
  const { secret, fields } = await anApplication(server);
  const user = await aUser(server);
  const token = await accessToken(server, fields);
  const code = await aCode(server, user, authorizeQuery(pkce().challenge));
  const scope = `${arm} offline_access`;
  const { userName, password } = user;
  const signedIn = await server.token({
    grant_type: 'password',
    client_id: azureCli,
    username: userName,
    password,
    scope,
  });
  const { refresh_token = '' } = signedIn.json as Record<string, string>;
  const device = await server.form('/common/oauth2/v2.0/devicecode', { client_id: azureCli, scope: arm });
  const { device_code = '' } = device.json as Record<string, string>;
  const identitySecret = (await readFile(identitySecretFile(server.dataDir), 'utf8')).trim();
  const keyFile = join(server.dataDir, 'identity', 'encryption.key');
  const key = (await readFile(keyFile, 'utf8')).trim();
  expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
  await using database = await openDirectly(server.dataDir);
  const contents = await database.contents();
  expect(contents).toContain(userName);
  const secrets = { secret, password, token, code, refresh_token, device_code, identitySecret, key };
  for (const [name, text] of Object.entries(secrets)) {
    expect(text.length, name).toBeGreaterThan(10);
    expect(contents.includes(text), name).toBe(false);
  }
  expect(contents).not.toContain('PRIVATE KEY');
});

test('a server without the key file makes new keys, and what the old ones signed stays good', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'lazuli-test-'));
  let fields: Record<string, string>;
  let old: string;
  {
    await using server = await startAuthority({ 'data-dir': dataDir });
    ({ fields } = await anApplication(server));
    old = await accessToken(server, fields);
  }
  {
    await using server = await startAuthority({ 'data-dir': dataDir });
    const same = await accessToken(server, fields);
    expect(decodeProtectedHeader(same).kid).toBe(decodeProtectedHeader(old).kid);
  }
  await rm(join(dataDir, 'identity', 'encryption.key'));
  {
    await using server = await startAuthority({ 'data-dir': dataDir });
    const other = await accessToken(server, fields);
    expect(decodeProtectedHeader(other).kid).not.toBe(decodeProtectedHeader(old).kid);
    for (const token of [old, other]) {
      expect((await server.request('GET', anExperiment, undefined, bearer(token))).status).toBe(200);
    }
  }
  await rm(dataDir, { recursive: true, force: true });
});
