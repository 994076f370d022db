// The playground: a relying party that runs in this browser and shows every request, answer and token. It speaks to
// the provider as every application does, through redirects and `fetch`. What it remembers stays in this tab.

import {
  allPassed, authorizationResponse, basic, challenge, clip, idToken, members, now, random, returnedState, userInfo,
} from './checks.js';
import { parameterRows, requestOf, stepOf } from './show.js';

const main = document.getElementById('main');
const { issuer, clientId, scope, apiClientId, apiSecret } = document.getElementById('playground').dataset;
const CALLBACK = `${issuer}/playground/callback`;
const HOME = `${issuer}/playground`;
const MEMORY = 'signet-playground';
const MAX_STEPS = 60;

/// `client`: who the application is; `pending`: what the browser was sent away for; `tokens` and `steps`: what came of it.
let memory = { client: { id: clientId, secret: '', scope, more: '' }, pending: null, tokens: null, steps: [] };
let proofs;

function remember(changes) {
  memory = { ...memory, ...changes };
  memory.steps = memory.steps.slice(-MAX_STEPS);
  sessionStorage.setItem(MEMORY, JSON.stringify(memory));
}

// The flow

/// The authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3).
async function authorizeUrl(client) {
  const query = new URLSearchParams({
    response_type: 'code', client_id: client.id, redirect_uri: CALLBACK, scope: client.scope,
    state: proofs.state, nonce: proofs.nonce,
    code_challenge: await challenge(proofs.verifier), code_challenge_method: 'S256',
  });
  for (const [name, content] of new URLSearchParams(client.more)) query.set(name, content);
  return `${issuer}/authorize?${query}`;
}

async function signIn(event) {
  event.preventDefault();
  const client = described();
  const url = await authorizeUrl(client);
  remember({ client, pending: { ...proofs, url }, tokens: null, steps: [] });
  location.assign(url);
}

/// The browser is back from `/authorize`: checks what it brings and exchanges the code.
async function finishSignIn(query, url) {
  const { pending, client } = memory;
  if (pending?.verifier) {
    tell('The application sends your browser to the provider', 'It made a state, a nonce and a code_verifier and kept '
      + 'them. Only the hash of the code_verifier travels along.', { request: { method: 'GET', url: pending.url } });
  }
  const checks = authorizationResponse(query, pending?.verifier && pending.state, issuer);
  tell('Your browser comes back with an answer', 'It came through the browser, so the application checks that it '
    + 'answers its own request and that it comes from the provider it asked.', { request: { method: 'GET', url }, checks });
  if (!allPassed(checks)) {
    throw new Error('This is not the answer to a sign-in that waits in this tab: it belongs to another one, is too '
      + 'old, or was used already. The application does not touch it. Start over.');
  }
  // An answer counts once.
  remember({ pending: null });
  if (query.has('error')) throw new Error(refusal(query.get('error'), query.get('error_description')));
  if (query.getAll('code').length !== 1) throw new Error('The answer brings no code, or more than one.');
  const answer = await ask('The application exchanges the code for tokens', 'This application is a script in your '
    + 'browser, so the request comes from there; a server would send it directly. The code_verifier proves that the '
    + 'code is exchanged by the application that asked for it.', {
    path: '/token',
    form: {
      grant_type: 'authorization_code', code: query.get('code'), redirect_uri: CALLBACK, ...who(client),
      code_verifier: pending.verifier,
    },
    basic: credentials(client),
  });
  const { access_token: accessToken, refresh_token: refreshToken, id_token: jwt } = successful(answer);
  if (!accessToken) throw new Error('The answer has no access_token.');
  const subject = jwt && await checkIdToken(jwt, { nonce: pending.nonce, accessToken }, 'The keys are public, and one '
    + 'fetch serves for many sign-ins. A token that fails any check is refused.');
  remember({ tokens: { accessToken, refreshToken, idToken: jwt, subject } });
}

/// Fetches the provider's keys and checks an ID token with them; returns the person it is about.
async function checkIdToken(jwt, expected, note) {
  const title = 'The application fetches the provider’s keys and checks the ID token';
  const jwks = successful(await ask(title, note, { path: '/jwks', folded: true }));
  const found = await idToken(jwt, jwks, { issuer, clientId: memory.client.id, now: now(), ...expected });
  latest().checks = found.checks;
  if (!found.subject) throw new Error('The ID token failed a check, so the application refuses it.');
  return found.subject;
}

