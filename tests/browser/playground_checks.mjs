// What the playground checks before it believes an answer, and how it shows wire text; no browser and no server.
// Usage: node playground_checks.mjs

import assert from 'node:assert/strict';
import * as checks from '../../templates/playground/checks.js';

const ISSUER = 'http://localhost:8080';
let passed = 0;
let failed = 0;

async function test(name, body) {
  try {
    await body();
    passed += 1;
    console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.error(`FAIL ${name}`, error);
  }
}

const base64url = (data) => Buffer.from(data).toString('base64url');

/// A key of one of the four algorithms, its JWKS and what signs with it.
async function signingKey(alg, kid = 'k') {
  const [generate, sign] = {
    ES256: [{ name: 'ECDSA', namedCurve: 'P-256' }, { name: 'ECDSA', hash: 'SHA-256' }],
    RS256: [rsa('RSASSA-PKCS1-v1_5'), { name: 'RSASSA-PKCS1-v1_5' }],
    PS256: [rsa('RSA-PSS'), { name: 'RSA-PSS', saltLength: 32 }],
    EdDSA: [{ name: 'Ed25519' }, { name: 'Ed25519' }],
  }[alg];
  const pair = await crypto.subtle.generateKey(generate, true, ['sign', 'verify']);
  const jwk = { ...await crypto.subtle.exportKey('jwk', pair.publicKey), alg, kid, use: 'sig' };
  const signed = async (claims, header = {}) => {
    const text = [{ alg, kid, typ: 'JWT', ...header }, claims].map((part) => base64url(JSON.stringify(part))).join('.');
    return `${text}.${base64url(await crypto.subtle.sign(sign, pair.privateKey, Buffer.from(text)))}`;
  };
  return { jwks: { keys: [jwk] }, signed };
}

