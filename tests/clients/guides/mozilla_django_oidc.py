import time

from harness import django, shows_alice

PAGE = "mozilla-django-oidc"
EVERY_ENGINE = True


def check(site, guide, person):
    port = guide.port(8000)
    guide.replace("EXPIRY_SECONDS = 900", "EXPIRY_SECONDS = 1")
    guide.register()
    guide.write()
    django(guide, port)
    home = f"http://localhost:{port}"
    shows_alice(person.visit(f"{home}/oidc/authenticate/"), "Alice Example", '"is_staff": true')
    asked, read = list(person.asked), (guide.directory / "program.log").read_text
    time.sleep(1.2)
    # Renewed by way of Signet, without a question.
    shows_alice(person.visit(f"{home}/"), "Alice Example")
    assert person.asked == asked and read().count("/oidc/callback/?code=") == 2
    ended = person.visit(f"{home}/oidc/logout/")
    assert ended.url == f"{home}/" and ended.json() == {"person": None}, ended.text
    assert not person.is_signed_in()
