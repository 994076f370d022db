// The pages of Signet in Chromium: sign-in, consent, errors, sign-out.
// Usage: node pages.mjs SETTING, a JSON object {issuer, engine, client, port, username, password}.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Callback, accessible, finish, launch, looks, tabTo, walk } from './chromium.mjs';

const { issuer, engine, client, port, username, password } = JSON.parse(process.argv[2]);
const callback = await Callback.listen(port);
const browser = await launch();

function authorizationUrl(parameters = {}) {
  const challenge = createHash('sha256').update(randomBytes(32).toString('base64url')).digest('base64url');
  const all = {
    response_type: 'code', client_id: client, redirect_uri: callback.url, scope: 'openid profile email',
    state: randomBytes(8).toString('hex'), nonce: randomBytes(8).toString('hex'),
    code_challenge: challenge, code_challenge_method: 'S256', ...parameters,
  };
  return `${issuer}/authorize?${new URLSearchParams(all)}`;
}

async function signIn(page) {
  await page.fill('#username', username);
  await page.fill('#password', password);
  await page.click('#login-submit');
}

async function arrivesWithCode(state) {
  const { parameters } = await callback.next();
  assert.equal(parameters.get('error'), null, `${parameters}`);
  assert.ok(parameters.get('code')?.length >= 43, `${parameters}`);
  assert.equal(parameters.get('iss'), issuer, 'RFC 9207');
  if (state) assert.equal(parameters.get('state'), state);
}

async function arrivesWithError(error, state) {
  const { parameters } = await callback.next();
  assert.equal(parameters.get('error'), error, `${parameters}`);
  assert.equal(parameters.get('code'), null);
  assert.equal(parameters.get('iss'), issuer, 'RFC 9207');
  if (state) assert.equal(parameters.get('state'), state);
}

await walk(browser, 'signs in, agrees once, is remembered, signs out', {}, async (page) => {
  await page.goto(authorizationUrl({ state: 'first' }));
  await page.waitForSelector('#login-submit');
  assert.equal(await page.getAttribute('#username', 'autocomplete'), 'username');
  assert.equal(await page.getAttribute('#password', 'autocomplete'), 'current-password');
  assert.notEqual(await page.getAttribute('html', 'lang'), null);
  await looks(page, `${engine}-login`);

  await page.fill('#username', username);
  await page.fill('#password', 'not the password');
  await page.click('#login-submit');
  await page.waitForSelector('[role=alert]');
  assert.equal(await page.inputValue('#password'), '', 'a password is never sent back');
  await looks(page, `${engine}-login-wrong`);

  await signIn(page);
  await page.waitForSelector('#consent-allow');
  assert.match(await page.textContent('main'), /Browser shop/);
  await looks(page, `${engine}-consent`);
  await page.click('#consent-allow');
  await arrivesWithCode('first');

  await page.goto(authorizationUrl({ state: 'remembered' }));
  await arrivesWithCode('remembered');
  await page.goto(authorizationUrl({ prompt: 'none' }));
  await arrivesWithCode();

  await page.goto(authorizationUrl({ prompt: 'consent', state: 'denied' }));
  await page.click('#consent-deny');
  await arrivesWithError('access_denied', 'denied');

  await page.goto(authorizationUrl({ prompt: 'login' }));
  await page.waitForSelector('#login-submit');
  await signIn(page);
  await arrivesWithCode();

  await page.goto(`${issuer}/account`);
  await looks(page, `${engine}-account`);

  await page.goto(`${issuer}/logout`);
  await page.waitForSelector('#logout-confirm');
  await looks(page, `${engine}-logout`);
  await page.click('#logout-confirm');
  await page.waitForSelector('#logout-confirm', { state: 'detached' });
  await looks(page, `${engine}-signed-out`);
  await page.goto(authorizationUrl({ prompt: 'none', state: 'out' }));
  await arrivesWithError('login_required', 'out');
});

await walk(browser, 'cancels at the login page', {}, async (page) => {
  await page.goto(authorizationUrl({ state: 'cancelled' }));
  await page.click('#login-cancel');
  await arrivesWithError('access_denied', 'cancelled');
});

await walk(browser, 'an unregistered redirect_uri ends on a page with a request id', {}, async (page) => {
  const response = await page.goto(authorizationUrl({ redirect_uri: 'https://attacker.example.test/' }));
  assert.equal(response.status(), 400);
  const id = response.headers()['x-request-id'];
  assert.ok(id && (await page.textContent('main')).includes(id), 'the page names the request');
  await looks(page, `${engine}-error`);
});

await walk(browser, 'the way back after signing in shows no stale form that fails with a 5xx', {}, async (page) => {
  await page.goto(authorizationUrl({ prompt: 'consent' }));
  await signIn(page);
  await page.waitForSelector('#consent-allow');
  const response = await page.goBack();
  assert.ok(!response || response.status() < 500, `${response?.status()}`);
});

await walk(browser, 'two tabs sign in at the same time', {}, async (page) => {
  const other = await page.context().newPage();
  await page.goto(authorizationUrl({ state: 'one' }));
  await other.goto(authorizationUrl({ state: 'two' }));
  await signIn(page);
  await arrivesWithCode('one');
  await signIn(other);
  await arrivesWithCode('two');
});

