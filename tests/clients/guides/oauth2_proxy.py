import time

from harness import built, echo, shows_alice

PAGE = "oauth2-proxy"
EVERY_ENGINE = True


def check(site, guide, person):
    port = guide.port(4180)
    guide.replace('cookie_refresh = "4m"', 'cookie_refresh = "1s"')
    echo(guide)
    guide.register()
    guide.write()
    proxy = guide.run([built("oauth2-proxy"), "--config", "oauth2-proxy.cfg"], port)
    home = f"http://localhost:{port}"
    page = person.visit(f"{home}/orders?id=1")
    shows_alice(page)
    assert page.json()["path"] == "/orders?id=1"
    assert set(page.json()["X-Forwarded-Groups"].split(",")) == {"staff", "shop-admins"}, page.text
    asked = list(person.asked)
    for _ in range(3):
        time.sleep(1.1)
        shows_alice(person.visit(f"{home}/"))
    assert person.asked == asked
    assert "Refreshing session" in proxy.said(), proxy.said()
    person.browser.get(f"{home}/oauth2/sign_out?rd=/ping", allow_redirects=False, timeout=30)
    assert not person.is_signed_in()
