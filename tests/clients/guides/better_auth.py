from harness import link_node_modules, shows_alice

PAGE = "better-auth"


def check(site, guide, person):
    port = guide.port(3000)
    guide.register()
    node = link_node_modules(guide.write())
    guide.run([node, "app.mjs"], port)
    home = f"http://localhost:{port}"
    shows_alice(person.visit(f"{home}/login"), "Alice Example")
    for _ in range(3):
        assert person.visit(f"{home}/refresh").json() == {"refreshed": True}
    person.post(f"{home}/api/auth/sign-out", "{}", headers={"Origin": home, "Content-Type": "application/json"})
    assert person.visit(f"{home}/").json() == {"person": None}
