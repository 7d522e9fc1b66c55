#!/usr/bin/env node
import { chromium } from 'playwright-core';

/** What stands for a person with a browser: opens the address, fills in the page and waits until the client has its code. */
const [address = ''] = process.argv.slice(2);
const { LAZULI_TEST_USER = '', LAZULI_TEST_PASSWORD = '', LAZULI_TEST_CHROMIUM = '' } = process.env;
const browser = await chromium.launch({ executablePath: LAZULI_TEST_CHROMIUM, args: ['--no-sandbox'] });
try {
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  await page.goto(address);
  await page.getByLabel('User name').fill(LAZULI_TEST_USER);
  await page.getByLabel('Password').fill(LAZULI_TEST_PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(/^http:\/\/localhost/);
  await page.waitForLoadState();
} finally {
  await browser.close();
}
