from harness import go_program, shows_alice

PAGE = "go-oidc"
EVERY_ENGINE = True


def check(site, guide, person):
    port = guide.port(5556)
    guide.register()
    guide.write()
    guide.run([go_program(guide)], port)
    home = f"http://localhost:{port}"
    shows_alice(person.visit(f"{home}/login"), "Alice Example", "staff", "shop-admins")
    for _ in range(3):
        assert person.visit(f"{home}/refresh").json() == "refreshed"
    shows_alice(person.visit(f"{home}/"), "Alice Example", "staff", "shop-admins")
    ended = person.visit(f"{home}/logout")
    assert ended.url == f"{home}/" and ended.json() is None, ended.text
    assert not person.is_signed_in()
