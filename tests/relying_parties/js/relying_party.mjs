// openid-client signs alice in at Signet and uses everything it is given.
// Usage: node relying_party.mjs SETTING, a JSON object with the issuer, the person and the clients.

import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import * as oidc from 'openid-client';
import { Person } from './person.mjs';

const { issuer, person, web, post, spa, machine, api, signer } = JSON.parse(process.argv[2]);
const SCOPE = 'openid profile email offline_access';
let passed = 0;

async function step(name, check) {
  try {
    const result = await check();
    passed += 1;
    console.log(`ok   ${name}`);
    return result;
  } catch (error) {
    console.log(`FAIL ${name}`);
    console.error(error, error.cause ?? '');
    console.log(`${passed} passed, 1 failed`);
    process.exit(1);
  }
}

/// The server refuses with this error of the RFC.
function refused(error, status = 400) {
  return (thrown) => {
    assert.equal(thrown.error, error, thrown.message);
    assert.equal(thrown.status, status);
    return true;
  };
}

async function discover({ id }, authentication) {
  const config = await oidc.discovery(new URL(issuer), id, undefined, authentication, {
    execute: [oidc.allowInsecureRequests],
  });
  // Verify ID token signatures although they came straight from the token endpoint.
  oidc.enableNonRepudiationChecks(config);
  return config;
}

/// The whole code flow; answers with the tokens, whose ID token openid-client has validated.
async function signIn(config, client, parameters = {}) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
  const [expectedState, expectedNonce] = [oidc.randomState(), oidc.randomNonce()];
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: client.redirect_uri,
    scope: SCOPE,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
    ...parameters,
  });
  const answer = await new Person(person.username, person.password).authorize(url);
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
  if (parameters.max_age) checks.maxAge = Number(parameters.max_age);
  return { answer, checks, tokens: await oidc.authorizationCodeGrant(config, answer, checks) };
}

const config = await step('discovery', async () => {
  const config = await discover(web, oidc.ClientSecretBasic(web.secret));
  const metadata = config.serverMetadata();
  assert.equal(metadata.issuer, issuer);
  assert.ok(metadata.supportsPKCE());
  assert.ok(metadata.authorization_response_iss_parameter_supported, 'RFC 9207');
  assert.ok(metadata.id_token_signing_alg_values_supported.includes('RS256'));
  return config;
});

const first = await step('client_secret_basic: code with PKCE, ID token verified', async () => {
  const signedIn = await signIn(config, web, { max_age: '15000' });
  const claims = signedIn.tokens.claims();
  assert.equal(claims.iss, issuer);
  assert.equal(claims.aud, web.id);
  assert.ok(claims.auth_time <= Math.ceil(Date.now() / 1000));
  assert.ok(claims.sid, 'the session for logout');
  assert.equal(claims.email, undefined, 'scope claims belong to userinfo (OIDC Core §5.4)');
  assert.equal(signedIn.tokens.token_type, 'bearer');
  assert.ok(signedIn.tokens.expires_in > 0);
  assert.ok(signedIn.tokens.refresh_token);
  return signedIn;
});

await step('userinfo for the same subject', async () => {
  const { sub } = first.tokens.claims();
  const userinfo = await oidc.fetchUserInfo(config, first.tokens.access_token, sub);
  assert.equal(userinfo.email, person.email);
  assert.equal(userinfo.email_verified, true);
  assert.equal(userinfo.name, person.name);
});

await step('introspection by the resource server', async () => {
  const resourceServer = await discover(api, oidc.ClientSecretBasic(api.secret));
  const token = await oidc.tokenIntrospection(resourceServer, first.tokens.access_token);
  assert.equal(token.active, true);
  assert.equal(token.client_id, web.id);
  assert.equal(token.sub, first.tokens.claims().sub);
  assert.ok(token.scope.split(' ').includes('openid'));
});

