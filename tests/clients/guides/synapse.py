import os
import subprocess

from harness import python, until

PAGE = "synapse"


def check(site, guide, person):
    port = guide.port(8008)
    guide.register()
    directory = guide.write()
    interpreter, home = python("synapse"), f"http://localhost:{port}"
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory)}
    command = [interpreter, "-m", "synapse.app.homeserver", "--server-name", "localhost", "--report-stats", "no"]
    made = subprocess.run(
        [*command, "--config-path", "homeserver.yaml", "--generate-config"],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    config = (directory / "homeserver.yaml").read_text().replace("port: 8008", f"port: {port}")
    (directory / "homeserver.yaml").write_text(config)
    # For a site whose issuer is on plain http.
    with (directory / "oidc.yaml").open("a") as oidc:
        oidc.write("    skip_verification: true\n")
    command = [interpreter, "-m", "synapse.app.homeserver", "-c", "homeserver.yaml", "-c", "oidc.yaml"]
    guide.run(command, port, env=environment)
    until(lambda: person.browser.get(f"{home}/health").text == "OK")
    page = person.visit(f"{home}/_matrix/client/v3/login/sso/redirect/oidc-signet?redirectUrl=http://localhost/done")
    assert "loginToken=" in page.text, page.text
    token = page.text.split("loginToken=")[1].split('"')[0]
    answer = person.browser.post(
        f"{home}/_matrix/client/v3/login", json={"type": "m.login.token", "token": token}, timeout=30
    )
    assert answer.status_code == 200 and answer.json()["user_id"] == "@alice:localhost", answer.text
    session = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    name = person.browser.get(f"{home}/_matrix/client/v3/profile/@alice:localhost", headers=session).json()
    assert name["displayname"] == "Alice Example", name
    mail = person.browser.get(f"{home}/_matrix/client/v3/account/3pid", headers=session).json()
    assert [each["address"] for each in mail["threepids"]] == ["alice@example.test"], mail
