from harness import python, shows_alice

PAGE = "authlib"
EVERY_ENGINE = True


def check(site, guide, person):
    port = guide.port(5000)
    guide.register()
    guide.write("app.py")
    guide.run([python("authlib"), "-m", "flask", "run", "--host", "localhost", "--port", port], port)
    home = f"http://localhost:{port}"
    shows_alice(person.visit(f"{home}/login"), "Alice Example", "staff", "shop-admins")
    for _ in range(3):
        assert person.visit(f"{home}/refresh").json() == {"refreshed": True}
    ended = person.visit(f"{home}/logout")
    assert ended.url == f"{home}/" and ended.json() == {"person": None}, ended.text
    assert not person.is_signed_in()