const ACTIONS = {
  /// Swaps the refresh token for new tokens (RFC 6749 §6).
  async refresh({ tokens, client }) {
    if (!tokens.refreshToken) throw new Error('The provider gave no refresh token.');
    const { status, json } = await ask('The application refreshes its tokens', 'A refresh token is used once: the '
      + 'answer brings its successor. Using an old one again looks like theft and ends them all.', {
      path: '/token',
      form: { grant_type: 'refresh_token', refresh_token: tokens.refreshToken, ...who(client) },
      basic: credentials(client),
    });
    // A refusal is shown like every other answer.
    if (status !== 200) return;
    const next = {
      ...tokens, accessToken: json.access_token, refreshToken: json.refresh_token ?? tokens.refreshToken,
    };
    if (json.id_token) {
      await checkIdToken(json.id_token, { subject: tokens.subject, accessToken: next.accessToken },
        'An ID token that comes with a refresh must be about the same person.');
      next.idToken = json.id_token;
    }
    remember({ tokens: next });
  },

  /// Reads the person's claims (OpenID Connect Core §5.3).
  async userinfo({ tokens }) {
    const { status, json } = await ask('The application reads your claims', 'The scopes of the access token decide '
      + 'which claims come.', { path: '/userinfo', bearer: tokens.accessToken });
    if (status !== 200 || !tokens.subject) return;
    const found = userInfo(json, tokens.subject);
    latest().checks = [found];
    if (!found.passed) throw new Error('The claims are about another person, so the application refuses them.');
  },

  /// Asks as a resource server whether the access token is active (RFC 7662).
  async introspect({ tokens }) {
    await ask('A resource server asks whether the access token is active', `This is not the application but ${apiClientId}, `
      + 'an API that was shown the token. It could also check the signature itself, but then it would not learn of a '
      + 'revocation.', {
      path: '/introspect',
      form: { token: tokens.accessToken, token_type_hint: 'access_token' },
      basic: { id: apiClientId, secret: apiSecret },
    });
  },

  /// Takes the tokens back (RFC 7009).
  async revoke({ tokens, client }) {
    const token = tokens.refreshToken
      ? { token: tokens.refreshToken, token_type_hint: 'refresh_token' }
      : { token: tokens.accessToken, token_type_hint: 'access_token' };
    await ask('The application revokes its tokens', 'Revoking the refresh token ends the whole grant, the access token '
      + 'too. You stay signed in at the provider.', {
      path: '/revoke', form: { ...token, ...who(client) }, basic: credentials(client),
    });
  },

  /// Ends the session at the provider (OpenID Connect RP-Initiated Logout 1.0 §2).
  async logout({ tokens, client }) {
    const state = random();
    const hint = tokens.idToken ? { id_token_hint: tokens.idToken } : {};
    const query = new URLSearchParams({ ...hint, client_id: client.id, post_logout_redirect_uri: HOME, state });
    const url = `${issuer}/logout?${query}`;
    remember({ pending: { state, url } });
    location.assign(url);
  },

  async restart() {
    remember({ pending: null, tokens: null, steps: [] });
    location.assign(HOME);
  },
};

/// The browser is back from `/logout`.
function finishSignOut(query, url) {
  const { pending } = memory;
  remember({ pending: null, tokens: null, steps: [] });
  tell('The application sends your browser to sign out', 'The ID token names the session, so you are not asked again.',
    { request: { method: 'GET', url: pending.url } });
  tell('Your browser comes back', 'Your session at the provider has ended: the next sign-in asks for the password. The '
    + 'tokens stay valid until they are revoked or expire, if you allowed offline access.',
  { request: { method: 'GET', url }, checks: [returnedState(query, pending.state)] });
}

/// A public client names itself in the form; one with a secret does so in the `Authorization` header.
const who = (client) => (client.secret ? {} : { client_id: client.id });
const credentials = (client) => (client.secret ? client : undefined);

