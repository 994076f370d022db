// The first five minutes: the playground of `signet serve --dev`, from the printed URL to signing out.
// Usage: node playground.mjs URL

import assert from 'node:assert/strict';
import { finish, launch, looks, walk } from './chromium.mjs';

const [url] = process.argv.slice(2);
const browser = await launch();

/// Presses a button of the playground; the newest exchange must be a success (or a refusal, when expected).
async function press(page, id, shown) {
  await Promise.all([page.waitForNavigation(), page.click(`#playground-${id}`)]);
  const latest = await page.textContent('#latest');
  assert.match(latest, shown, `after ${id}`);
}

async function wholeTour(page, withScript) {
  await page.goto(url);
  const demo = { username: await page.textContent('#demo-username'), password: await page.textContent('#demo-password') };
  if (withScript) await looks(page, 'playground-start');
  await page.click('#playground-start');
  await page.fill('#username', demo.username);
  await page.fill('#password', demo.password);
  await page.click('#login-submit');
  if (await page.waitForSelector('#consent-allow, #latest').then((found) => found.getAttribute('id')) === 'consent-allow') {
    await page.click('#consent-allow');
  }
  await page.waitForSelector('#latest');
  const steps = await page.textContent('main');
  for (const shown of ['/authorize', '/token', 'code_verifier', 'access_token', 'id_token']) {
    assert.ok(steps.includes(shown), `the playground does not show ${shown}`);
  }
  if (withScript) await looks(page, 'playground');
  await press(page, 'userinfo', /"?sub"?/);
  await press(page, 'introspect', /"?active"?:?\s*true/);
  await press(page, 'refresh', /same person/);
  await press(page, 'revoke', /200/);
  await press(page, 'introspect', /"?active"?:?\s*false/);
  await press(page, 'refresh', /invalid_grant/);
}

await walk(browser, 'the playground', {}, (page) => wholeTour(page, true));
await walk(browser, 'the playground without JavaScript', { javaScriptEnabled: false }, (page) => wholeTour(page, false));

await browser.close();
finish();
