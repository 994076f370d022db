// What an application checks before it believes an answer, and how wire text is shown. This file touches neither the
// page nor the network, so the tests run it in Node.

/// One finding: what was looked at, whether it passed, and a sentence.
export const check = (name, passed, detail) => ({ name, passed, detail });

export const allPassed = (checks) => checks.every(({ passed }) => passed);

/// The authorization response: `state` (RFC 6749 §10.12) and `iss` (RFC 9207 §2.4).
export const authorizationResponse = (query, state, issuer) => [
  returnedState(query, state),
  equal('iss', query.get('iss'), issuer, 'The answer comes from the provider that was asked.'),
];

/// Whether the browser comes back from where this application sent it.
export function returnedState(query, state) {
  const came = query.getAll('state');
  if (came.length > 1) return check('state', false, 'It came more than once.');
  if (came.length === 0) return check('state', false, 'It is missing.');
  if (!state) {
    return check('state', false, 'This tab waits for no answer: none was asked for, or it was used already.');
  }
  return came[0] === state
    ? check('state', true, 'It is the value that this application made.')
    : check('state', false, 'It is not the value that this application made.');
}

/// Checks an ID token (OpenID Connect Core §3.1.3.7, and §12.2 for one that came with a refresh). `expected` has
/// `issuer`, `clientId`, `accessToken`, `now` (seconds) and, where known, `nonce` and `subject`. `subject` comes back
/// only if every check passed.
export async function idToken(jwt, jwks, expected) {
  const verified = await verify(jwt, jwks);
  // Nothing in a token of an unknown key may be looked at.
  if (verified.error) return { checks: [check('signature', false, verified.error)], subject: null };
  const { header, claims } = verified;
  const checks = [
    check('signature', true, `${header.alg}; it verifies with key ${header.kid ?? ''} from /jwks.`),
    equal('iss', claims.iss, expected.issuer, 'It was issued by the provider that was asked.'),
    audience(claims, expected.clientId),
    Number.isInteger(claims.exp)
      ? check('exp', expected.now < claims.exp, `${instant(claims.exp, expected.now)}.`)
      : check('exp', false, 'It is missing.'),
  ];
  if (expected.nonce) checks.push(equal('nonce', claims.nonce, expected.nonce, 'It belongs to this very sign-in.'));
  if (expected.subject) checks.push(equal('sub', claims.sub, expected.subject, 'It is about the same person as before.'));
  const hash = await atHash(header.alg, expected.accessToken);
  checks.push(equal('at_hash', claims.at_hash, hash, 'It was made together with this access token.'));
  return { checks, subject: allPassed(checks) && typeof claims.sub === 'string' ? claims.sub : null };
}

/// Whether `/userinfo` speaks of the person in the ID token (OpenID Connect Core §5.3.2).
export const userInfo = (claims, subject) => equal('sub', claims.sub, subject, 'It is about the person in the ID token.');

/// The header and payload of a JWT as it says them itself, unchecked; null if it is none.
export function decode(jwt) {
  const parts = String(jwt).split('.');
  if (parts.length !== 3) return null;
  try {
    const [header, payload] = parts.slice(0, 2).map((part) => new TextDecoder('utf-8', { fatal: true }).decode(bytes(part)));
    return [header, payload].every((part) => /^\s*\{/.test(part) && isJson(part)) ? { header, payload } : null;
  } catch {
    return null;
  }
}

/// The `Authorization` header of a client with a secret: both are form-encoded first (RFC 6749 §2.3.1).
export function basic(id, secret) {
  const encoded = (text) => new URLSearchParams({ '': text }).toString().slice(1);
  return `Basic ${btoa(`${encoded(id)}:${encoded(secret)}`)}`;
}

/// The S256 challenge of a verifier (RFC 7636 §4.2).
export const challenge = async (verifier) => base64url(await digest('SHA-256', verifier));

/// 256 random bits as text.
export const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/// A `NumericDate` for people.
export function instant(seconds, now) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return String(seconds);
  const written = date.toISOString().replace('T', ' ').replace(/\.\d+Z$/, ' UTC');
  const away = seconds - now;
  if (away === 0) return `${written} (now)`;
  return away > 0 ? `${written} (in ${span(away)})` : `${written} (${span(-away)} ago)`;
}

/// At most `limit` characters of a text, with a word about the rest.
export const clip = (text, limit) => (text.length <= limit ? text : `${text.slice(0, limit)}… (${text.length - limit} more)`);

/// The present in seconds.
export const now = () => Math.floor(Date.now() / 1000);

/// The members of a JSON object; none if the text is something else.
export const members = (text) => (isJson(text) ? { ...JSON.parse(text) } : {});

