import base64
import hashlib
import json
import subprocess
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from harness import built

PAGE = "kubernetes"
HTTPS = True


def check(site, guide, person):
    guide.replace("https://sign-in.example.test", site.issuer)
    guide.register()
    directory = guide.write()
    site.apply(OTHER)
    tokens = [sign_in(site, person, "kubernetes"), sign_in(site, person, "another")]
    ran = subprocess.run(
        [built("kubernetes"), directory / "authentication.yaml", site.certificate],
        input="\n".join(each["id_token"] for each in tokens) + "\n" + tokens[0]["access_token"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    accepted, other, access = ran.stdout.splitlines()
    answer = json.loads(accepted)
    assert answer["username"] == "signet:alice", answer
    assert set(answer["groups"]) == {"signet:staff", "signet:shop-admins"}, answer
    assert other.startswith("refused"), other
    assert not access.startswith("{"), access


# Its tokens are not for the cluster.
OTHER = """
[[clients]]
client_id = "another"
redirect_uris = ["http://localhost:8000"]
token_endpoint_auth_method = "none"
scope = "openid profile"
id_token_claims = ["scope", "groups"]
"""


def sign_in(site, person, client):
    """What a credential plugin does: the code flow of a public client on the loopback interface."""
    verifier = "a-verifier-of-forty-three-characters-or-more"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    redirect_uri = "http://localhost:8000"
    query = {
        "client_id": client,
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "scope": "openid profile" + (" email" if client == "kubernetes" else ""),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    code = parse_qs(urlsplit(person.leaves(f"{site.issuer}/authorize?{urlencode(query)}")).query)["code"]
    answer = requests.post(
        f"{site.issuer}/token",
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": client,
            "code_verifier": verifier,
        },
        verify=site.certificate,
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()
