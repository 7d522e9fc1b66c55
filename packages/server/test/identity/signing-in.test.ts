import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  aCode,
  anApplication,
  arm,
  aUser,
  authorizePath,
  authorizeQuery,
  azureCli,
  claimsOf,
  formOf,
  openSignIn,
  pkce,
  publicUrl,
  refusal,
  startAuthority,
} from './authority-fixture.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const codeFields = (code: string, verifier: string) => ({
  grant_type: 'authorization_code',
  client_id: azureCli,
  code,
  code_verifier: verifier,
  redirect_uri: 'http://localhost:8400',
  scope: `${arm} openid profile offline_access`,
});

describe('signing in on the page', () => {
  test('sends a code to the client, which gets tokens for it with its verifier', async () => {
    await using server = await startAuthority();
    const user = await aUser(server);
    const { verifier, challenge } = pkce();
    const { page, fields, cookie } = await openSignIn(
      server,
      authorizeQuery(challenge, { nonce: 'n1', login_hint: 'a"b' }),
    );
    expect(page.status).toBe(200);
    expect(page.text).toContain('Azure CLI');
    expect(page.text).toContain('value="a&quot;b"');
    expect(page.headers['set-cookie']).toMatch(
      /^__Host-lazuli-sign-in=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=3600; Secure$/,
    );
    expect(page.headers['content-security-policy']).toContain("form-action 'self' http://localhost:8400;");
    expect(page.headers['content-security-policy']).not.toContain('script-src');
    const filled = { ...fields, username: user.userName, decision: 'sign-in' };
    const wrong = await server.form(authorizePath, { ...filled, password: 'no such password' }, { cookie });
    expect(wrong.status).toBe(400);
    expect(wrong.text).toContain('<p role="alert">Error validating credentials');
    const answer = await server.form(
      authorizePath,
      { ...filled, password: user.password },
      { cookie, origin: publicUrl },
    );
    expect(answer.status).toBe(302);
    const location = new URL(String(answer.headers['location']));
    expect(location.origin).toBe('http://localhost:8400');
    expect(location.searchParams.get('state')).toBe('st&te');
    const code = location.searchParams.get('code') ?? '';
    const tokens = await server.token(codeFields(code, verifier));
    expect(claimsOf(tokens)).toMatchObject({ oid: user.object.object_id, appid: azureCli });
    expect(tokens.json).toMatchObject({
      refresh_token: expect.any(String) as string,
      id_token: expect.any(String) as string,
    });
  });

  test('answers by a form that sends itself where form_post is asked for, and that has a button', async () => {
    await using server = await startAuthority();
    const user = await aUser(server);
    const { challenge } = pkce();
    const { fields, cookie } = await openSignIn(server, authorizeQuery(challenge, { response_mode: 'form_post' }));
    const page = await server.form(
      authorizePath,
      { ...fields, username: user.userName, password: user.password },
      { cookie },
    );
    expect(page.text).toContain('<form method="post" action="http://localhost:8400">');
    expect(page.text).toContain('<button type="submit">');
    expect(page.headers['content-security-policy']).toContain('form-action http://localhost:8400;');
    expect(formOf(page).fields).toMatchObject({
      state: 'st&te',
      code: expect.any(String) as string,
      client_info: expect.any(String) as string,
    });
  });

  test('tells the client that the user gave up, that nobody is signed in, and what is wrong with its request', async () => {
    await using server = await startAuthority();
    const { challenge } = pkce();
    const { fields, cookie } = await openSignIn(server, authorizeQuery(challenge));
    const declined = await server.form(authorizePath, { ...fields, decision: 'cancel' }, { cookie });
    expect(String(declined.headers['location'])).toContain('error=access_denied&error_description=AADSTS65004');
    const errorOf = async (change: Record<string, string>) => {
      const { headers } = await server.request(
        'GET',
        `${authorizePath}?${authorizeQuery(challenge, change).toString()}`,
      );
      return new URL(String(headers['location'])).searchParams.get('error');
    };
    expect(await errorOf({ prompt: 'none' })).toBe('login_required');
    expect(await errorOf({ response_type: 'token' })).toBe('unsupported_response_type');
    expect(await errorOf({ scope: 'https://other.example.org/.default' })).toBe('invalid_resource');
  });
});