await step('refresh rotates, a lost answer is repeated, an older token ends the family', async () => {
  const second = await oidc.refreshTokenGrant(config, first.tokens.refresh_token);
  assert.notEqual(second.refresh_token, first.tokens.refresh_token);
  assert.equal(second.claims().sub, first.tokens.claims().sub);
  assert.equal(second.claims().auth_time, first.tokens.claims().auth_time);
  const repeated = await oidc.refreshTokenGrant(config, first.tokens.refresh_token);
  assert.equal(repeated.refresh_token, second.refresh_token);
  const third = await oidc.refreshTokenGrant(config, second.refresh_token);
  await assert.rejects(oidc.refreshTokenGrant(config, first.tokens.refresh_token), refused('invalid_grant'));
  await assert.rejects(oidc.refreshTokenGrant(config, third.refresh_token), refused('invalid_grant'));
});

await step('a code is good once', async () => {
  const { answer, checks } = await signIn(config, web);
  await assert.rejects(oidc.authorizationCodeGrant(config, answer, checks), refused('invalid_grant'));
});

await step('another code_verifier is refused', async () => {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: web.redirect_uri,
    scope: 'openid',
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  });
  const answer = await new Person(person.username, person.password).authorize(url);
  const checks = { pkceCodeVerifier: oidc.randomPKCECodeVerifier(), idTokenExpected: true };
  await assert.rejects(oidc.authorizationCodeGrant(config, answer, checks), refused('invalid_grant'));
});

await step('revocation ends the refresh token and its access token', async () => {
  const { tokens } = await signIn(config, web);
  await oidc.tokenRevocation(config, tokens.refresh_token, { token_type_hint: 'refresh_token' });
  await assert.rejects(oidc.refreshTokenGrant(config, tokens.refresh_token), refused('invalid_grant'));
  const resourceServer = await discover(api, oidc.ClientSecretBasic(api.secret));
  assert.deepEqual(await oidc.tokenIntrospection(resourceServer, tokens.access_token), { active: false });
});

await step('client_secret_post', async () => {
  const { tokens } = await signIn(await discover(post, oidc.ClientSecretPost(post.secret)), post);
  assert.equal(tokens.claims().aud, post.id);
});

await step('a public client', async () => {
  const { tokens } = await signIn(await discover(spa, oidc.None()), spa);
  assert.equal(tokens.claims().aud, spa.id);
});

await step('private_key_jwt', async () => {
  const der = Buffer.from(signer.private_key.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const key = await webcrypto.subtle.importKey('pkcs8', der, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
  const config = await discover(signer, oidc.PrivateKeyJwt({ key, kid: 'signer-1' }));
  const { tokens } = await signIn(config, signer);
  assert.equal(tokens.claims().aud, signer.id);
});

await step('response_mode form_post', async () => {
  const { answer, tokens } = await signIn(config, web, { response_mode: 'form_post' });
  assert.ok(answer instanceof Request);
  assert.ok(tokens.access_token);
});

await step('client_credentials', async () => {
  const config = await discover(machine, oidc.ClientSecretBasic(machine.secret));
  const tokens = await oidc.clientCredentialsGrant(config, { scope: 'orders:read' });
  assert.equal(tokens.scope, 'orders:read');
  assert.equal(tokens.refresh_token, undefined, 'RFC 6749 §4.4.3');
  assert.equal(tokens.id_token, undefined);
});

await step('a wrong secret', async () => {
  const config = await discover(machine, oidc.ClientSecretBasic('wrong'));
  await assert.rejects(oidc.clientCredentialsGrant(config), (error) => {
    const cause = error.error ? error : error.cause;
    assert.equal(error.status ?? error.response?.status, 401);
    if (typeof cause === 'object' && cause?.error) assert.equal(cause.error, 'invalid_client');
    return true;
  });
});

await step('the end_session URL', async () => {
  const { tokens } = await signIn(config, web);
  const url = oidc.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: web.post_logout_redirect_uri,
    state: 'bye',
  });
  assert.equal(url.origin, new URL(issuer).origin);
  const response = await fetch(url, { redirect: 'manual' });
  assert.ok(response.status === 200 || response.status === 303, `${response.status}`);
});

console.log(`${passed} passed, 0 failed`);