await walk(browser, 'by keyboard alone', {}, async (page) => {
  await page.goto(authorizationUrl({ prompt: 'consent' }));
  await tabTo(page, 'username');
  await page.keyboard.type(username);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'password', 'the order of the fields');
  await page.keyboard.type(password);
  await page.keyboard.press('Enter');
  await page.waitForSelector('#consent-allow');
  await tabTo(page, 'consent-allow');
  await page.keyboard.press('Enter');
  await arrivesWithCode();
});

await walk(browser, 'without JavaScript', { javaScriptEnabled: false }, async (page) => {
  await page.goto(authorizationUrl({ prompt: 'consent' }));
  await page.fill('#username', username);
  await page.fill('#password', 'not the password');
  await page.click('#login-submit');
  await page.waitForSelector('[role=alert]');
  await signIn(page);
  await page.click('#consent-allow');
  await arrivesWithCode();

  await page.goto(authorizationUrl({ response_mode: 'form_post', state: 'posted' }));
  await page.click('form button');
  const { method, parameters, url } = await callback.next();
  assert.equal(method, 'POST');
  assert.equal(url.search, '', 'nothing in the address');
  assert.equal(parameters.get('state'), 'posted');
  assert.ok(parameters.get('code'));

  await page.goto(`${issuer}/logout`);
  await page.click('#logout-confirm');
  await page.goto(authorizationUrl({ prompt: 'none' }));
  await arrivesWithError('login_required');
});

await walk(browser, 'form_post needs no click with JavaScript', {}, async (page) => {
  await page.goto(authorizationUrl({ response_mode: 'form_post' }));
  await signIn(page);
  const { method, parameters } = await callback.next();
  assert.equal(method, 'POST');
  assert.ok(parameters.get('code'));
});

await walk(browser, 'a hint that is markup stays text', {}, async (page) => {
  let alerted = false;
  page.on('dialog', (dialog) => { alerted = true; dialog.dismiss(); });
  const hint = '"><img src=x onerror=alert(1)><script>alert(1)</script>';
  await page.goto(authorizationUrl({ login_hint: hint }));
  assert.equal(await page.inputValue('#username'), hint);
  assert.equal(alerted, false);
  await accessible(page);
});

await walk(browser, 'the reference of the administration API, without JavaScript', { javaScriptEnabled: false }, async (page) => {
  const response = await page.goto(`${issuer}/v1`);
  assert.match(response.headers().link, /openapi\.json/);
  const links = await page.$$eval('nav a', (found) => found.length);
  assert.ok(links > 60, `${links} links`);
  await page.click('.contents a[href="/v1/reference/users#create_user"]');
  assert.ok(await page.isVisible('#create_user:target'), 'the operation is shown');
  assert.match(await page.textContent('#create_user'), /HTTP\/1\.1 201[^]*"username": "alice"/, 'with an answer');
  await page.fill('#filter', 'Revoke grant');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\?q=Revoke/);
  assert.match(await page.textContent('.contents'), /Revoke a grant/);
  assert.doesNotMatch(await page.textContent('.contents'), /Create a role/);
  assert.equal((await page.goto(`${issuer}/v1/reference/nothing`)).status(), 404);
  const slash = await page.goto(`${issuer}/v1/`);
  assert.equal(new URL(slash.url()).pathname, '/v1');
});

await walk(browser, 'the reference of the administration API looks right', {}, async (page) => {
  await page.goto(`${issuer}/v1`);
  const groups = await page.$$eval('.contents h2 a', (found) => found.map(({ href }) => href));
  assert.ok(groups.length > 10, `${groups.length} groups`);
  const links = new Set();
  const targets = new Set();
  for (const address of [`${issuer}/v1`, ...groups]) {
    await page.goto(address);
    const ids = await page.$$eval('[id]', (found) => found.map(({ id }) => id));
    assert.equal(new Set(ids).size, ids.length, `ids are unique at ${address}`);
    for (const id of ids) targets.add(`${address}#${id}`);
    for (const href of await page.$$eval('a[href*="#"]', (found) => found.map(({ href }) => href))) links.add(href);
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    assert.ok(height < 20_000, `${address} is ${height} px high`);
    const shown = await page.textContent('main');
    assert.doesNotMatch(shown, /\^\[/, `no regular expression at ${address}`);
    assert.doesNotMatch(await page.locator('[aria-label^="Answer"]').allTextContents().then(String), /<\w+>/, 'answers have values');
  }
  const dangling = [...links].filter((link) => link.startsWith(`${issuer}/v1`) && !targets.has(link));
  assert.deepEqual(dangling, [], 'every link leads somewhere');
  await page.goto(`${issuer}/v1`);
  await looks(page, `${engine}-reference`);
  await page.goto(`${issuer}/v1/reference/roles`);
  await looks(page, `${engine}-reference-group`);
  await page.goto(`${issuer}/v1?q=revoke`);
  await looks(page, `${engine}-reference-found`);
});

await walk(browser, 'cannot be framed', {}, async (page) => {
  const response = await page.goto(authorizationUrl());
  assert.match(response.headers()['content-security-policy'], /frame-ancestors 'none'/);
  assert.doesNotMatch(response.headers()['content-security-policy'], /unsafe-inline|unsafe-eval/);
});

await browser.close();
finish();