describe('an authorization code', () => {
  test('replay of codes: is good once, and whoever brings it again ends what came of it', async () => {
    await using server = await startAuthority();
    const user = await aUser(server);
    const { verifier, challenge } = pkce();
    const code = await aCode(server, user, authorizeQuery(challenge));
    const tokens = await server.token(codeFields(code, verifier));
    const { refresh_token = '' } = tokens.json as Record<string, string>;
    const refresh = { grant_type: 'refresh_token', client_id: azureCli, refresh_token };
    expect((await server.token(refresh)).status).toBe(200);
    expect(refusal(await server.token(codeFields(code, verifier)))).toEqual({
      status: 400,
      error: 'invalid_grant',
      code: 54005,
    });
    expect(refusal(await server.token(refresh))).toMatchObject({ code: 50173 });
  });

  test('PKCE downgrade: is refused without a verifier, with a wrong one, and to clients without S256', async () => {
    await using server = await startAuthority();
    const user = await aUser(server);
    const { verifier, challenge } = pkce();
    const refused = async (fields: Record<string, string>) => {
      const code = await aCode(server, user, authorizeQuery(challenge));
      return refusal(await server.token({ ...codeFields(code, verifier), ...fields })).code;
    };
    expect(await refused({ code_verifier: '' })).toBe(501481);
    expect(await refused({ code_verifier: pkce().verifier })).toBe(501481);
    expect(await refused({ code_verifier: challenge })).toBe(501481);
    const guessed = await aCode(server, user, authorizeQuery(challenge));
    expect(refusal(await server.token(codeFields(guessed, pkce().verifier))).code).toBe(501481);
    expect(refusal(await server.token(codeFields(guessed, verifier))).code).toBe(54005);
    for (const code_challenge of ['short', `${challenge}A`, `${challenge.slice(1)}=`]) {
      const query = authorizeQuery(challenge, { code_challenge });
      const { headers } = await server.request('GET', `${authorizePath}?${query.toString()}`);
      expect(String(headers['location'])).toContain('AADSTS9002313');
    }
    for (const change of [{ code_challenge: '' }, { code_challenge_method: 'plain' }, { code_challenge_method: '' }]) {
      const query = authorizeQuery(challenge, change);
      const { headers } = await server.request('GET', `${authorizePath}?${query.toString()}`);
      expect(String(headers['location'])).toContain('AADSTS9002325');
    }
  });

  test('replay of codes: is refused to another client, with another redirect URI, and after five minutes', async () => {
    await using server = await startAuthority();
    const user = await aUser(server);
    const { verifier, challenge } = pkce();
    const { fields } = await anApplication(server);
    const code = () => aCode(server, user, authorizeQuery(challenge));
    const { client_id, client_secret } = fields;
    const stolen = { ...codeFields(await code(), verifier), client_id, client_secret };
    expect(refusal(await server.token(stolen)).code).toBe(70008);
    const elsewhere = { ...codeFields(await code(), verifier), redirect_uri: 'http://localhost:8401' };
    expect(refusal(await server.token(elsewhere)).code).toBe(50011);
    const late = await code();
    vi.setSystemTime(Date.now() + 301_000);
    expect(refusal(await server.token(codeFields(late, verifier))).code).toBe(70008);
  });

  test('is refused when the user was disabled since', async () => {
    await using server = await startAuthority();
    const user = await aUser(server);
    const { verifier, challenge } = pkce();
    const code = await aCode(server, user, authorizeQuery(challenge));
    await server.client.directory.updateDirectoryObject({ object: user.userName, disabled: true });
    expect((await server.token(codeFields(code, verifier))).status).toBe(400);
  });
});

