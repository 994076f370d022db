from harness import go_program, shows_alice

PAGE = "goth"


def check(site, guide, person):
    port = guide.port(3000)
    guide.register()
    guide.write()
    guide.run([go_program(guide)], port)
    home = f"http://localhost:{port}"
    shows_alice(person.visit(f"{home}/auth/openid-connect"), "Alice Example")
    for _ in range(3):
        assert person.visit(f"{home}/refresh").json() == "refreshed"
