import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deviceCodeCredential, interactiveBrowserCredential, type DeviceCodePrompt } from '@lazuli/client/azure';
import { newFolder } from './certificates.ts';
import { walkForms } from './form-walker.ts';
import { app, startAuthority, type TestAuthority } from './test-authority.ts';

const scope = 'https://management.azure.com/.default';
let authority: TestAuthority;
beforeAll(async () => {
  authority = await startAuthority();
});
afterAll(() => authority[Symbol.asyncDispose]());
const options = () => ({
  authorityHost: authority.origin,
  tenantId: app.tenantId,
  clientId: app.clientId,
  environment: {},
});
const grants = () => authority.tokenRequests.map((fields) => fields['grant_type']?.replace(/.*:/, ''));

describe('a device code', () => {
  test('is shown, and asked for until somebody entered it', async () => {
    const prompts: DeviceCodePrompt[] = [];
    const credential = deviceCodeCredential({ ...options(), prompt: (prompt) => prompts.push(prompt) });
    const before = grants().length;
    expect((await credential.getToken(scope))?.token).toMatch(/^token-/);
    expect(prompts).toEqual([
      {
        userCode: 'ABCD',
        verificationUri: `${authority.origin}/device`,
        message: `To sign in, open ${authority.origin}/device in a browser and enter the code ABCD.`,
      },
    ]);
    expect(grants().slice(before)).toEqual(['device_code', 'device_code', 'device_code']);
  });

  test('serves other audiences without another one, by the refresh token', async () => {
    const prompts: DeviceCodePrompt[] = [];
    const credential = deviceCodeCredential({ ...options(), prompt: (prompt) => prompts.push(prompt) });
    await credential.getToken(scope);
    await credential.getToken('https://storage.azure.com/.default');
    expect(prompts).toHaveLength(1);
    expect(authority.tokenRequests.at(-1)).toMatchObject({
      grant_type: 'refresh_token',
      scope: 'https://storage.azure.com/.default openid profile offline_access',
    });
  });

  test('stops being asked for when the caller gives up', async () => {
    const controller = new AbortController();
    const prompt = (): void => controller.abort(new Error('enough'));
    const credential = deviceCodeCredential({ ...options(), prompt });
    await expect(credential.getToken(scope, { abortSignal: controller.signal })).rejects.toThrow('enough');
  });
});

describe('a browser', () => {
  test('signs in, and the next process goes on with the refresh token in the file', async () => {
    const cacheFile = join(newFolder(), 'tokens.json');
    const open = async (url: string): Promise<void> => {
      await walkForms(url);
    };
    const first = interactiveBrowserCredential({ ...options(), cacheFile, open });
    expect((await first.getToken(scope))?.token).toMatch(/^token-/);
    const closed = async (): Promise<void> => expect.unreachable('No browser is needed.');
    const next = interactiveBrowserCredential({ ...options(), cacheFile, open: closed });
    expect((await next.getToken('https://storage.azure.com/.default'))?.token).toMatch(/^token-/);
    expect(grants().slice(-2)).toEqual(['authorization_code', 'refresh_token']);
  });

  test('asks again when the refresh token is not taken any more', async () => {
    const cacheFile = join(newFolder(), 'tokens.json');
    let count = 0;
    const open = async (url: string): Promise<void> => {
      count++;
      await walkForms(url);
    };
    await interactiveBrowserCredential({ ...options(), cacheFile, open }).getToken(scope);
    writeFileSync(cacheFile, readFileSync(cacheFile, 'utf8').replaceAll(/"refresh-[^"]*"/g, '"refresh-gone"'));
    await interactiveBrowserCredential({ ...options(), cacheFile, open }).getToken('other');
    expect(count).toBe(2);
  });

  test('that is Chromium signs in through the page of the authority', async () => {
    await using closing = await startChromium();
    const page = await closing.browser.newPage({ ignoreHTTPSErrors: true });
    const open = async (url: string): Promise<void> => {
      await page.goto(url);
    };
    const token = await interactiveBrowserCredential({ ...options(), open }).getToken(scope);
    expect(token?.token).toMatch(/^token-/);
    await page.waitForURL(/^http:\/\/localhost:\d+\/$/);
    expect(await page.textContent('body')).toContain('You are signed in');
    expect(page.url()).not.toContain('code=');
  });

  test('is the command in BROWSER', async () => {
    const folder = newFolder();
    const command = join(folder, 'browser');
    writeFileSync(command, `#!/bin/sh\necho "$1" > ${folder}/url\n`, { mode: 0o755 });
    const credential = interactiveBrowserCredential({ ...options(), environment: { BROWSER: command }, limit: 20_000 });
    const token = credential.getToken(scope);
    const told = (): string => readFileSync(join(folder, 'url'), { encoding: 'utf8', flag: 'a+' });
    await expect.poll(told).toMatch(/\n$/);
    await walkForms(told().trim());
    expect((await token)?.token).toMatch(/^token-/);
  });

  test('that does nothing is given up after the limit, and when the caller gives up', async () => {
    const open = async (): Promise<void> => undefined;
    const late = interactiveBrowserCredential({ ...options(), open, limit: 50 }).getToken(scope);
    await expect(late).rejects.toMatchObject({ failure: 'timed out' });
    const controller = new AbortController();
    const idle = async (): Promise<void> => controller.abort(new Error('enough'));
    const given = interactiveBrowserCredential({ ...options(), open: idle }).getToken(scope, {
      abortSignal: controller.signal,
    });
    await expect(given).rejects.toThrow('enough');
  });

  test('that brings an answer to another sign-in does not end this one', async () => {
    const statuses: number[] = [];
    const open = async (url: string): Promise<void> => {
      const back = new URL(url).searchParams.get('redirect_uri') ?? '';
      const forged = new URLSearchParams({ code: 'stolen', state: 'guessed' });
      statuses.push((await fetch(back, { method: 'POST', body: forged })).status);
      statuses.push((await fetch(`${back}/?${forged.toString()}`)).status);
      await walkForms(url);
    };
    expect((await interactiveBrowserCredential({ ...options(), open }).getToken(scope))?.token).toMatch(/^token-/);
    expect(statuses).toEqual([400, 400]);
  });

  test('in which somebody declines is a refusal with its reason', async () => {
    const open = async (url: string): Promise<void> => {
      const { searchParams } = new URL(url);
      const fields = {
        error: 'access_denied',
        error_description: 'AADSTS65004: User declined',
        state: searchParams.get('state') ?? '',
      };
      await fetch(searchParams.get('redirect_uri') ?? '', { method: 'POST', body: new URLSearchParams(fields) });
    };
    const failure = interactiveBrowserCredential({ ...options(), open }).getToken(scope);
    await expect(failure).rejects.toMatchObject({
      failure: 'rejected',
      message: expect.stringContaining('AADSTS65004') as string,
    });
  });
});

async function startChromium() {
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  return { browser, [Symbol.asyncDispose]: () => browser.close() };
}