test('client impersonation: an application that has a secret must show it, whatever else its caller has', async () => {
  await using server = await startAuthority();
  const user = await aUser(server);
  const { directory } = server.client;
  const redirect_uri = 'https://app.example.org/back';
  const { object } = await directory.createServicePrincipal({ display_name: 'web', redirect_uris: [redirect_uri] });
  const { secret: client_secret } = await directory.createSecret({ object: 'web' });
  const client_id = object.app_id ?? '';
  const { verifier, challenge } = pkce();
  const code = await aCode(server, user, authorizeQuery(challenge, { client_id, redirect_uri }));
  const redeem = { ...codeFields(code, verifier), client_id, redirect_uri };
  expect(refusal(await server.token(redeem)).code).toBe(7000218);
  const tokens = await server.token({ ...redeem, client_secret });
  expect(claimsOf(tokens)).toMatchObject({ oid: user.object.object_id, appid: client_id });
  const { refresh_token = '' } = tokens.json as Record<string, string>;
  const refresh = { grant_type: 'refresh_token', client_id, refresh_token };
  expect(refusal(await server.token(refresh)).code).toBe(7000218);
  expect((await server.token({ ...refresh, client_secret })).status).toBe(200);
  const password = { grant_type: 'password', client_id, username: user.userName, password: user.password, scope: arm };
  expect(refusal(await server.token(password)).code).toBe(7000218);
});

describe('redirect URI tricks, open redirect', () => {
  test.each([
    'https://evil.example.org/',
    'http://localhost.evil.example.org:8400',
    'http://localhost:8400@evil.example.org/',
    'http://evil.example.org#http://localhost',
    'http://localhost:8400\\@evil.example.org',
    'http://127.0.0.1.evil.example.org',
    'http://0x7f.1/',
    'https://localhost:8400',
    '//localhost',
    'javascript:alert(1)',
    'data:text/html,x',
    'http://localhost:8400/\r\nLocation: https://evil.example.org',
    'http://localhost:8400/#x',
  ])('nothing is sent to %j', async (uri) => {
    await using server = await startAuthority();
    const query = authorizeQuery(pkce().challenge, { redirect_uri: uri });
    for (const more of ['', '&prompt=none', '&response_type=token']) {
      const answer = await server.request('GET', `${authorizePath}?${query.toString()}${more}`);
      expect(answer.status).toBe(400);
      expect(answer.headers['location']).toBeUndefined();
      expect(answer.text).not.toContain('<form');
      expect(answer.text).not.toContain('evil');
    }
  });

  test('an application gets its codes where it is registered, to the letter, and on any port of the loopback', async () => {
    await using server = await startAuthority();
    const { directory } = server.client;
    const { object } = await directory.createServicePrincipal({
      display_name: 'web',
      redirect_uris: ['https://app.example.org/back?x=1', 'http://localhost/back'],
    });
    const statusOf = async (redirect_uri: string) => {
      const query = authorizeQuery(pkce().challenge, { client_id: object.app_id ?? '', redirect_uri });
      return (await server.request('GET', `${authorizePath}?${query.toString()}`)).status;
    };
    expect(await statusOf('https://app.example.org/back?x=1')).toBe(200);
    expect(await statusOf('http://localhost:1234/back')).toBe(200);
    for (const uri of [
      'https://app.example.org/back',
      'https://app.example.org/back?x=1&y=2',
      'https://app.example.org/back/../other?x=1',
      'https://app.example.org:444/back?x=1',
      'http://localhost:1234/other',
      'http://127.0.0.1:1234/back',
    ]) {
      expect({ uri, status: await statusOf(uri) }).toEqual({ uri, status: 400 });
    }
  });

  test('a parameter that comes twice is refused, whichever of the two was meant', async () => {
    await using server = await startAuthority();
    const query = authorizeQuery(pkce().challenge).toString();
    const twice = `${query}&redirect_uri=${encodeURIComponent('https://evil.example.org')}`;
    expect((await server.request('GET', `${authorizePath}?${twice}`)).status).toBe(400);
  });
});

