from harness import alone, shows_alice

PAGE = "omniauth"


def check(site, guide, person):
    port = guide.port(4567)
    guide.register()
    guide.write()
    environment = alone(guide) | {"APP_ENV": "production"}
    guide.run(["ruby", "app.rb", "-s", "webrick", "-o", "localhost"], port, env=environment)
    home = f"http://localhost:{port}"
    fields = person.form(f"{home}/login").fields
    shows_alice(person.post(f"{home}/auth/openid_connect", fields), "Alice Example", "staff", "shop-admins")
    ended = person.visit(f"{home}/logout")
    assert ended.json() == {"person": None}, ended.text
    assert not person.is_signed_in()
