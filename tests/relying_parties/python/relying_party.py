"""Authlib signs alice in at Signet and uses everything it is given.

Usage: python relying_party.py SETTING, a JSON object with the issuer, the person and the clients.
"""

import base64
import hashlib
import json
import os
import sys
import traceback
from urllib.parse import parse_qs, urlencode, urlsplit

# The test server speaks plain HTTP on the loopback interface.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from person import Person

SETTING = json.loads(sys.argv[1])
ISSUER, PERSON = SETTING["issuer"], SETTING["person"]
WEB, MACHINE, API, SIGNER = SETTING["web"], SETTING["machine"], SETTING["api"], SETTING["signer"]
SCOPE = "openid profile email offline_access"
METADATA = requests.get(ISSUER + "/.well-known/openid-configuration", timeout=30).json()
TOKEN_ENDPOINT = METADATA["token_endpoint"]


def session(client, method="client_secret_basic", **more):
    return OAuth2Session(
        client["id"],
        client.get("secret"),
        scope=SCOPE,
        redirect_uri=client.get("redirect_uri"),
        token_endpoint_auth_method=method,
        code_challenge_method="S256",
        **more,
    )


def sign_in(client, oauth, **parameters):
    """The whole code flow; answers with the tokens and the verified claims of the ID token."""
    verifier, nonce = generate_token(48), generate_token(24)
    url, state = oauth.create_authorization_url(
        METADATA["authorization_endpoint"], code_verifier=verifier, nonce=nonce, **parameters
    )
    answer = Person(PERSON["username"], PERSON["password"]).authorize(url)
    if isinstance(answer, tuple):
        answer = answer[0] + "?" + urlencode(answer[1])
    response = parse_qs(urlsplit(answer).query)
    assert response["iss"] == [ISSUER], "RFC 9207"
    token = oauth.fetch_token(TOKEN_ENDPOINT, authorization_response=answer, state=state, code_verifier=verifier)
    return token, verified(token, client, nonce), (answer, state, verifier)


def verified(token, client, nonce):
    keys = KeySet.import_key_set(requests.get(METADATA["jwks_uri"], timeout=30).json())
    algorithms = METADATA["id_token_signing_alg_values_supported"]
    id_token = jwt.decode(token["id_token"], keys, algorithms=algorithms)
    options = {"iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": client["id"]}}
    parameters = {"nonce": nonce, "client_id": client["id"], "access_token": token["access_token"]}
    claims = CodeIDToken(id_token.claims, id_token.header, options, parameters)
    claims.validate()
    return claims


def refused(error, act):
    try:
        act()
    except OAuthError as thrown:
        assert thrown.error == error, thrown
        return
    raise AssertionError(f"not refused with {error}")


def discovery():
    assert METADATA["issuer"] == ISSUER
    assert "S256" in METADATA["code_challenge_methods_supported"]
    assert "plain" not in METADATA["code_challenge_methods_supported"]


def code_with_pkce():
    token, claims, _ = sign_in(WEB, session(WEB))
    assert claims["sub"] and claims["sid"]
    half = hashlib.sha256(token["access_token"].encode()).digest()[:16]
    if "at_hash" in claims:
        assert claims["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()


def userinfo():
    oauth = session(WEB)
    _, claims, _ = sign_in(WEB, oauth)
    answer = oauth.get(METADATA["userinfo_endpoint"])
    assert answer.status_code == 200, answer.text
    answer = answer.json()
    assert answer["sub"] == claims["sub"]
    assert answer["email"] == PERSON["email"]
    assert answer["email_verified"] is True


def refresh():
    oauth = session(WEB)
    first, claims, _ = sign_in(WEB, oauth)
    second = oauth.refresh_token(TOKEN_ENDPOINT, refresh_token=first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert verified(second, WEB, None)["sub"] == claims["sub"]
    repeated = oauth.refresh_token(TOKEN_ENDPOINT, refresh_token=first["refresh_token"])
    assert repeated["refresh_token"] == second["refresh_token"]
    third = oauth.refresh_token(TOKEN_ENDPOINT, refresh_token=second["refresh_token"])
    refused("invalid_grant", lambda: oauth.refresh_token(TOKEN_ENDPOINT, refresh_token=first["refresh_token"]))
    refused("invalid_grant", lambda: oauth.refresh_token(TOKEN_ENDPOINT, refresh_token=third["refresh_token"]))


def code_once():
    oauth = session(WEB)
    _, _, (answer, state, verifier) = sign_in(WEB, oauth)
    again = dict(authorization_response=answer, state=state, code_verifier=verifier)
    refused("invalid_grant", lambda: oauth.fetch_token(TOKEN_ENDPOINT, **again))


def introspection_and_revocation():
    oauth = session(WEB)
    token, claims, _ = sign_in(WEB, oauth)
    api = session(API)
    answer = api.introspect_token(METADATA["introspection_endpoint"], token=token["access_token"])
    answer = answer.json()
    assert answer["active"] is True and answer["sub"] == claims["sub"] and answer["client_id"] == WEB["id"]
    revoked = oauth.revoke_token(METADATA["revocation_endpoint"], token=token["refresh_token"])
    assert revoked.status_code == 200, revoked.text
    answer = api.introspect_token(METADATA["introspection_endpoint"], token=token["access_token"])
    assert answer.json() == {"active": False}


def client_secret_post():
    client = SETTING["post"]
    _, claims, _ = sign_in(client, session(client, "client_secret_post"))
    assert claims["aud"] in (client["id"], [client["id"]])


def public_client():
    client = SETTING["spa"]
    sign_in(client, session(client, "none"))


def private_key_jwt():
    key = ECKey.import_key(SIGNER["private_key"])
    oauth = session(SIGNER | {"secret": key}, "private_key_jwt")
    oauth.register_client_auth_method(PrivateKeyJWT(TOKEN_ENDPOINT, alg="ES256", headers={"kid": "signer-1"}))
    sign_in(SIGNER, oauth)


def form_post():
    sign_in(WEB, session(WEB), response_mode="form_post")


def client_credentials():
    oauth = OAuth2Session(MACHINE["id"], MACHINE["secret"], scope="orders:read")
    token = oauth.fetch_token(TOKEN_ENDPOINT, grant_type="client_credentials")
    assert token["scope"] == "orders:read" and "refresh_token" not in token


def wrong_secret():
    oauth = OAuth2Session(MACHINE["id"], "wrong")
    refused("invalid_client", lambda: oauth.fetch_token(TOKEN_ENDPOINT, grant_type="client_credentials"))


def main():
    steps = [
        discovery, code_with_pkce, userinfo, refresh, code_once, introspection_and_revocation, client_secret_post,
        public_client, private_key_jwt, form_post, client_credentials, wrong_secret,
    ]  # fmt: skip
    for passed, step in enumerate(steps):
        try:
            step()
        except Exception:  # every failure is reported and counted
            traceback.print_exc()
            print(f"FAIL {step.__name__}\n{passed} passed, 1 failed")
            sys.exit(1)
        print(f"ok   {step.__name__}")
    print(f"{len(steps)} passed, 0 failed")


main()
