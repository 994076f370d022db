// What happened, drawn: requests, answers, checks and tokens.

import { address, decode, instant, members, now, pieces, value } from './checks.js';

/// An element; text is only ever text.
function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [attribute, content] of Object.entries(attributes)) {
    if (content !== false && content !== undefined) element.setAttribute(attribute, content === true ? '' : content);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return element;
}

const coloured = (list) => list.map(([kind, text]) => (kind ? h('span', { class: kind }, text) : text));

const headerLines = (headers = {}) => Object.entries(headers)
  .flatMap(([name, content]) => [h('span', { class: 'key' }, name), ': ', ...coloured(value(content)), '\n']);

function message(kind, line, first, headers, body, open) {
  return h('details', { class: 'message', open },
    h('summary', {}, h('span', { class: 'tag' }, kind), ' ', h('span', { class: 'line' }, line())),
    h('pre', { tabindex: 0, 'aria-label': kind }, h('code', {}, first(), '\n', headerLines(headers),
      body ? ['\n', ...coloured(pieces(body))] : [])));
}

export function requestOf({ method, url, headers, body }, open) {
  const verb = () => h('b', {}, method);
  return message('Request', () => [verb(), ` ${url.split('?')[0]}`], () => [verb(), ' ', ...coloured(address(url))],
    headers, body, open);
}

function responseOf({ status, reason, headers, body }, open) {
  const line = () => h('b', { class: status < 300 ? 'ok' : 'failed' }, `${status} ${reason}`);
  return message('Response', line, line, headers, body, open);
}

const rows = (list) => h('dl', { class: 'claims' }, list.map(([name, content, meaning]) => h('div', {},
  h('dt', {}, h('code', {}, name)), h('dd', { class: 'claim-value' }, content), h('dd', { class: 'claim-meaning' }, meaning))));

/// The parameters of the authorization request and what each is for.
export const parameterRows = (parameters) => rows([...parameters.entries()]
  .map(([name, content]) => [name, h('bdi', {}, content), PARAMETERS[name] ?? '']));

const checksOf = (checks) => h('section', { class: 'token' }, h('h3', {}, 'What the application checked'),
  rows(checks.map(({ name, passed, detail }) => [
    name, h('b', { class: passed ? 'ok' : 'failed' }, passed ? '✓ passed' : '✗ refused'), h('bdi', {}, detail),
  ])));

/// The claims that have a meaning, as text.
function explained(claims) {
  const text = (name, content) => {
    if (DATES.has(name) && Number.isInteger(content)) return instant(content, now());
    if (Array.isArray(content)) return content.map((item) => (typeof item === 'string' ? item : JSON.stringify(item))).join(', ');
    return typeof content === 'string' ? content : JSON.stringify(content);
  };
  return rows(Object.entries(MEANINGS).filter(([name]) => name in claims)
    .map(([name, meaning]) => [name, h('bdi', {}, text(name, claims[name])), meaning]));
}

/// The tokens or claims in a response.
function decodedOf(response, open) {
  const json = members(response?.body);
  const tokens = [['ID token', decode(json.id_token)], ['Access token', decode(json.access_token)]];
  const found = tokens.filter(([, token]) => token);
  const part = (label, text) => h('pre', { tabindex: 0, 'aria-label': label }, h('code', {}, coloured(pieces(text))));
  if (found.length === 0 && ('sub' in json || 'active' in json)) {
    return [h('details', { class: 'token', open }, h('summary', {}, h('h3', {}, 'Claims')), explained(json))];
  }
  return found.map(([name, { header, payload }]) => h('details', { class: 'token', open },
    h('summary', {}, h('h3', {}, name)), explained(JSON.parse(payload)),
    h('details', { class: 'message' },
      h('summary', {}, h('span', { class: 'tag' }, 'Decoded'), ' ', h('span', { class: 'line' }, 'header and payload as JSON')),
      part('Header', header), part('Payload', payload))));
}

export function stepOf(step, at, steps) {
  const last = at === steps.length - 1;
  return h('li', { class: 'step', id: last && 'latest' }, h('h2', {}, step.title), h('p', { class: 'note' }, step.note),
    step.request && requestOf(step.request, at === 0 || (last && !step.folded)),
    step.response && responseOf(step.response, last && !step.folded),
    step.checks && checksOf(step.checks),
    // Tokens come with one step and are checked in the next.
    decodedOf(step.response, at + 2 >= steps.length));
}

const DATES = new Set(['exp', 'iat', 'nbf', 'auth_time', 'updated_at']);

const PARAMETERS = {
  response_type: 'The answer is to bring a code, not a token.',
  client_id: 'The application that asks.',
  redirect_uri: 'Where the answer goes; it must be registered for the application.',
  scope: 'What the application wants.',
  state: 'Comes back with the answer and ties it to this request.',
  nonce: 'Comes back in the ID token and ties it to this request.',
  code_challenge: 'The hash of a secret, the code_verifier, that the application keeps.',
  code_challenge_method: 'The hash is SHA-256.',
  prompt: 'What the provider must ask you again.',
  max_age: 'How long ago, in seconds, you may have signed in.',
  resource: 'The API that the access token is for.',
  acr_values: 'How strongly you must prove who you are.',
};

/// What claims mean, the most telling first (OpenID Connect Core §2 and §5.1, RFC 9068 §2.2).
const MEANINGS = {
  active: 'Whether the provider vouches for it right now.',
  iss: 'The provider that issued it: the application compares this with the one it asked.',
  sub: 'The person it is about: your identifier, which never changes.',
  aud: 'The recipients it is for: all others must refuse it.',
  azp: 'The application that asked for it.',
  client_id: 'The application it was issued to.',
  scope: 'What it allows.',
  token_type: 'How it is presented.',
  exp: 'When it ends.',
  iat: 'When it was issued.',
  nbf: 'When it begins to hold.',
  nonce: 'Repeats what the application sent, so a token from another sign-in is noticed.',
  auth_time: 'When you last proved who you are.',
  acr: 'How strongly you proved it.',
  amr: 'With what you proved it.',
  sid: 'Your session at the provider, so that sign-out can find it.',
  at_hash: 'Ties the ID token to the access token that came with it.',
  c_hash: 'Ties the ID token to the code it came with.',
  jti: 'Its own identifier, by which it can be revoked.',
  grant_id: 'The grant it came from: revoking that ends it.',
  ver: 'Your token version: raising it ends every older token.',
  roles: 'Your roles at the provider.',
  name: 'Your full name.',
  given_name: 'Your given name.',
  family_name: 'Your family name.',
  preferred_username: 'The name you sign in with.',
  email: 'Your email address.',
  email_verified: 'Whether the address was proven to be yours.',
  updated_at: 'When your profile last changed.',
};
