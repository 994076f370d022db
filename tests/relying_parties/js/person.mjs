// A person with a browser without JavaScript: keeps cookies, follows redirects, fills in forms.

export class Person {
  #cookies = new Map();

  constructor(username, password) {
    this.username = username;
    this.password = password;
  }

  /// Signs in and agrees to what is asked. Answers with the redirect to the client (a URL), or with the form
  /// that the server wants posted to it (a Request, `response_mode=form_post`).
  async authorize(url) {
    const home = new URL(url).origin;
    let request = { url: new URL(url) };
    for (let step = 0; step < 20; step++) {
      const response = await fetch(request.url, {
        method: request.body ? 'POST' : 'GET',
        body: request.body,
        redirect: 'manual',
        headers: {
          cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; '),
          // A page with `Referrer-Policy: no-referrer` posts with this origin.
          ...(request.body ? { origin: 'null', 'sec-fetch-site': 'same-origin' } : {}),
        },
      });
      for (const cookie of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
        if (/max-age=0/i.test(cookie)) this.#cookies.delete(name);
        else this.#cookies.set(name, value);
      }
      const location = response.headers.get('location');
      if (location) {
        request = { url: new URL(location, request.url) };
        if (request.url.origin !== home) return request.url;
        continue;
      }
      const page = await response.text();
      if (response.status !== 200) throw new Error(`${response.status} at ${request.url}: ${page}`);
      const form = readForm(page, request.url);
      if (form.action.origin !== home) return new Request(form.action, { method: 'POST', body: form.fields });
      this.#fillIn(form.fields, page, request.url);
      request = { url: form.action, body: form.fields };
    }
    throw new Error('the server asks without end');
  }

  #fillIn(fields, page, url) {
    if (page.includes('id="login-submit"')) {
      fields.set('username', this.username);
      fields.set('password', this.password);
      press(fields, page, 'login-submit');
    } else if (page.includes('id="consent-allow"')) {
      press(fields, page, 'consent-allow');
    } else {
      throw new Error(`what should a person do at ${url}? ${page}`);
    }
  }
}

function readForm(page, url) {
  const [, head, inside] = /<form\b([^>]*)>([\s\S]*?)<\/form>/i.exec(page) ?? [];
  if (head === undefined) throw new Error(`no form at ${url}: ${page}`);
  const fields = new URLSearchParams();
  for (const [tag] of inside.matchAll(/<input\b[^>]*>/gi)) {
    const name = attribute(tag, 'name');
    if (name && attribute(tag, 'type') !== 'submit') fields.append(name, attribute(tag, 'value') ?? '');
  }
  return { action: new URL(attribute(head, 'action') ?? '', url), fields };
}

function press(fields, page, id) {
  const button = page.match(/<button\b[^>]*>/gi).find((tag) => attribute(tag, 'id') === id);
  const name = attribute(button, 'name');
  if (name) fields.set(name, attribute(button, 'value') ?? '');
}

function attribute(tag, name) {
  const found = new RegExp(`\\b${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, 'i').exec(tag);
  return found ? unescape(found[1] ?? found[2]) : undefined;
}

const NAMED = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescape(text) {
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|([a-z]+));/gi, (whole, decimal, hex, name) => {
    if (decimal) return String.fromCodePoint(Number(decimal));
    if (hex) return String.fromCodePoint(parseInt(hex, 16));
    return NAMED[name] ?? whole;
  });
}