/// Sends one request to the provider and writes it down.
async function ask(title, note, { path, form, bearer, basic: secret, folded = false }) {
  const method = form ? 'POST' : 'GET';
  const body = form && new URLSearchParams(form).toString();
  const headers = { accept: 'application/json', ...(form && { 'content-type': 'application/x-www-form-urlencoded' }) };
  // Tokens are what the playground shows; a client's secret it does not.
  const shown = { ...headers };
  if (bearer) headers.authorization = shown.authorization = `Bearer ${bearer}`;
  if (secret) {
    headers.authorization = basic(secret.id, secret.secret);
    shown.authorization = `Basic … (the secret of ${secret.id})`;
  }
  const url = `${issuer}${path}`;
  const step = tell(title, note, { folded, request: { method, url, headers: shown, body } });
  const response = await fetch(url, { method, headers, body, credentials: 'omit', cache: 'no-store' });
  const text = await response.text();
  const kept = WORTH_SHOWING.map((name) => [name, response.headers.get(name)]).filter(([, content]) => content);
  step.response = { status: response.status, reason: response.statusText, headers: Object.fromEntries(kept), body: text };
  return { status: response.status, json: members(text) };
}

function successful({ status, json }) {
  if (status >= 200 && status < 300) return json;
  throw new Error(json.error ? refusal(json.error, json.error_description)
    : `The provider refused with status ${status}.`);
}

/// An error response (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6) in plain words.
function refusal(error, description) {
  if (error === 'access_denied') {
    return 'You cancelled or did not agree, so the application got no code. That is all it learns.';
  }
  return `The provider refused: ${clip(description ?? error, 300)}${description ? ` (${clip(error, 60)})` : ''}.`;
}

function tell(title, note, rest) {
  const step = { title, note, ...rest };
  remember({ steps: [...memory.steps, step] });
  return latest();
}

const latest = () => memory.steps.at(-1);

// The page

function draw(error) {
  const told = memory.steps.length > 0;
  document.querySelector('.hero').classList.toggle('compact', told);
  if (told) document.querySelector('h1').textContent = memory.tokens ? 'Signed in, step by step' : 'What happened, step by step';
  document.getElementById('introduction').hidden = told;
  document.getElementById('story').hidden = !told;
  const alert = document.getElementById('playground-error');
  alert.hidden = !error;
  alert.textContent = error ?? '';
  document.getElementById('application').textContent = memory.client.id;
  document.getElementById('timeline').replaceChildren(...memory.steps.map(stepOf));
  for (const button of document.querySelectorAll('.choices > [data-signed-in]')) button.hidden = !memory.tokens;
}

async function press(event) {
  const button = event.target.closest('button');
  if (!button) return;
  const succeeded = await during(() => ACTIONS[button.value](memory));
  document.getElementById(succeeded ? 'latest' : 'playground-error')?.scrollIntoView();
}

/// Does something that may take a while, then draws what came of it; whether it went well.
async function during(act) {
  main.setAttribute('aria-busy', 'true');
  let error;
  try {
    await act();
  } catch (thrown) {
    error = thrown.message;
  }
  remember({});
  draw(error);
  main.removeAttribute('aria-busy');
  document.getElementById('playground-status').textContent = latest()?.title ?? '';
  return !error;
}

function described() {
  const field = (name) => document.getElementById(`playground-${name}`).value.trim();
  return { id: field('client'), secret: field('secret'), scope: field('scope'), more: field('more') };
}

/// Shows the request that the button will send.
async function preview() {
  const url = await authorizeUrl(described());
  const shown = document.getElementById('playground-request');
  shown.replaceChildren(requestOf({ method: 'GET', url }, true), parameterRows(new URL(url).searchParams));
}

async function open() {
  const kept = sessionStorage.getItem(MEMORY);
  if (kept) memory = { ...memory, ...members(kept) };
  proofs = { state: random(), nonce: random(), verifier: random() };
  for (const id of ['playground', 'playground-start']) document.getElementById(id).hidden = false;
  const form = document.getElementById('playground-form');
  for (const [name, content] of [['client', memory.client.id], ['scope', memory.client.scope], ['more', memory.client.more]]) {
    document.getElementById(`playground-${name}`).value = content;
  }
  form.addEventListener('submit', signIn);
  form.addEventListener('input', preview);
  document.querySelector('.choices').addEventListener('click', press);
  await preview();
  const { search, href } = location;
  const query = new URLSearchParams(search);
  // A reloaded page must not bring the code again, which would end the grant.
  if (href !== HOME) history.replaceState(null, '', HOME);
  if (href.startsWith(`${CALLBACK}?`)) await during(() => finishSignIn(query, href));
  else if (query.has('state') && memory.pending && !memory.pending.verifier) await during(() => finishSignOut(query, href));
  else draw();
}

const WORTH_SHOWING = ['content-type', 'cache-control', 'www-authenticate', 'retry-after'];

await open();
