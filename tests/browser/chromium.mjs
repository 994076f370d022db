// What every script of this directory needs: Chromium, a relying party that listens, and a count at the end.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';

const PATIENCE = 10_000;
const screenshots = fileURLToPath(new URL('../../target/screenshots', import.meta.url));
let passed = 0;
let failed = 0;

/// A fresh Chromium (with a user data directory of its own); Debian's, not one that npm brings.
export async function launch() {
  mkdirSync(screenshots, { recursive: true });
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
    ],
  });
}

/// Runs one walk in a browser of its own: no cookie of another walk is there.
export async function walk(browser, name, options, steps) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 800 }, ...options });
  context.setDefaultTimeout(PATIENCE);
  const complaints = [];
  const page = await context.newPage();
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to /i.test(message.text())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(`${error}`));
  page.on('response', (response) => {
    // What a script fetches, it answers for.
    const own = ['document', 'fetch'].includes(response.request().resourceType());
    if (!own && response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`);
  });
  try {
    await steps(page);
    assert.deepEqual(complaints, [], 'the browser complains');
    passed += 1;
    console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name} at ${page.url()}`);
    console.error(error, complaints);
    console.error(await page.textContent('body').catch(() => ''));
  } finally {
    await context.close();
  }
}

/// Prints the count; the last line of every script.
export function finish() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

/// No finding of axe at any level.
export async function accessible(page) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ')}`);
  assert.deepEqual(found, [], `axe at ${page.url()}`);
}

/// Looks at the page in light and dark, wide and on a phone: readable, accessible, nothing sticks out.
export async function looks(page, name) {
  const before = page.viewportSize();
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    for (const width of [1100, 320]) {
      await page.setViewportSize({ width, height: 800 });
      const needed = await page.evaluate(() => document.documentElement.scrollWidth);
      // A reference of many screens would take a browser longer to paint than to read: its beginning is enough.
      const height = await page.evaluate(() => document.documentElement.scrollHeight);
      const fullPage = height <= 8000;
      await page.screenshot({ path: `${screenshots}/${name}-${colorScheme}-${width}.png`, fullPage });
      assert.ok(needed <= width, `${name} is ${needed} px wide on a screen of ${width} px`);
    }
    await accessible(page);
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize(before);
}

/// Presses Tab until the element has the focus, as a person without a mouse does.
export async function tabTo(page, id) {
  for (let presses = 0; presses < 30; presses++) {
    const focused = await page.evaluate(() => document.activeElement?.id);
    if (focused === id) {
      const visible = await page.evaluate(() => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement);
        return (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none';
      });
      assert.ok(visible, `the focus on ${id} cannot be seen`);
      return;
    }
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not reach ${id}`);
}

/// A relying party's address that answers and remembers what it was sent.
export class Callback {
  #arrived = [];
  #waiting = [];

  static async listen(port) {
    const callback = new Callback();
    callback.url = `http://127.0.0.1:${port}/callback`;
    const server = createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end('<!doctype html><html lang="en"><title>Arrived</title><h1 id="arrived">Arrived</h1></html>');
      const url = new URL(request.url, callback.url);
      if (url.pathname !== '/callback') return;
      const body = new URLSearchParams(Buffer.concat(chunks).toString());
      const answer = { method: request.method, parameters: request.method === 'POST' ? body : url.searchParams, url };
      const next = callback.#waiting.shift();
      if (next) next(answer);
      else callback.#arrived.push(answer);
    });
    await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
    server.unref();
    return callback;
  }

  /// The next response that the server sends the browser with.
  async next() {
    const arrived = this.#arrived.shift();
    if (arrived) return arrived;
    return new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error('nothing arrives at the relying party')), PATIENCE).unref();
      this.#waiting.push(resolve);
    });
  }
}
