from harness import alone, built, echo, shows_alice

PAGE = "caddy"


def check(site, guide, person):
    port, proxy = guide.port(8000), guide.port(4180)
    echo(guide)
    guide.register()
    guide.write()
    guide.run([built("oauth2-proxy"), "--config", "oauth2-proxy.cfg"], proxy)
    guide.run(["caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"], port, env=alone(guide))
    home = f"http://localhost:{port}"
    page = person.visit(f"{home}/orders?id=1")
    shows_alice(page)
    assert page.json()["path"] == "/orders?id=1"
    assert set(page.json()["X-Groups"].split(",")) == {"staff", "shop-admins"}, page.text
    person.browser.get(f"{home}/oauth2/sign_out?rd=/ping", allow_redirects=False, timeout=30)
    assert not person.is_signed_in()