describe('CSRF on sign-in', () => {
  test('a form that another page fills in signs nobody in', async () => {
    await using server = await startAuthority();
    const user = await aUser(server);
    const query = authorizeQuery(pkce().challenge);
    const { fields, cookie } = await openSignIn(server, query);
    const filled: Record<string, string> = { ...fields, username: user.userName, password: user.password };
    const { form_token: _, ...withoutToken } = filled;
    const other = await openSignIn(server, query);
    for (const [sent, headers] of [
      [filled, {}],
      [withoutToken, { cookie }],
      [{ ...filled, form_token: 'x' }, { cookie }],
      [filled, { cookie: other.cookie }],
      [filled, { cookie: cookie.replace('__Host-', '') }],
    ] as const) {
      const answer = await server.form(authorizePath, sent, headers);
      expect(answer.status).toBe(400);
      expect(answer.headers['location']).toBeUndefined();
    }
    const foreign = await server.form(authorizePath, filled, { cookie, origin: 'https://evil.example.org' });
    expect(foreign.status).toBe(403);
    expect((await server.form(authorizePath, filled, { cookie })).status).toBe(302);
  });

  test('what a request carries comes back as text and never as markup', async () => {
    await using server = await startAuthority();
    const text = `"><script>alert(1)</script>'`;
    const query = authorizeQuery(pkce().challenge, { state: text, nonce: text, login_hint: text });
    const { page, fields } = await openSignIn(server, query);
    expect(page.text).not.toContain('<script');
    expect(fields['client_id']).toBe(azureCli);
    const device = await server.request('GET', `/common/oauth2/deviceauth?user_code=${encodeURIComponent(text)}`);
    expect(device.text).not.toContain('<script');
    const refused = await server.request('GET', `${authorizePath}?client_id=${encodeURIComponent(text)}`);
    expect(refused.status).toBe(400);
    expect(refused.text).not.toContain('<script');
  });
});

describe('a device code', () => {
  const deviceAuthPath = '/common/oauth2/deviceauth';

  test('replay of codes, CSRF on sign-in: waits until the user says yes on the page, and is then good once', async () => {
    await using server = await startAuthority();
    const user = await aUser(server);
    const asked = await server.form('/common/oauth2/v2.0/devicecode', {
      client_id: azureCli,
      scope: `${arm} openid offline_access`,
    });
    const { user_code, device_code, verification_uri, message } = asked.json as Record<string, string>;
    expect(verification_uri).toBe(`${publicUrl}${deviceAuthPath}`);
    expect(message).toContain(user_code);
    const poll = { grant_type: 'device_code', client_id: azureCli, device_code: device_code ?? '' };
    expect(refusal(await server.token(poll))).toEqual({ status: 400, error: 'authorization_pending', code: 70016 });
    const { fields, cookie } = formOf(await server.request('GET', deviceAuthPath));
    const filled = {
      ...fields,
      user_code: ` ${user_code?.toLowerCase() ?? ''}`,
      username: user.userName,
      password: user.password,
    };
    expect((await server.form(deviceAuthPath, filled)).status).toBe(400);
    expect((await server.form(deviceAuthPath, { ...filled, user_code: 'BBBBBBBBB' }, { cookie })).text).toContain(
      'does not exist',
    );
    const done = await server.form(deviceAuthPath, filled, { cookie });
    expect(done.text).toContain('The device is signed in');
    expect((await server.form(deviceAuthPath, filled, { cookie })).status).toBe(400);
    const stranger = { ...poll, client_id: '1950a258-227b-4e31-a9cf-717495945fc2' };
    expect((await server.token(stranger)).status).toBe(400);
    const python = {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      client_id: azureCli,
      code: device_code ?? '',
    };
    expect(claimsOf(await server.token(python))).toMatchObject({ oid: user.object.object_id });
    expect(refusal(await server.token(poll)).code).toBe(54005);
  });

  test('ends when the user refuses, and after a quarter of an hour', async () => {
    await using server = await startAuthority();
    const user = await aUser(server);
    const ask = async () =>
      (await server.form('/common/oauth2/v2.0/devicecode', { client_id: azureCli, scope: arm })).json as Record<
        string,
        string
      >;
    const poll = async ({ device_code = '' }: Record<string, string>) =>
      refusal(await server.token({ grant_type: 'device_code', client_id: azureCli, device_code })).error;
    const refused = await ask();
    const { fields, cookie } = formOf(await server.request('GET', deviceAuthPath));
    const filled = {
      ...fields,
      username: user.userName,
      password: user.password,
      user_code: refused['user_code'] ?? '',
    };
    expect((await server.form(deviceAuthPath, { ...filled, decision: 'cancel' }, { cookie })).status).toBe(200);
    expect(await poll(refused)).toBe('authorization_declined');
    const late = await ask();
    vi.setSystemTime(Date.now() + 901_000);
    const tooLate = { ...filled, user_code: late['user_code'] ?? '', decision: 'sign-in' };
    expect((await server.form(deviceAuthPath, tooLate, { cookie })).text).toContain('does not exist');
    expect(await poll(late)).toBe('expired_token');
  });
});
