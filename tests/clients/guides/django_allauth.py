from harness import django, shows_alice

PAGE = "django-allauth"


def check(site, guide, person):
    port = guide.port(8000)
    guide.register()
    guide.write()
    django(guide, port)
    home = f"http://localhost:{port}"
    page = person.visit(f"{home}/accounts/oidc/signet/login/")
    shows_alice(page, "Alice Example", "staff", "shop-admins")
    assert page.url == f"{home}/"
    fields = {"csrfmiddlewaretoken": person.form(f"{home}/accounts/logout/").fields["csrfmiddlewaretoken"]}
    assert person.post(f"{home}/accounts/logout/", fields).json() == {"person": None}