const rsa = (name) => ({ name, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' });

async function leftHalf(hash, text) {
  const digest = await crypto.subtle.digest(hash, Buffer.from(text));
  return base64url(digest.slice(0, digest.byteLength / 2));
}

const expected = (changes = {}) => ({
  issuer: ISSUER, clientId: 'playground', nonce: 'n', accessToken: 'at', now: 100, ...changes,
});
const claims = async (changes = {}) => ({
  iss: ISSUER, sub: 's', aud: 'playground', exp: 101, nonce: 'n', at_hash: await leftHalf('SHA-256', 'at'), ...changes,
});

/// The names of the checks that failed.
async function failing(changes, wanted = expected()) {
  const key = await signingKey('ES256');
  const { checks: found, subject } = await checks.idToken(await key.signed(await claims(changes)), key.jwks, wanted);
  assert.equal(subject !== null, checks.allPassed(found));
  return found.filter(({ passed: good }) => !good).map(({ name }) => name);
}

await test('an ID token as it must be passes (OpenID Connect Core §3.1.3.7)', async () => {
  assert.deepEqual(await failing({}), []);
  assert.deepEqual(await failing({ aud: ['playground', 'other'], azp: 'playground' }), []);
});

await test('every claim that is wrong or missing is named', async () => {
  const wrong = [
    ['iss', 'http://localhost:8081'], ['aud', 'other'], ['aud', ['other']], ['exp', 100], ['exp', '101'],
    ['nonce', 'm'], ['at_hash', await leftHalf('SHA-256', 'other')],
  ];
  for (const [name, value] of wrong) {
    assert.deepEqual(await failing({ [name]: value }), [name]);
    assert.deepEqual(await failing({ [name]: undefined }), [name]);
  }
  assert.deepEqual(await failing({ azp: 'other' }), ['azp']);
  assert.deepEqual(await failing({}, expected({ subject: 't', nonce: undefined })), ['sub']);
});

await test('a token of another key is not read any further', async () => {
  const [key, other] = [await signingKey('ES256'), await signingKey('ES256')];
  const jwt = await key.signed(await claims());
  for (const text of [jwt, '', 'a.b.c', jwt.slice(0, -3)]) {
    const { checks: found, subject } = await checks.idToken(text, other.jwks, expected());
    assert.deepEqual(found.map(({ name, passed: good }) => [name, good]), [['signature', false]]);
    assert.equal(subject, null);
  }
});

await test('the key says the algorithm, and unknown ones are refused (RFC 8725 §3.1)', async () => {
  const key = await signingKey('ES256');
  for (const header of [{ alg: 'none' }, { alg: 'HS256' }, { alg: 'RS256' }, { crit: ['b64'] }, { kid: 'other' }]) {
    const { checks: found } = await checks.idToken(await key.signed(await claims(), header), key.jwks, expected());
    assert.deepEqual(found.map(({ name, passed: good }) => [name, good]), [['signature', false]], JSON.stringify(header));
  }
});

await test('all four algorithms are checked', async () => {
  for (const alg of ['ES256', 'RS256', 'PS256', 'EdDSA']) {
    const key = await signingKey(alg);
    const hash = await leftHalf(alg === 'EdDSA' ? 'SHA-512' : 'SHA-256', 'at');
    const jwt = await key.signed(await claims({ at_hash: hash }));
    const { checks: found, subject } = await checks.idToken(jwt, key.jwks, expected());
    assert.equal(subject, 's', `${alg}: ${JSON.stringify(found)}`);
  }
});

await test('an answer of another request or provider is noticed (RFC 9207 §2.4)', () => {
  const named = (query, state) => checks.authorizationResponse(new URLSearchParams(query), state, ISSUER)
    .filter(({ passed: good }) => !good).map(({ name }) => name);
  const good = 'state=s&iss=http://localhost:8080';
  assert.deepEqual(named(good, 's'), []);
  assert.deepEqual(named(good, 't'), ['state']);
  assert.deepEqual(named(good, undefined), ['state']);
  assert.deepEqual(named('iss=http://localhost:8080', undefined), ['state']);
  assert.deepEqual(named('state=s&iss=http://evil', 's'), ['iss']);
  assert.deepEqual(named('state=s', 's'), ['iss']);
  assert.deepEqual(named('state=s&state=s', 's'), ['state', 'iss']);
});

await test('a request has fresh proofs and shows only the hash of its verifier (RFC 7636 appendix B)', async () => {
  assert.notEqual(checks.random(), checks.random());
  assert.equal(checks.random().length, 43);
  const challenge = await checks.challenge('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk');
  assert.equal(challenge, 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM');
});

await test('a secret is sent encoded (RFC 6749 §2.3.1)', () => {
  const header = checks.basic('api', 's:e c%ret');
  assert.equal(Buffer.from(header.slice('Basic '.length), 'base64').toString(), 'api:s%3Ae+c%25ret');
});

await test('tokens in a response are decoded, and anything else is left alone', () => {
  const part = (value) => base64url(JSON.stringify(value));
  const { header, payload } = checks.decode(`${part({ alg: 'ES256' })}.${part({ sub: 'ü' })}.c2ln`);
  assert.deepEqual([JSON.parse(header), JSON.parse(payload)], [{ alg: 'ES256' }, { sub: 'ü' }]);
  for (const text of ['', undefined, 'opaque', 'a.b.c', `${part([])}.${part({})}.x`, `${part({})}.x.y`]) {
    assert.equal(checks.decode(text), null, text);
  }
  for (const text of ['', '<p>', '{"sub"', undefined]) assert.deepEqual(checks.members(text), {});
});

await test('times are told from now', () => {
  assert.equal(checks.instant(1_000_000, 1_000_000), '1970-01-12 13:46:40 UTC (now)');
  assert.equal(checks.instant(1_000_300, 1_000_000), '1970-01-12 13:51:40 UTC (in 5 minutes)');
  assert.match(checks.instant(1_000_001, 1_000_000), /\(in 1 second\)$/);
  assert.match(checks.instant(0, 1_000_000), /\(11 days ago\)$/);
  assert.equal(checks.instant(Number.MAX_SAFE_INTEGER, 0), String(Number.MAX_SAFE_INTEGER));
});

const textOf = (list) => list.map(([, text]) => text).join('');

await test('JSON keeps its order and spelling', () => {
  const shown = textOf(checks.pieces('{"z":1.50,"a":[ ],"b":{"c":"x\\"{,:"},"d":[1,2]}'));
  assert.equal(shown, '{\n  "z": 1.50,\n  "a": [],\n  "b": {\n    "c": "x\\"{,:"\n  },\n  "d": [\n    1,\n    2\n  ]\n}');
  for (const text of ['<p>: {', '{"unclosed": "abc', '{"escape at the end": "\\', '{', '', '\u202e{"x":1}']) {
    assert.equal(textOf(checks.pieces(text)), text);
  }
  for (const value of [{ 'a "b': ['\\', { c: -1.5e30 }, []], '': null }, [true, 'ü\u2028'], {}]) {
    assert.deepEqual(JSON.parse(textOf(checks.pieces(JSON.stringify(value)))), value);
  }
});

await test('JSON is coloured', () => {
  const marks = checks.pieces('{"a":"b","n":1}');
  for (const mark of [['key', '"a"'], ['str', '"b"'], ['lit', '1']]) {
    assert.ok(marks.some((found) => found.join() === mark.join()), mark.join());
  }
});

await test('parameters stand on lines of their own', () => {
  const url = 'http://localhost:8080/authorize?client_id=web&flag&state=a%26b';
  assert.equal(textOf(checks.address(url)), 'http://localhost:8080/authorize\n  ?client_id=web\n  &flag\n  &state=a%26b');
  assert.equal(textOf(checks.pieces('grant_type=refresh_token&x=1')), 'grant_type=refresh_token\n&x=1');
  assert.equal(textOf(checks.pieces('<p>a=b</p>')), '<p>a=b</p>');
});

await test('a token shows its three parts', () => {
  const kinds = checks.value('Bearer eyJh.eyJi.c2ln').map(([kind]) => kind);
  assert.deepEqual(kinds, ['', 'jose-header', '', 'jose-payload', '', 'jose-signature']);
  assert.equal(textOf(checks.value('Bearer eyJh.eyJi')), 'Bearer eyJh.eyJi');
  assert.equal(textOf(checks.pieces('{"t":"eyJh.eyJi.c2ln"}')), '{\n  "t": "eyJh.eyJi.c2ln"\n}');
});

await test('text is cut with a word about the rest', () => {
  assert.equal(checks.clip('short', 5), 'short');
  assert.equal(checks.clip('longer', 4), 'long… (2 more)');
});

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
