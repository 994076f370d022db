// The manual: readable in light and dark, on a phone, with and without JavaScript.
// Usage: node manual.mjs URL

import assert from 'node:assert/strict';
import { finish, launch, looks, walk } from './chromium.mjs';

const [url] = process.argv.slice(2);
const browser = await launch();

async function turnPages(page) {
  await page.goto(url);
  await page.click('.manual-contents a[href="/manual/who-may-do-what"]');
  await page.click('.manual-contents a[href="#what-a-policy-sees"]');
  assert.equal(new URL(page.url()).hash, '#what-a-policy-sees');
  await page.click('a[rel=next]');
  await page.waitForSelector('#administration-api');
}

await walk(browser, 'the manual', {}, async (page) => {
  await turnPages(page);
  for (const name of ['', '/first-site', '/configuration', '/speed']) {
    await page.goto(url + name);
    await looks(page, `manual${name.replace('/', '-')}`);
  }
});
await walk(browser, 'the manual without JavaScript', { javaScriptEnabled: false }, turnPages);

await browser.close();
finish();
