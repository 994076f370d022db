import os
import re
import time

import requests

from harness import free_port, link_node_modules, python, until

PAGE = "jupyterhub"
EVERY_ENGINE = True
# Starts nothing for a person: the hub is what the guide is about.
SPAWNER = """
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.hub_port = {hub}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy}"
c.ConfigurableHTTPProxy.command = ["node", "node_modules/configurable-http-proxy/bin/configurable-http-proxy"]
c.GenericOAuthenticator.auth_refresh_age = 1
c.JupyterHub.load_roles = [{{"name": "test", "scopes": ["admin:users", "admin:auth_state"], "services": ["test"]}}]
c.JupyterHub.services = [{{"name": "test", "api_token": "for-the-test"}}]
"""


def check(site, guide, person):
    port = guide.port(8000)
    guide.register()
    directory = guide.write()
    link_node_modules(directory)
    with (directory / "jupyterhub_config.py").open("a") as config:
        config.write(SPAWNER.format(hub=free_port(), proxy=free_port()))
    environment = {"PATH": os.environ["PATH"], "JUPYTERHUB_CRYPT_KEY": "0" * 64, "HOME": str(directory)}
    guide.run([python("jupyterhub"), "-m", "jupyterhub"], port, env=environment)
    home = f"http://localhost:{port}"
    until(lambda: person.visit(f"{home}/hub/login").status_code == 200)
    page = person.visit(f"{home}/hub/oauth_login?next=/hub/home")
    assert page.status_code == 200 and "alice" in page.text, page.text

    def state():
        answer = person.browser.get(f"{home}/hub/api/users/alice", headers={"Authorization": "token for-the-test"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    alice = state()
    assert alice["admin"] and set(alice["groups"]) == {"staff", "shop-admins"}, alice
    assert alice["auth_state"]["oauth_user"]["name"] == "Alice Example"
    assert alice["auth_state"]["oauth_user"]["email"] == "alice@example.test"
    # What works no longer is refreshed, without a question.
    credentials = {"client_id": "jupyterhub", "client_secret": guide.secret}
    revoked = requests.post(
        f"{site.issuer}/revoke", data=credentials | {"token": alice["auth_state"]["access_token"]}, timeout=30
    )
    assert revoked.status_code == 200, revoked.text
    asked = list(person.asked)
    time.sleep(1.2)
    person.visit(f"{home}/hub/home")
    assert person.asked == asked
    assert state()["auth_state"]["refresh_token"] != alice["auth_state"]["refresh_token"]
    ended = person.visit(f"{home}/hub/logout")
    assert not person.is_signed_in(), ended.url
    assert re.match(f"{home}/hub/", ended.url), ended.url
