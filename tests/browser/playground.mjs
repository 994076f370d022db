// The first five minutes: the playground of `signet serve --dev`, from the printed URL to signing out.
// Usage: node playground.mjs URL CLIENT SECRET, a client that has the playground's redirect_uri.

import assert from 'node:assert/strict';
import { finish, launch, looks, walk } from './chromium.mjs';

const [url, client, secret] = process.argv.slice(2);
const browser = await launch();

const idle = (page) => page.waitForSelector('main:not([aria-busy])');

/// Presses a button of the playground; the newest exchange must be a success (or a refusal, when expected).
async function press(page, id, shown) {
  await page.click(`#playground-${id}`);
  await idle(page);
  const latest = await page.textContent('#latest');
  assert.match(latest, shown, `after ${id}`);
}

async function signIn(page) {
  const demo = { username: await page.textContent('#demo-username'), password: await page.textContent('#demo-password') };
  await page.click('#playground-start');
  await page.fill('#username', demo.username);
  await page.fill('#password', demo.password);
  await page.click('#login-submit');
  if (await page.waitForSelector('#consent-allow, #latest').then((found) => found.getAttribute('id')) === 'consent-allow') {
    await page.click('#consent-allow');
  }
  await page.waitForSelector('#latest');
  await idle(page);
}

await walk(browser, 'the playground', {}, async (page) => {
  const response = await page.goto(url);
  const policy = response.headers()['content-security-policy'];
  assert.match(policy, /script-src 'self'/);
  assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval/);
  await page.waitForSelector('#playground-request details[open]');
  const first = await page.textContent('#playground-request');
  for (const shown of ['/authorize', 'code_challenge_method=S256', 'nonce=', 'openid+profile+email+offline_access']) {
    assert.ok(first.includes(shown), `the first request does not show ${shown}`);
  }
  await looks(page, 'playground-start');
  await signIn(page);
  assert.equal(new URL(page.url()).search, '', 'the code leaves the address');
  const steps = await page.textContent('main');
  for (const shown of ['/authorize', '/token', 'code_verifier', 'access_token', 'id_token']) {
    assert.ok(steps.includes(shown), `the playground does not show ${shown}`);
  }
  assert.doesNotMatch(steps, /✗/, 'every check passed');
  await looks(page, 'playground');
  await press(page, 'userinfo', /"?sub"?/);
  await press(page, 'introspect', /"?active"?:?\s*true/);
  await press(page, 'refresh', /same person/);
  await press(page, 'revoke', /200/);
  await press(page, 'introspect', /"?active"?:?\s*false/);
  assert.match(await page.textContent('#latest'), /Basic … \(the secret of playground-api\)/, 'no secret is shown');
  await press(page, 'refresh', /invalid_grant/);
  const told = await page.locator('.step').count();
  await page.reload();
  assert.equal(await page.locator('.step').count(), told, 'a reload repeats nothing and forgets nothing');
  await page.click('#playground-logout');
  await page.waitForSelector('#latest');
  await idle(page);
  assert.match(await page.textContent('#latest'), /Your session at the provider has ended/);
  assert.doesNotMatch(await page.textContent('#latest'), /✗/);
  assert.ok(await page.isHidden('#playground-userinfo'));
  await page.click('#playground-restart');
  await page.waitForSelector('#playground-start:visible');
});

await walk(browser, 'another client with other scopes in the playground', {}, async (page) => {
  await page.goto(url);
  await page.click('text=Try another client or other scopes');
  await page.fill('#playground-client', client);
  await page.fill('#playground-secret', secret);
  await page.fill('#playground-scope', 'openid email');
  await page.fill('#playground-more', 'prompt=consent&claims_locales=de');
  const first = await page.textContent('#playground-request');
  for (const shown of [`client_id=${client}`, 'scope=openid+email', 'prompt=consent']) assert.ok(first.includes(shown), shown);
  assert.ok(!first.includes(secret), 'the secret is no part of the request');
  await looks(page, 'playground-client');
  await signIn(page);
  assert.doesNotMatch(await page.textContent('main'), /✗/);
  assert.match(await page.textContent('main'), new RegExp(`the secret of ${client}`));
  assert.ok(!(await page.content()).includes(secret), 'no secret is shown');
  await press(page, 'userinfo', /email_verified/);
  await press(page, 'refresh', /same person/);
});

await walk(browser, 'an answer that nothing waits for in the playground', {}, async (page) => {
  await page.goto(`${url}/callback?code=x&state=y&iss=z`);
  await page.waitForSelector('#playground-error:visible');
  assert.match(await page.textContent('#latest'), /✗/);
  assert.ok(await page.isHidden('#playground-userinfo'));
  await page.goto(url);
  await page.click('#playground-restart');
  await page.click('#playground-start');
  await page.click('#login-cancel');
  await page.waitForSelector('#playground-error:visible');
  assert.match(await page.textContent('#playground-error'), /You cancelled or did not agree/);
});

await walk(browser, 'the playground without JavaScript', { javaScriptEnabled: false }, async (page) => {
  await page.goto(url);
  assert.match(await page.textContent('noscript'), /JavaScript is off in this browser/);
  assert.ok(await page.isVisible('noscript .alert'));
  assert.equal(await page.locator('button:visible').count(), 0, 'no button that does nothing');
});

await browser.close();
finish();
