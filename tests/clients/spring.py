"""What the guide for Spring shows, with one version of Spring Boot."""

import os
import re
import subprocess
import time

from harness import ROOT, alone, shows_alice


def check(site, guide, person, version):
    application, api = guide.port(8081), guide.port(8082)
    # Spring refreshes a minute before a token expires.
    guide.replace("require_pkce = false\n", "require_pkce = false\naccess_token_lifetime = 62\n")
    guide.register()
    directory = guide.write()
    classpath = f"{(ROOT / f'target/clients/java-boot-{version}.classpath').read_text().strip()}:{directory}"
    made = subprocess.run(
        ["javac", "-parameters", "-cp", classpath, "client/Application.java", "api/Api.java"],
        cwd=directory,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    java = ["java", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", classpath]
    environment = alone(guide) | {name: os.environ[name] for name in ("JAVA_HOME",) if name in os.environ}
    guide.run([*java, "api.Api", "--spring.config.name=api"], api, env=environment)
    guide.run([*java, "client.Application"], application, env=environment)
    home = f"http://localhost:{application}"
    shows_alice(person.visit(f"{home}/person"), "Alice Example", "staff", "shop-admins")
    first = person.visit(f"{home}/orders")
    assert first.status_code == 200 and "for " in first.json()["orders"], first.text
    asked = list(person.asked)
    time.sleep(3)
    second = person.visit(f"{home}/orders")
    assert second.json()["orders"] == first.json()["orders"]
    assert second.json()["token"] != first.json()["token"], "the access token was not refreshed"
    assert person.asked == asked
    token = re.search(r'name="_csrf"[^>]*value="([^"]+)"', person.visit(f"{home}/logout").text)[1]
    person.asked = []
    person.post(f"{home}/logout", {"_csrf": token})
    # Every page needs a sign-in, so the one after signing out asks for the password again.
    assert home in person.away and person.asked == ["login-submit"], (person.away, person.asked)