/// A body in coloured pieces `[class, text]`: JSON is indented, a form has a line for each parameter. Members, numbers
/// and strings stay as they came.
export function pieces(text) {
  if (/^[{[]/.test(text) && isJson(text)) return json(text);
  if (text.includes('=') && !/[\n< ]/.test(text)) return parameters(text, '\n&');
  return value(text);
}

/// An address in coloured pieces, with a line for each parameter.
export function address(url) {
  const [path, query] = split(url, '?');
  return query === undefined ? [['', path]] : [['', `${path}\n  ?`], ...parameters(query, '\n  &')];
}

/// A value in coloured pieces; a JWT in it shows its three parts. Every JOSE header begins with `{"`, which is `eyJ`.
export function value(text) {
  const found = /^(.*?)(eyJ[\w-]*)(\.)([\w-]*)(\.)([\w-]*)(.*)$/s.exec(text);
  if (!found) return [['', text]];
  const classes = ['', 'jose-header', '', 'jose-payload', '', 'jose-signature', ''];
  return found.slice(1).map((piece, at) => [classes[at], piece]).filter(([, piece]) => piece !== '');
}

async function verify(jwt, jwks) {
  const text = decode(jwt);
  if (!text) return { error: 'It is not a signed JWT.' };
  const [header, claims] = [JSON.parse(text.header), JSON.parse(text.payload)];
  const algorithm = ALGORITHMS.get(header.alg);
  if (!algorithm) return { error: `The algorithm ${clip(String(header.alg), 40)} is not accepted.` };
  if (header.crit) return { error: 'It needs extensions that this application does not know.' };
  // The key says which algorithm is its own; the token cannot choose another (RFC 8725 §3.1).
  const key = jwks.keys?.find(({ kid, alg }) => kid === header.kid && alg === header.alg);
  if (!key) return { error: 'The provider has no such key at /jwks.' };
  const [signed, signature] = [jwt.slice(0, jwt.lastIndexOf('.')), bytes(jwt.slice(jwt.lastIndexOf('.') + 1))];
  const { kty, crv, x, y, n, e } = key;
  try {
    const imported = await crypto.subtle.importKey('jwk', { kty, crv, x, y, n, e }, algorithm, false, ['verify']);
    const good = await crypto.subtle.verify(algorithm, imported, signature, new TextEncoder().encode(signed));
    return good ? { header, claims } : { error: 'It does not verify with the key of the provider.' };
  } catch {
    return { error: `This browser cannot check ${header.alg} signatures.` };
  }
}

function equal(name, came, wanted, meaning) {
  if (typeof came !== 'string') return check(name, false, 'It is missing.');
  if (came === wanted) return check(name, true, meaning);
  return check(name, false, `It is “${clip(came, 100)}” where “${wanted}” was expected.`);
}

function audience({ aud, azp }, clientId) {
  if (![aud].flat().includes(clientId)) return check('aud', false, 'It was issued to another application.');
  if (azp !== undefined && azp !== clientId) return check('azp', false, 'Another application asked for it.');
  return check('aud', true, 'It was issued to this application.');
}

async function atHash(alg, accessToken) {
  const hash = await digest(alg === 'EdDSA' ? 'SHA-512' : 'SHA-256', accessToken);
  return base64url(hash.slice(0, hash.length / 2));
}

function json(text) {
  const out = [];
  const tokens = text.match(/"(?:\\.|[^"\\])*"|[{}[\],:]|[^\s{}[\],:"]+/gs);
  let depth = 0;
  const line = () => `\n${'  '.repeat(depth)}`;
  tokens.forEach((token, at) => {
    const [before, after] = [tokens[at - 1], tokens[at + 1]];
    if (token === '{' || token === '[') {
      if (after === '}' || after === ']') return out.push(['', token]);
      depth += 1;
      return out.push(['', token + line()]);
    }
    if (token === '}' || token === ']') {
      if (before === '{' || before === '[') return out.push(['', token]);
      depth -= 1;
      return out.push(['', line() + token]);
    }
    if (token === ',') return out.push(['', `,${line()}`]);
    if (token === ':') return out.push(['', ': ']);
    if (!token.startsWith('"')) return out.push(['lit', token]);
    if (after === ':') return out.push(['key', token]);
    return out.push(...value(token).map(([kind, piece]) => [kind || (piece === '.' ? '' : 'str'), piece]));
  });
  return out;
}

function parameters(query, between) {
  return query.split('&').flatMap((parameter, at) => {
    const [name, content] = split(parameter, '=');
    const said = content === undefined ? [['key', name]] : [['key', name], ['', '='], ...value(content)];
    return at === 0 ? said : [['', between], ...said];
  });
}

function span(seconds) {
  const [count, unit] = seconds < 120 ? [seconds, 'second']
    : seconds < 7200 ? [seconds / 60, 'minute']
      : seconds < 172_800 ? [seconds / 3600, 'hour'] : [seconds / 86_400, 'day'];
  return `${Math.floor(count)} ${unit}${Math.floor(count) === 1 ? '' : 's'}`;
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const split = (text, at) => (text.includes(at) ? [text.slice(0, text.indexOf(at)), text.slice(text.indexOf(at) + 1)] : [text]);
const digest = async (hash, text) => new Uint8Array(await crypto.subtle.digest(hash, new TextEncoder().encode(text)));
const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
const base64url = (data) => btoa(String.fromCharCode(...data)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

/// How the Web Cryptography API names what JOSE names (RFC 7518 §3.1, RFC 8037 §3.1).
const ALGORITHMS = new Map([
  ['RS256', { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }],
  ['PS256', { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32 }],
  ['ES256', { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }],
  ['EdDSA', { name: 'Ed25519' }],
]);
