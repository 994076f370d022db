from harness import link_node_modules, shows_alice

PAGE = "passport"


def check(site, guide, person):
    port = guide.port(3000)
    guide.register()
    node = link_node_modules(guide.write())
    guide.run([node, "app.mjs"], port)
    home = f"http://localhost:{port}"
    shows_alice(person.visit(f"{home}/login"), "Alice Example")
    ended = person.visit(f"{home}/logout")
    assert ended.url == f"{home}/" and ended.json() == {"person": None}, ended.text
    assert not person.is_signed_in()
