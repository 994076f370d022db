from harness import link_node_modules, shows_alice

PAGE = "authjs"


def check(site, guide, person):
    port = guide.port(3000)
    guide.register()
    node = link_node_modules(guide.write())
    guide.run([node, "app.mjs"], port)
    home = f"http://localhost:{port}"
    token = person.visit(f"{home}/auth/csrf").json()["csrfToken"]
    fields = {"csrfToken": token, "callbackUrl": f"{home}/"}
    shows_alice(person.post(f"{home}/auth/signin/signet", fields), "Alice Example", "staff", "shop-admins")
    ended = person.post(f"{home}/auth/signout", fields)
    assert ended.json() == {"person": None}, ended.text
