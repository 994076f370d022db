// A person in Chromium: node page.mjs HOME USERNAME PASSWORD

import assert from 'node:assert/strict';
import { finish, launch, walk } from '../../browser/chromium.mjs';

const [home, username, password] = process.argv.slice(2);
const browser = await launch();
await walk(browser, 'sign in, refresh, sign out', {}, async (page) => {
  const person = page.locator('#person');
  await page.goto(home);
  assert.equal(await person.textContent(), 'null');
  await page.click('#login');
  await page.fill('[name=username]', username);
  await page.fill('[name=password]', password);
  await page.click('#login-submit');
  await page.click('#consent-allow');
  await person.filter({ hasText: 'alice@example.test' }).waitFor();
  for (const what of ['Alice Example', 'staff', 'shop-admins']) {
    assert.ok((await person.textContent()).includes(what), `${what}: ${await person.textContent()}`);
  }
  await page.click('#refresh');
  await person.filter({ hasText: 'refreshed' }).waitFor();
  await page.click('#logout');
  await page.waitForURL((url) => url.href.startsWith(home));
  await person.filter({ hasText: /^null$/ }).waitFor();
});
await browser.close();
finish();
