from harness import built, echo, shows_alice

PAGE = "nginx"


def check(site, guide, person):
    port, proxy = guide.port(8000), guide.port(4180)
    echo(guide)
    guide.register()
    guide.write()
    guide.run([built("oauth2-proxy"), "--config", "oauth2-proxy.cfg"], proxy)
    # What Debian's nginx.conf has around a site.
    (guide.directory / "nginx.conf").write_text("events {}\nhttp { access_log access.log; include site.conf; }\n")
    options = "daemon off; pid nginx.pid; error_log stderr;"
    guide.run(["nginx", "-p", guide.directory, "-c", "nginx.conf", "-g", options], port)
    home = f"http://localhost:{port}"
    page = person.visit(f"{home}/orders?id=1")
    shows_alice(page)
    assert page.json()["path"] == "/orders?id=1"
    assert set(page.json()["X-Groups"].split(",")) == {"staff", "shop-admins"}, page.text
    person.browser.get(f"{home}/oauth2/sign_out?rd=/ping", allow_redirects=False, timeout=30)
    assert not person.is_signed_in()
